#include "lab/image/inode_report.h"

namespace powercut::lab {
namespace {

void read_runs(const Volume& volume, InodeReport& report) {
  const auto run = [&](const FileRun& found) {
    ++report.run_count;
    report.mapped_blocks += found.count;
    if (report.runs.size() < InodeReport::kRunsMax) report.runs.push_back(found);
    return true;
  };
  const auto tree = [&](BlockNo block) {
    if (report.tree_blocks.size() < InodeReport::kRunsMax) report.tree_blocks.push_back(block);
    return true;
  };
  const auto walked = volume.for_each_run(report.number, report.inode, run, tree);
  if (!walked) report.runs_error = walked.error();
}

}  // namespace

InodeReport read_inode_report(const Volume& volume, InodeNo number, const Inode& inode) {
  InodeReport report;
  report.number = number;
  report.inode = inode;
  const auto stored = volume.stored_inode(number);
  report.is_written = stored.has_value() && !all_zero(*stored);
  if (inode.is(InodeType::kSymlink)) {
    const auto target = volume.read_link(number, inode);
    if (target) {
      report.target = *target;
    } else {
      report.target_error = target.error();
    }
  }
  const auto visited = volume.for_each_xattr(number, inode, [&](const Xattr& xattr) {
    report.xattrs.push_back(xattr);
    return true;
  });
  if (!visited) report.xattr_error = visited.error();
  read_runs(volume, report);
  return report;
}

}  // namespace powercut::lab

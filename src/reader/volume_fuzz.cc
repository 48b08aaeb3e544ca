// The reader on any image of 256 KiB.  The input is a list of what is not zero in it, in records:
//   1 byte   block of 1 KiB
//   2 bytes  length (little-endian; at most 1024 count)
//   bytes    the beginning of the block
// Everything is walked, with a bound on the visits of one input; what is found must keep the
// reader's promises.
#include <algorithm>

#include "block/memory_device.h"
#include "format/ext4_acl.h"
#include "format/ext4_xattr.h"
#include "reader/owner.h"
#include "reader/volume.h"

namespace {

using namespace powercut;

constexpr std::size_t kBlocks = 256, kBlockBytes = 1024;
constexpr int kVisitsMax = 5000;

std::vector<std::uint8_t> image_of(Bytes input) {
  std::vector<std::uint8_t> image(kBlocks * kBlockBytes);
  while (input.size() > 3) {
    const std::size_t at = input[0] * kBlockBytes;
    const std::size_t wanted = std::min(input[1] + input[2] * std::size_t{256}, kBlockBytes);
    input = input.subspan(3);
    const std::size_t length = std::min(wanted, input.size());
    std::copy_n(input.begin(), length, image.begin() + static_cast<std::ptrdiff_t>(at));
    input = input.subspan(length);
  }
  return image;
}

class Walk {
 public:
  explicit Walk(const Volume& volume) : volume_(volume), superblock_(volume.superblock()) {}

  void run() {
    const std::uint32_t groups = std::min(volume_.group_count(), 50u);
    for (std::uint32_t index = 0; index < groups; ++index) {
      const auto group = volume_.group(index);
      CHECK(!group || superblock_.contains(group->inode_table), "a table in the file system");
    }
    ignore(volume_.for_each_inode([this](InodeNo number, const Inode& inode) {
      one(number, inode);
      return may_visit();
    }));
    ignore(volume_.for_each_orphan([this](InodeNo number) {
      CHECK(number.value() != 0 && number.value() <= superblock_.inode_count, "an inode");
      return may_visit();
    }));
    for (const char* path : {"/", "/a/b", "/../lost+found", "/dir/link/x"}) {
      ignore(volume_.find(path));
    }
    const auto journal = locate_journal(volume_);
    CHECK(!journal || journal->block_count() > 0, "a journal has blocks");
    for (std::uint64_t block = 0; block <= superblock_.block_count; block += 23) owner(block);
  }

 private:
  template <class T>
  static void ignore(const Result<T>& result) {
    ignore_error(result, "hostile images are refused; only crashes and broken promises matter");
  }

  bool may_visit() { return ++visits_ < kVisitsMax; }

  void one(InodeNo number, const Inode& inode) {
    std::uint64_t next = 0;
    ignore(volume_.for_each_run(
        number, inode,
        [&](const FileRun& run) {
          CHECK(run.count > 0 && run.file.value() >= next, "runs ascend");
          CHECK(superblock_.contains(run.device, run.count), "runs lie in the file system");
          next = run.file.value() + run.count;
          return may_visit();
        },
        [&](BlockNo block) {
          CHECK(superblock_.contains(block), "tree blocks lie in the file system");
          return may_visit();
        }));
    entries(number, inode);
    xattrs(number, inode);
    ignore(volume_.read_link(number, inode));
    std::vector<std::uint8_t> into(3000);
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1500}, inode.size / 2}) {
      const auto count = volume_.read_file(number, inode, offset, into);
      CHECK(!count || *count <= into.size(), "no more than asked for");
      CHECK(!count || offset >= inode.size || *count <= inode.size - offset, "not past the end");
    }
  }

  void entries(InodeNo number, const Inode& inode) {
    std::vector<std::string> names = {"a", "..", "not there"};
    ignore(volume_.for_each_entry(number, inode, [&](const DirectoryEntry& entry) {
      CHECK(!entry.name.empty() && entry.name.find('/') == std::string::npos, "a legal name");
      CHECK(entry.inode.value() != 0, "an entry in use");
      if (names.size() < 6) names.push_back(entry.name);
      return may_visit();
    }));
    for (const std::string& name : names) {
      const auto found = volume_.lookup(number, inode, name);
      CHECK(!found || found->value() != 0, "a name leads to an inode");
    }
  }

  void xattrs(InodeNo number, const Inode& inode) {
    ignore(volume_.for_each_xattr(number, inode, [&](const Xattr& xattr) {
      CHECK(xattr.value.size() <= kXattrValueMax, "a value as Linux has them");
      CHECK(xattr.name.find('\0') == std::string::npos, "a legal name");
      CHECK(xattr.name != "system.data", "inline data is no attribute");
      ignore(Acl::parse(xattr.value));
      return may_visit();
    }));
  }

  void owner(std::uint64_t block) {
    const Owner found = find_owner(volume_, BlockNo(block), 300);
    CHECK(!found.describe(superblock_.block_bytes()).empty(), "every owner can be described");
    CHECK(found.kind != OwnerKind::kUnknown || !found.note.empty(), "a reason for not knowing");
  }

  const Volume& volume_;
  const Superblock& superblock_;
  int visits_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const MemoryDevice device(image_of({data, size}));
  const auto volume = Volume::open(device);
  if (volume) Walk(*volume).run();
  return 0;
}

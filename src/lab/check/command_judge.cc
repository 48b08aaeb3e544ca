#include "lab/check/command_judge.h"

#include <fmt/format.h>

#include "host/process.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kOutputBytesMax = std::size_t{64} << 10;
constexpr std::size_t kWordsMax = 300;

// The last line that says something: that is where programs put why they failed.
std::string last_line(std::string_view output) {
  const std::size_t end = output.find_last_not_of(" \r\n");
  if (end == std::string_view::npos) return "no word";
  const std::size_t before = output.find_last_of('\n', end);
  const std::size_t first = before == std::string_view::npos ? 0 : before + 1;
  return std::string(output.substr(first, std::min(end + 1 - first, kWordsMax)));
}

}  // namespace

// Appended to and never synced: a state may have thousands of them.
Result<std::filesystem::path> CommandJudge::write_marks(std::span<const std::string> marks) {
  const std::filesystem::path path = stage_.folder() / "marks";
  if (!marks_file_ || marks.size() < marks_written_) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    marks_file_ = TRY(File::create(path, 0));
    marks_written_ = 0;
  }
  std::string text;
  for (const std::string& mark : marks.subspan(marks_written_)) text += mark + "\n";
  TRY(marks_file_->append({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  marks_written_ = marks.size();
  return path;
}

Result<std::vector<CheckFinding>> CommandJudge::examine(const ExaminedState& state) {
  const std::filesystem::path marks = TRY(write_marks(state.marks));
  std::vector<CheckFinding> findings;
  VisitOptions how;
  how.mount_options = options_.mount_options;
  const auto look = [&](const std::filesystem::path& tree) -> Result<void> {
    ProcessOptions shell;
    shell.arguments = {"sh", "-c", options_.command};
    shell.directory = tree;
    shell.environment = {{"POWERCUT_DIR", tree}, {"POWERCUT_MARKS_SEEN", marks}};
    const auto ran = run_command(shell, options_.limit, kOutputBytesMax);
    if (!ran && ran.error().code == Errc::kTimeout) {
      findings.push_back(
          finding_of(JudgeName::kCommand, "command-hung", "it was killed at its limit"));
      return {};
    }
    if (!ran) return Failure(ran.error());
    if (ran->status.is_success()) return {};
    findings.push_back(
        finding_of(JudgeName::kCommand, "command-failed",
                   fmt::format("exit status {}: {}", ran->status.code, last_line(ran->output))));
    return {};
  };
  const Visit visit = TRY(stage_.visit(state.crashed, how, look));
  if (!visit.is_mounted) {
    findings.push_back(
        finding_of(JudgeName::kCommand, "mount-refused",
                   fmt::format("{}: {}", visit.refusal, last_line(visit.kernel_words))));
  }
  return findings;
}

}  // namespace powercut::lab

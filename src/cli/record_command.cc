// powercut record info|import|export
#include "cli/command.h"
#include "cli/image_words.h"
#include "lab/report/recording_json.h"
#include "lab/report/recording_text.h"

namespace powercut::cli {
namespace {

struct RecordingInfoWords {
  std::string recording;
  bool lists_marks = false, as_json = false;
};

int record_info(const RecordingInfoWords& words) {
  const auto file = File::open(words.recording, File::Access::kRead);
  if (!file) return print_error(file.error());
  const auto summary = lab::summarize_recording(*file);
  if (!summary) return print_error(summary.error());
  if (words.as_json) {
    print(lab::recording_json(*summary));
  } else {
    print(lab::recording_text(words.recording, *summary, words.lists_marks));
  }
  return kNothingFound;
}

struct LogWords {
  std::string from, to, base, size;
  std::uint32_t sector_bytes = 512;
  std::uint64_t record_max_mib = 4096;
  bool as_json = false;
};

void print_counts(const LogWords& words, std::string_view verb, const lab::LogCounts& counts) {
  print(words.as_json ? lab::log_counts_json(counts)
                      : lab::log_counts_text(verb, words.to, counts));
}

// A disk of zeroes, or what the image holds.
class FirstContent final : public BlockView {
 public:
  static Result<FirstContent> make(const LogWords& words, const File& log) {
    FirstContent content;
    if (!words.base.empty()) {
      content.image_ = TRY(File::open(words.base, File::Access::kRead));
      content.size_bytes_ = content.image_->size_bytes();
    } else if (!words.size.empty()) {
      content.size_bytes_ = TRY(parse_offset(words.size));
    } else {
      content.size_bytes_ = TRY(lab::disk_bytes_of_log(log));
    }
    return content;
  }
  std::uint64_t size_bytes() const override { return size_bytes_; }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    if (image_) return image_->read_at(offset, into);
    std::ranges::fill(into, std::uint8_t{0});
    return {};
  }
  std::optional<File> image_;
  std::uint64_t size_bytes_ = 0;
};

Result<lab::LogCounts> import_it(const LogWords& words) {
  const File log = TRY(File::open(words.from, File::Access::kRead));
  const FirstContent first = TRY(FirstContent::make(words, log));
  const auto writer =
      TRY(lab::RecordingWriter::create(words.to, first, words.record_max_mib << 20));
  const auto counts = TRY(lab::import_log(log, first.size_bytes(), *writer));
  TRY(writer->close());
  if (writer->trouble().empty()) return counts;
  return fail_with(Errc::kNoSpace, "the recording is not whole", writer->trouble());
}

Result<lab::LogCounts> export_it(const LogWords& words) {
  const File file = TRY(File::open(words.from, File::Access::kRead));
  const auto reader = TRY(lab::RecordingReader::open(file));
  std::optional<File> base;
  if (!words.base.empty()) {
    base = TRY(File::create(words.base, reader->facts().disk_bytes));
  }
  File log = TRY(File::create(words.to, 0));
  return lab::export_log(*reader, log, {words.sector_bytes, base ? &*base : nullptr});
}

int run(const LogWords& words, std::string_view verb, const Result<lab::LogCounts>& counts) {
  if (!counts) return print_error(counts.error());
  print_counts(words, verb, *counts);
  return kNothingFound;
}

void add_info(CommandLine& line, CLI::App& record) {
  auto words = std::make_shared<RecordingInfoWords>();
  CLI::App* const command =
      record.add_subcommand("info", "What is in a recording: the disk, its requests, its marks");
  command->add_option("recording", words->recording, "the file; only read")->required();
  command->add_flag("--marks", words->lists_marks, "each mark, with the number of its event");
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback([&line, words] { line.exit_code = record_info(*words); });
}

void add_import(CommandLine& line, CLI::App& record) {
  auto words = std::make_shared<LogWords>();
  CLI::App* const command = record.add_subcommand(
      "import", "Makes a recording of a log of dm-log-writes (or of QEMU's blklogwrites)");
  command->add_option("log", words->from, "the log, a file or a device; only read")->required();
  command->add_option("recording", words->to, "the recording; must not be there")->required();
  CLI::Option* const base = command->add_option(
      "--base", words->base, "an image of what the disk held before the log; else all zeroes");
  command->add_option("--size", words->size, "of the disk; else as far as the log writes")
      ->excludes(base);
  command->add_option("--max-recording", words->record_max_mib, "of the recording, MiB");
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback(
      [&line, words] { line.exit_code = run(*words, "imported", import_it(*words)); });
}

void add_export(CommandLine& line, CLI::App& record) {
  auto words = std::make_shared<LogWords>();
  CLI::App* const command =
      record.add_subcommand("export", "Makes a log as dm-log-writes writes them of a recording");
  command->add_option("recording", words->from, "the recording; only read")->required();
  command->add_option("log", words->to, "the log; must not be there")->required();
  command->add_option("--base", words->base,
                      "a new image for what the disk held at first; else the log begins with it");
  command->add_option("--sector", words->sector_bytes, "bytes of a sector of the log")
      ->check(CLI::IsMember({512, 1024, 2048, 4096}));
  command->add_flag("--json", words->as_json, "one JSON document");
  command->callback(
      [&line, words] { line.exit_code = run(*words, "exported", export_it(*words)); });
}

}  // namespace

void add_record(CommandLine& line) {
  CLI::App* const command =
      line.app.add_subcommand("record", "Recordings: info, import and export of dm-log-writes");
  command->require_subcommand(1);
  add_info(line, *command);
  add_import(line, *command);
  add_export(line, *command);
}

}  // namespace powercut::cli

#include "lab/sources/guest/guest_job.h"

#include <algorithm>
#include <charconv>

namespace powercut::lab {
namespace {

constexpr Nanoseconds kDurationMax = std::chrono::hours(24);

std::string_view kind_name(JobKind kind) {
  switch (kind) {
    case JobKind::kBootOnly: return "boot-only";
    case JobKind::kMountOnly: return "mount-only";
    case JobKind::kLoad: return "load";
  }
  return "";
}

Result<JobKind> parse_kind(std::string_view name) {
  for (const JobKind kind : {JobKind::kBootOnly, JobKind::kMountOnly, JobKind::kLoad}) {
    if (kind_name(kind) == name) return kind;
  }
  return fail_with(Errc::kUnsupported, "guest job: unknown kind", name);
}

bool is_setting_name(std::string_view name) {
  return !name.empty() && name.front() != '/' && std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' ||
           letter == '/';
  });
}

std::string escaped(std::string_view value) {
  std::string text;
  for (const char letter : value) {
    if (letter == '\n') {
      text += "\\n";
    } else if (letter == '\\') {
      text += "\\\\";
    } else {
      text += letter;
    }
  }
  return text;
}

Result<std::string> unescaped(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return fail(Errc::kCorrupt, "guest job: NUL in a value", i);
    if (text[i] != '\\') {
      value += text[i];
      continue;
    }
    if (++i == text.size()) return fail(Errc::kCorrupt, "guest job: half an escape", i);
    if (text[i] != 'n' && text[i] != '\\') {
      return fail(Errc::kCorrupt, "guest job: unknown escape", i);
    }
    value += text[i] == 'n' ? '\n' : '\\';
  }
  return value;
}

Result<Nanoseconds> parse_duration(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail_with(Errc::kCorrupt, "guest job: not a number of milliseconds", text);
  }
  const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(kDurationMax).count();
  if (count > static_cast<std::uint64_t>(most)) {
    return fail_with(Errc::kLimit, "guest job: a duration above a day", text);
  }
  return Nanoseconds(std::chrono::milliseconds(static_cast<std::int64_t>(count)));
}

std::string duration_text(Nanoseconds duration) {
  const Nanoseconds kept = std::clamp(duration, Nanoseconds(0), kDurationMax);
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(kept).count());
}

class JobWriter {
 public:
  explicit JobWriter(std::string& text) : text_(text) {}
  void line(std::string_view key, std::string_view value) {
    has_nul_ = has_nul_ || value.find('\0') != std::string_view::npos;
    text_ += key;
    text_ += '=';
    text_ += escaped(value);
    text_ += '\n';
  }
  bool has_nul() const { return has_nul_; }

 private:
  std::string& text_;
  bool has_nul_ = false;
};

Result<void> take_setting(std::string_view value, GuestJob& job) {
  const std::size_t split = value.find('=');
  if (split == std::string_view::npos || !is_setting_name(value.substr(0, split))) {
    return fail_with(Errc::kCorrupt, "guest job: a setting's form is name=value", value);
  }
  job.settings.push_back(
      {std::string(value.substr(0, split)), std::string(value.substr(split + 1))});
  return {};
}

Result<void> take_line(std::string_view key, std::string value, GuestJob& job) {
  if (key == "kind") {
    job.kind = TRY(parse_kind(value));
  } else if (key == "device") {
    job.device = std::move(value);
  } else if (key == "mount-options") {
    job.mount_options = std::move(value);
  } else if (key == "module") {
    job.modules.push_back(std::move(value));
  } else if (key == "setting") {
    return take_setting(value, job);
  } else if (key == "marks") {
    if (value != "yes") return fail_with(Errc::kCorrupt, "guest job: marks are yes", value);
    job.has_marks = true;
  } else if (key == "device-limit-ms") {
    job.device_limit = TRY(parse_duration(value));
  } else if (key == "command-limit-ms") {
    job.command_limit = TRY(parse_duration(value));
  } else if (key == "grace-ms") {
    job.grace = TRY(parse_duration(value));
  } else if (key == "command") {
    job.commands.push_back({std::move(value)});
  } else if (key == "argument") {
    if (job.commands.empty()) return fail(Errc::kCorrupt, "guest job: argument before a command");
    job.commands.back().push_back(std::move(value));
  } else {
    return fail_with(Errc::kUnsupported, "guest job: unknown key", key);
  }
  return {};
}

}  // namespace

Result<std::string> format_job(const GuestJob& job) {
  std::string text(kJobHeader);
  text += '\n';
  JobWriter writer(text);
  writer.line("kind", kind_name(job.kind));
  writer.line("device", job.device);
  writer.line("mount-options", job.mount_options);
  for (const std::string& module : job.modules) writer.line("module", module);
  for (const KernelSetting& setting : job.settings) {
    if (!is_setting_name(setting.name)) {
      return fail_with(Errc::kInvalid, "guest job: a setting's name is [a-z0-9_/]", setting.name);
    }
    writer.line("setting", setting.name + "=" + setting.value);
  }
  if (job.has_marks) writer.line("marks", "yes");
  writer.line("device-limit-ms", duration_text(job.device_limit));
  writer.line("command-limit-ms", duration_text(job.command_limit));
  writer.line("grace-ms", duration_text(job.grace));
  std::size_t items = job.modules.size() + job.settings.size();
  for (const std::vector<std::string>& command : job.commands) {
    items += command.size();
    if (command.empty() || command.front().empty()) {
      return fail(Errc::kInvalid, "guest job: an empty command");
    }
    writer.line("command", command.front());
    for (std::size_t i = 1; i < command.size(); ++i) writer.line("argument", command[i]);
  }
  if (writer.has_nul()) return fail(Errc::kInvalid, "guest job: a NUL has no form");
  if (text.size() > kJobBytesMax || items > kJobItemsMax) {
    return fail(Errc::kLimit, "guest job: too long", text.size());
  }
  return text;
}

Result<GuestJob> parse_job(std::string_view text) {
  if (text.size() > kJobBytesMax) return fail(Errc::kLimit, "guest job: too long", text.size());
  GuestJob job;
  std::size_t line_count = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return fail(Errc::kCorrupt, "guest job: half a last line");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line_count++ == 0) {
      if (line != kJobHeader) return fail_with(Errc::kCorrupt, "guest job: its first line", line);
      continue;
    }
    if (line_count > kJobItemsMax + 16) return fail(Errc::kLimit, "guest job: too many lines");
    const std::size_t split = line.find('=');
    if (split == std::string_view::npos) {
      return fail_with(Errc::kCorrupt, "guest job: a line's form is key=value", line);
    }
    std::string value = TRY(unescaped(line.substr(split + 1)));
    TRY(take_line(line.substr(0, split), std::move(value), job));
  }
  if (line_count == 0) return fail(Errc::kCorrupt, "guest job: empty");
  return job;
}

}  // namespace powercut::lab

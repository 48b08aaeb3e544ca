#include "tests/simulation/folder_model.h"

#include <algorithm>

#include "base/crc32c.h"

namespace powercut::testing {
namespace {

std::string line_of_file(std::size_t links, unsigned permissions, Bytes content,
                         const std::map<std::string, std::string>& attributes) {
  std::string line = "file, links " + std::to_string(links) + ", mode " +
                     std::to_string(permissions) + ", bytes " + std::to_string(content.size()) +
                     ", sum " + std::to_string(crc32c(~0u, content));
  for (const auto& [name, value] : attributes) line += ", " + name + "=" + value;
  return line;
}

std::size_t directories_in(const FolderModel& model, const std::string& path) {
  return static_cast<std::size_t>(std::ranges::count_if(model, [&](const auto& each) {
    const std::string& name = each.first;
    return each.second == nullptr && name.starts_with(path + "/") &&
           name.find('/', path.size() + 1) == name.npos;
  }));
}

// Reads one folder, name by name.
class FolderReader {
 public:
  explicit FolderReader(const Volume& volume) : volume_(volume) {}

  Result<void> add(InodeNo directory, const std::string& path) {
    const Inode inode = TRY(volume_.inode(directory));
    std::map<std::string, InodeNo> names;
    TRY(volume_.for_each_entry(directory, inode, [&](const DirectoryEntry& entry) {
      if (entry.name != "." && entry.name != "..") names[entry.name] = entry.inode;
      return true;
    }));
    for (const auto& [name, number] : names) {
      if (TRY(volume_.lookup(directory, inode, name)) != number) {
        return fail_with(Errc::kCorrupt, "a name that its hash does not lead to", name);
      }
      TRY(add_one(number, path + name));
    }
    return {};
  }
  FolderWords take() { return std::move(words_); }

 private:
  Result<void> add_one(InodeNo number, const std::string& path) {
    const Inode inode = TRY(volume_.inode(number));
    if (inode.is(InodeType::kDirectory)) {
      words_[path] = "directory, links " + std::to_string(inode.links);
      return add(number, path + "/");
    }
    std::vector<std::uint8_t> bytes(inode.size);
    if (TRY(volume_.read_file(number, inode, 0, bytes)) != bytes.size()) {
      return fail_with(Errc::kCorrupt, "a file that ends before its size", path);
    }
    std::map<std::string, std::string> attributes;
    TRY(volume_.for_each_xattr(number, inode, [&](const Xattr& xattr) {
      attributes[xattr.name] = std::string(xattr.value.begin(), xattr.value.end());
      return true;
    }));
    words_[path] = line_of_file(inode.links, inode.mode & 07777u, bytes, attributes) + ", as " +
                   seen_.try_emplace(number.value(), path).first->second;
    return {};
  }

  const Volume& volume_;
  FolderWords words_;
  std::map<std::uint32_t, std::string> seen_;
};

}  // namespace

FolderWords words_of(const FolderModel& model) {
  FolderWords words;
  std::map<std::uint64_t, std::string> seen;
  for (const auto& [path, file] : model) {
    if (file == nullptr) {
      words[path] = "directory, links " + std::to_string(2 + directories_in(model, path));
      continue;
    }
    const auto links = static_cast<std::size_t>(std::ranges::count_if(model, [&](const auto& each) {
      return each.second != nullptr && each.second->number == file->number;
    }));
    words[path] = line_of_file(links, file->permissions, file->bytes, file->attributes) + ", as " +
                  seen.try_emplace(file->number, path).first->second;
  }
  return words;
}

Result<FolderWords> read_folder(const Volume& volume, const std::string& folder) {
  FolderReader reader(volume);
  const InodeNo number = TRY(volume.find("/" + folder));
  TRY(reader.add(number, ""));
  return reader.take();
}

std::string first_difference(const FolderWords& wanted, const FolderWords& found) {
  for (const auto& [path, line] : wanted) {
    const auto there = found.find(path);
    if (there == found.end()) return path + " is not there, should be: " + line;
    if (there->second != line) return path + " is: " + there->second + "; should be: " + line;
  }
  for (const auto& [path, line] : found) {
    if (!wanted.contains(path)) return path + " should not be there: " + line;
  }
  return "";
}

FolderHistories::FolderHistories(std::size_t count) : histories_(count) {
  for (std::size_t i = 0; i < count; ++i) {
    histories_[i].folder = "t" + std::to_string(i);
    histories_[i].steps.push_back({"the beginning", {}, 0, 0});
  }
}

void FolderHistories::answer_all() {
  for (FolderHistory& history : histories_) history.answered = history.steps.size() - 1;
}

std::string FolderHistories::find_states(const Volume& recovered, Choices& choices) const {
  for (const FolderHistory& history : histories_) {
    const auto found = read_folder(recovered, history.folder);
    if (!found) return history.folder + " cannot be read: " + error_words(found.error());
    std::vector<std::size_t>& steps = choices.emplace_back();
    for (std::size_t i = history.answered; i < history.steps.size(); ++i) {
      if (words_of(history.steps[i].after) == *found) steps.push_back(i);
    }
    if (!steps.empty()) continue;
    const FolderStep& answered = history.steps[history.answered];
    const FolderStep& last = history.steps.back();
    return history.folder + " is as after none of its operations from " +
           std::to_string(history.answered) + " (" + answered.what +
           ", answered) on: " + first_difference(words_of(answered.after), *found) +
           "; against the last, " + std::to_string(history.steps.size() - 1) + " (" + last.what +
           "): " + first_difference(words_of(last.after), *found);
  }
  return "";
}

// The earliest states that agree: each demands of the others what had ended before its step began.
std::optional<std::vector<std::size_t>> FolderHistories::agree(const Choices& choices) const {
  std::vector<std::size_t> at;
  for (const auto& steps : choices) at.push_back(steps.front());
  for (bool is_changed = true; is_changed;) {
    is_changed = false;
    for (std::size_t one = 0; one < at.size(); ++one) {
      const std::uint64_t began = histories_[one].steps[at[one]].began;
      for (std::size_t other = 0; other < at.size(); ++other) {
        const auto& steps = histories_[other].steps;
        std::size_t least = at[other];
        while (least + 1 < steps.size() && steps[least + 1].ended < began) ++least;
        if (least == at[other]) continue;
        const auto next = std::ranges::lower_bound(choices[other], least);
        if (next == choices[other].end()) return std::nullopt;
        at[other] = *next;
        is_changed = true;
      }
    }
  }
  return at;
}

std::string FolderHistories::settle(const Volume& recovered) {
  Choices choices;
  std::string wrong = find_states(recovered, choices);
  if (!wrong.empty()) return wrong;
  const auto at = agree(choices);
  if (!at) return "operations that are not there had ended before others began that are";
  for (std::size_t i = 0; i < histories_.size(); ++i) {
    FolderHistory& history = histories_[i];
    FolderModel model = std::move(history.steps[(*at)[i]].after);
    history.steps.clear();
    history.steps.push_back({"the mount", std::move(model), 0, 0});
    history.answered = 0;
  }
  return "";
}

}  // namespace powercut::testing

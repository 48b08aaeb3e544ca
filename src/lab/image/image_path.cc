#include "lab/image/image_path.h"

#include <charconv>
#include <deque>
#include <optional>

namespace powercut::lab {
namespace {

// N of "<N>", if the component is one.
std::optional<std::uint32_t> inode_in(std::string_view component) {
  if (component.size() < 3 || component.front() != '<' || component.back() != '>') return {};
  const std::string_view digits = component.substr(1, component.size() - 2);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc{} || end != digits.end()) return {};
  return number;
}

std::deque<std::string> components_of(std::string_view path) {
  std::deque<std::string> components;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end != 0) components.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return components;
}

class PathResolver {
 public:
  PathResolver(const Volume& volume, std::string_view path) : volume_(volume), path_(path) {}

  Result<PathTarget> resolve(LastSymlink last) {
    const bool is_relative = !path_.empty() && path_.front() != '/';
    left_ = components_of(path_);
    const bool wants_directory = !path_.empty() && path_.back() == '/';
    follows_last_ = last == LastSymlink::kIsFollowed || wants_directory;
    TRY(begin(is_relative));
    while (!left_.empty()) {
      if (!at().inode.is(InodeType::kDirectory)) return no_directory();
      const std::string component = std::move(left_.front());
      left_.pop_front();
      TRY(step(component));
    }
    if (wants_directory && !at().inode.is(InodeType::kDirectory)) return no_directory();
    PathTarget target = at();
    const auto given = components_of(path_);
    const bool is_name = !given.empty() && given.back() != "." && given.back() != ".." &&
                         !(given.size() == 1 && is_relative && inode_in(given.back()));
    target.name = is_name ? given.back() : std::string();
    return target;
  }

 private:
  // The way from the root, or from inode `<N>`: its front.
  PathTarget& at() { return way_.back(); }

  Result<void> begin(bool is_relative) {
    if (is_relative && !left_.empty()) {
      if (const auto number = inode_in(left_.front())) {
        left_.pop_front();
        way_.push_back({InodeNo(*number), TRY(volume_.inode(InodeNo(*number))), {}});
        return {};
      }
    }
    return begin_at_root();
  }

  Result<void> begin_at_root() {
    way_.clear();
    way_.push_back({kRootInode, TRY(volume_.inode(kRootInode)), {}});
    return {};
  }

  Result<void> step(const std::string& component) {
    if (component == ".") return {};
    if (component == ".." && way_.size() > 1) {
      way_.pop_back();
      return {};
    }
    if (component == ".." && at().number == kRootInode) return {};
    const auto number = volume_.lookup(at().number, at().inode, component);
    if (!number && number.error().code == Errc::kNotFound) {
      return fail_with(Errc::kNotFound, "path", path_, at().number.value());
    }
    if (!number) return Failure{number.error()};
    const auto inode = TRY(volume_.inode(*number));
    const bool is_followed = inode.is(InodeType::kSymlink) && (!left_.empty() || follows_last_);
    if (is_followed) return follow(*number, inode);
    way_.push_back({*number, inode, {}});
    return {};
  }

  // The target takes the place of the link among the components that are left.
  Result<void> follow(InodeNo number, const Inode& inode) {
    if (++symlink_count_ > kSymlinksMax) {
      return fail_with(Errc::kLimit, "path: more than 40 symlinks", path_, number.value());
    }
    const std::string target = TRY(volume_.read_link(number, inode));
    const auto components = components_of(target);
    left_.insert(left_.begin(), components.begin(), components.end());
    if (target.front() == '/') return begin_at_root();
    return {};
  }

  Failure no_directory() {
    return fail_with(Errc::kNotFound, "path: passes what is no directory", path_,
                     at().number.value());
  }

  const Volume& volume_;
  const std::string_view path_;
  std::deque<std::string> left_;  // components still to be gone
  std::vector<PathTarget> way_;
  bool follows_last_ = true;
  int symlink_count_ = 0;
};

}  // namespace

ImageWord split_image_word(std::string_view word,
                           const std::function<bool(const std::string&)>& is_file) {
  const std::string whole(word);
  if (is_file(whole)) return {whole, {}};
  for (std::size_t at = word.find(':'); at != std::string_view::npos; at = word.find(':', at + 1)) {
    const std::string image(word.substr(0, at));
    if (is_file(image)) return {image, std::string(word.substr(at + 1))};
  }
  return {whole, {}};
}

Result<PathTarget> resolve_path(const Volume& volume, std::string_view path, LastSymlink last) {
  return PathResolver(volume, path).resolve(last);
}

}  // namespace powercut::lab

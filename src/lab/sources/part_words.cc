#include "lab/sources/part_words.h"

#include <charconv>

namespace powercut::lab {

Result<PartWords> PartWords::parse(const std::vector<std::string>& words) {
  PartWords parsed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      parsed.command_.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      return parsed;
    }
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return fail_with(Errc::kInvalid, "a part's word", word);
    const bool is_new =
        parsed.values_.emplace(word.substr(0, equals), word.substr(equals + 1)).second;
    if (!is_new) return fail_with(Errc::kInvalid, "a part's word came twice", word);
  }
  return parsed;
}

Result<std::string> PartWords::text(const std::string& key) const {
  const auto found = values_.find(key);
  if (found != values_.end()) return found->second;
  return fail_with(Errc::kInvalid, "a part's word is missing", key);
}

Result<std::uint64_t> PartWords::number(const std::string& key) const {
  const std::string value = TRY(text(key));
  std::uint64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error == std::errc{} && stop == end) return number;
  return fail_with(Errc::kInvalid, "a part's word is no number", key + "=" + value);
}

std::string PartWords::text_or(const std::string& key, std::string_view otherwise) const {
  const auto found = values_.find(key);
  return found != values_.end() ? found->second : std::string(otherwise);
}

}  // namespace powercut::lab

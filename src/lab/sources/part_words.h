// The words with which powercut starts itself as one of its parts: `key=value`, then perhaps `--`
// and a command.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace powercut::lab {

class PartWords {
 public:
  // Errors: kInvalid: a word without `=`, or a key that came before.
  static Result<PartWords> parse(const std::vector<std::string>& words);

  // Errors: kInvalid: it is not there, or no number.
  Result<std::string> text(const std::string& key) const;
  Result<std::uint64_t> number(const std::string& key) const;
  std::string text_or(const std::string& key, std::string_view otherwise) const;
  const std::vector<std::string>& command() const { return command_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> command_;
};

}  // namespace powercut::lab

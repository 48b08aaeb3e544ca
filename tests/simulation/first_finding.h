// Keeps the first finding of the judges of a stream, in words.
#pragma once

#include <string>

#include "lab/check/check_finding.h"
#include "lab/verify/finding.h"

namespace powercut::testing {

class FirstFinding final : public lab::FindingSink, public lab::CheckFindingSink {
 public:
  void on_finding(const lab::Finding& finding) override { keep("tag: " + finding.describe()); }
  void on_no_longer_replayable(Tid, Nanoseconds) override {}
  void on_finding(const lab::CheckFinding& finding) override {
    keep("order: " + finding.rule + ": " + finding.words);
  }
  const std::string& words() const { return words_; }

 private:
  void keep(const std::string& words) {
    if (words_.empty()) words_ = words;
  }
  std::string words_;
};

}  // namespace powercut::testing

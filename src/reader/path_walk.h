// The name of an inode: a breadth-first walk of the directories until one of them holds it.
#pragma once

#include <string>

#include "reader/volume.h"

namespace powercut {

// How much may still be visited, of whatever kind.
class Budget {
 public:
  explicit Budget(std::uint64_t visits) : left_(visits) {}
  // False when there is nothing left.
  bool spend() {
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  bool is_spent() const { return left_ == 0; }

 private:
  std::uint64_t left_;
};

// An absolute path of inode `target`, or an empty string: there is none, it is deeper than 2048
// directories, or the budget ran out.  Damaged directories are passed over.  Each directory is
// visited once, so loops end.
std::string path_of(const Volume& volume, InodeNo target, Budget& budget);

}  // namespace powercut

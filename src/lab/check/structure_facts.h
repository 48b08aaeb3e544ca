// What the content of one block says when it is read in one role, remembered by content: each
// content is parsed once for each role that it is met in.
//
// Words
//   role      what a block is read as, and for whom: an extent node at a depth of inode 12, a
//             directory block of inode 2; checksums and rules depend on it
//   context   the image, its layout and the facts: what reading needs
//
// Facts stay valid and unchanged until clear().
// Threads: one caller at a time.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "format/ext4_hash.h"
#include "format/ext4_xattr.h"
#include "lab/check/structure_layout.h"
#include "lab/check/structure_ledger.h"

namespace powercut::lab {

struct ExtentFacts {
  const char* flaw = nullptr;  // static text; with it the node is empty
  ExtentNode node;
};

struct EntryFact {
  std::uint64_t name_hash = 0;
  InodeNo inode;
  std::uint8_t type = 0;
  EntryKind kind = EntryKind::kName;
  friend auto operator<=>(const EntryFact&, const EntryFact&) = default;
};

struct DirectoryFacts {
  const char* flaw = nullptr;       // with it there are no entries
  const char* dots_flaw = nullptr;  // "." and ".." are not as they must be
  std::vector<EntryFact> entries;   // in order of EntryFact
  InodeNo parent;                   // ".." of the first block; 0: none
  // The hashes of the names of an index's leaf; least > greatest: there are none.
  std::uint32_t hash_least = ~0u, hash_greatest = 0;
};

struct HtreeFacts {
  const char* flaw = nullptr;  // with it there are no entries
  std::vector<HtreeEntry> entries;
  std::uint8_t hash_version = 0, levels = 0;  // of a root
};

// A use of an inode as the value of an attribute.
struct ValueUse {
  InodeNo inode;
  std::uint32_t value_bytes = 0;
  XattrEntry entry;
};

struct AttributeFacts {
  const char* flaw = nullptr;  // with it nothing else is told
  std::uint32_t references = 0;
  std::vector<ValueUse> values;
};

struct OrphanFacts {
  const char* flaw = nullptr;  // with it there are no inodes
  std::vector<InodeNo> inodes;
};

// How a block of a directory is read.
enum class DirectoryRole : std::uint8_t {
  kFirst,      // with "." and ".."
  kRest,       // names only
  kIndexRoot,  // the first block of an index: "." and ".."
  kLeaf,       // kRest, with the hashes of the names
};

struct DirectoryReading {
  OwnerSeed owner;
  DirectoryRole role = DirectoryRole::kFirst;
  DirectoryHash hash = DirectoryHash::kLegacy;  // kLeaf
};

class FactStore {
 public:
  const ExtentFacts& extent_node(const StateImage& image, BlockNo place, std::uint16_t depth,
                                 const OwnerSeed& owner, const Superblock& superblock);
  const DirectoryFacts& directory(const StateImage& image, BlockNo place,
                                  const DirectoryReading& reading, const Superblock& superblock);
  // The part of a directory that lies in the inode: `content` is that of the inode's block.
  const DirectoryFacts& inline_directory(ContentId content, InodeNo number, Bytes stored,
                                         const Superblock& superblock);
  const HtreeFacts& htree(const StateImage& image, BlockNo place, bool is_root,
                          const OwnerSeed& owner, const Superblock& superblock);
  const AttributeFacts& attributes(const StateImage& image, BlockNo place,
                                   const Superblock& superblock);
  const OrphanFacts& orphans(const StateImage& image, BlockNo place, const OwnerSeed& owner,
                             const Superblock& superblock);
  void clear();
  // About what the facts take.
  std::uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Key {
    std::uint32_t content = 0;
    std::uint32_t role = 0;     // and what it depends on
    std::uint64_t context = 0;  // the owner, or the place
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hasher {
    std::size_t operator()(const Key& key) const;
  };
  template <class Facts>
  using Map = std::unordered_map<Key, std::unique_ptr<const Facts>, Hasher>;
  template <class Facts, class Make>
  const Facts& remembered(Map<Facts>& map, const Key& key, Make make);

  Map<ExtentFacts> extents_;
  Map<DirectoryFacts> directories_;
  Map<HtreeFacts> htrees_;
  Map<AttributeFacts> attributes_;
  Map<OrphanFacts> orphans_;
  std::uint64_t memory_bytes_ = 0;
};

struct ReadContext {
  const StateImage& image;
  const Layout& layout;
  FactStore& facts;

  const Superblock& superblock() const { return layout.superblock(); }
};

// A hash of a name's bytes for telling names apart; not the directory's own.
std::uint64_t name_key(std::string_view name);
// The key of a directory's name in NameLedger.
std::uint64_t name_key(InodeNo directory, std::uint64_t name_hash);

}  // namespace powercut::lab

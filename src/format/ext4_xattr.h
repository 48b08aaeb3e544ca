// Extended attributes as checked values: those in an inode and those in a block of their own.  How
// they lie on disk: ext4_disk.h; docs/format-ext4.md.
//
// Words
//   index       a number that stands for the beginning of a name: 1 for "user."
//   value inode an inode whose content is the value of an attribute (feature ea_inode)
//
// Invariants are those of ext4.h.  What Linux and e2fsprogs do not check is not checked here: the
// hashes of entries and of the block (but see the value inodes), the order of the entries, that a
// name is there once, the count of references.  Values may share their bytes.
#pragma once

#include "format/ext4.h"

namespace powercut {

inline constexpr std::size_t kXattrNameMax = 255;           // bytes, without the index's part
inline constexpr std::uint32_t kXattrValueMax = 64 * 1024;  // bytes; Linux passes on no longer one

enum class XattrIndex : std::uint8_t {  // stored
  kNone = 0,
  kUser = 1,
  kAclAccess = 2,
  kAclDefault = 3,
  kTrusted = 4,
  kSecurity = 6,
  kSystem = 7,  // "system.data": inline data
  kRichAcl = 8,
  kEncryption = 9,
  kGnu = 10,
};

struct XattrEntry {
  std::uint8_t index = 0;          // an XattrIndex, or a number without a meaning here
  std::string name;                // without the index's part; may be empty; no zero byte
  InodeNo value_inode;             // 0: the value is beside the entry
  std::uint16_t value_offset = 0;  // bytes; as stored, without a meaning where nothing is there
  std::uint32_t value_bytes = 0;
  std::uint32_t hash = 0;           // as stored; in an inode 0, but with a value inode
  std::vector<std::uint8_t> value;  // empty with a value inode

  bool has(XattrIndex wanted) const { return index == static_cast<std::uint8_t>(wanted); }
  // The name as getfattr shows it, "user.mime".  Those that Linux shows to nobody: of index 0 the
  // bare name; "encryption.c"; "unknown-5.x" for an index without a meaning.
  std::string full_name() const;
  // Whether Linux lists an attribute of that index (to root).
  bool is_listed() const;
  // Inline data: "system.data".
  bool is_inline_data() const { return has(XattrIndex::kSystem) && name == "data"; }
};

// The attributes in an inode, behind its fixed part.
struct XattrBody {
  bool is_there = false;  // the magic is; without it there are no entries
  std::vector<XattrEntry> entries;

  // `stored` is one inode, superblock.inode_bytes long, `inode` what Inode::parse made of it.
  // Errors: kCorrupt (lengths, offsets, a zero byte in a name, a value inode that cannot be);
  // `where` is `number`.
  static Result<XattrBody> parse(Bytes stored, const Inode& inode, InodeNo number,
                                 const Superblock& superblock);
  // Entries, names and values; the checksum is the inode's (Inode::encode).  Entries or values that
  // do not fit are a mistake of the caller.
  void encode(MutableBytes stored, const Inode& inode) const;
};

// A block of attributes; inodes with the same ones may share it.
struct XattrBlock {
  std::uint32_t references = 1;  // h_refcount
  std::uint32_t hash = 0;        // h_hash, as stored
  std::uint32_t checksum = 0;    // h_checksum, as stored
  std::vector<XattrEntry> entries;

  // `block` is one block, `place` its number.
  // Errors: kChecksum; kCorrupt (magic, count of blocks, and as in an inode); `where` is `place`.
  static Result<XattrBlock> parse(Bytes block, BlockNo place, const Superblock& superblock);
  void encode(MutableBytes block, BlockNo place, const Superblock& superblock) const;
};

// How a byte of a name over 127 counts in a hash.  Both are found: Linux 6.18 and e2fsprogs 1.47
// write kUnsigned and believe either.
enum class NameBytes : std::uint8_t { kUnsigned, kSigned };

// The hash of an entry with its value beside it.
std::uint32_t xattr_hash(std::string_view name, Bytes value, NameBytes bytes = {});
// The hash of an entry whose value, with that hash of its own, is in an inode.
std::uint32_t xattr_hash(std::string_view name, std::uint32_t value_hash, NameBytes bytes = {});
// Whether an entry has the hash of its name and the value beside it.
bool has_xattr_hash(const XattrEntry& entry);
// The hash of a block: by it Linux finds blocks to share.  0, not to be shared, if an entry has
// none.  debugfs writes 0.
std::uint32_t xattr_block_hash(const std::vector<XattrEntry>& entries);
// The hash of the value in a value inode.
std::uint32_t xattr_value_hash(Bytes value, const Superblock& superblock);

// What a value inode keeps in fields that have another meaning elsewhere.
struct ValueInode {
  std::uint32_t value_hash = 0;  // i_atime
  std::uint64_t references = 0;  // i_ctime (high half), i_version (low half)
  InodeNo parent;                // i_mtime: in the older form the only inode that refers to it

  // `stored` is one inode that Inode::parse has checked.
  static Result<ValueInode> parse(Bytes stored);
  // Whether it is of the older form and belongs to that inode: no hash is looked at then.
  bool is_only_of(InodeNo number, const Inode& owner, const Inode& self) const {
    return parent == number && self.generation == owner.generation;
  }
  // Whether `entry`, which refers to it, has the hash of its name and this value.
  bool matches(const XattrEntry& entry) const;
};

}  // namespace powercut

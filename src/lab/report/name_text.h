// Names, times and values out of an image, as a terminal may show them: an image may have been made
// to harm one.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "format/ext4.h"

namespace powercut::lab {

// A name as `ls` shows it on a terminal: as it is, if a shell takes it for one word and every
// character can be shown; else in quotes, with $'\n' and the like for what cannot be shown.  Bash
// reads the same bytes out of it.
std::string quoted_name(std::string_view bytes);
// Text with "\n", "\033" and the like for what cannot be shown, and without quotes.
std::string printable(std::string_view bytes);
// True if all of it is UTF-8 that can be shown.
bool is_printable(std::string_view bytes);
// Valid UTF-8, whatever it says.
bool is_utf8(std::string_view bytes);

// "2026-11-22 19:34:37", UTC; with nanoseconds "2026-11-22 19:34:37.000000000".
std::string utc_text(std::int64_t seconds);
std::string utc_text(const Timestamp& time);
// "n/a" for 0.
std::string utc_text_or_none(std::uint64_t seconds);

// "50615597-5503-4b26-a659-b09f1a63f465".
std::string uuid_text(const Ext4Uuid& uuid);
std::string hex_text(Bytes bytes);
// The seed of directory hashes, as a UUID, as mke2fs takes it.
std::string hash_seed_text(const Superblock& superblock);
// The value of an attribute: in double quotes if it is text, an ACL in words, else 0x....
std::string xattr_value_text(std::string_view name, Bytes value);

}  // namespace powercut::lab

// What is in an image, as text for a terminal: whole lines, newline-ended.
#pragma once

#include <string>
#include <vector>

#include "lab/image/extract.h"
#include "lab/image/image_info.h"
#include "lab/image/inode_report.h"

namespace powercut::lab {

// "clean", "replayed", "refused", "as-it-lies", "unrecoverable".
std::string_view seen_as_name(SeenAs as);
// For standard error: what is looked at, and what Linux would do with it.  Empty if there is
// nothing to say: a clean image.
std::string seen_text(const ImageFile& file, const SeenVolume& seen);
// What could not be read: "PATH: rule", everything shown so that a terminal can take it.
std::string trouble_text(const std::string& path, const Error& error);

// Words that dumpe2fs has for the same.
std::vector<std::string> feature_names(const Superblock& superblock);
std::vector<std::string> feature_names(const JournalSuperblock& superblock);
std::vector<std::string> superblock_flag_names(const Superblock& superblock);
std::vector<std::string> default_mount_option_names(const Superblock& superblock);
std::string state_words(const Superblock& superblock);
std::string error_behaviour_words(const Superblock& superblock);
std::string hash_words(const Superblock& superblock);

std::string info_text(const ImageInfo& info, const std::string& name);
// Adds the list of orphans.
std::string orphans_text(const OrphanSummary& orphans);

// `path` may be empty: not known.
std::string inode_text(const InodeReport& report, const std::string& path,
                       const Superblock& superblock);

std::string extract_trouble_text(const ExtractTrouble& trouble);
// One line without a newline, for a terminal that is overwritten.
std::string extract_progress_text(const ExtractCounts& counts, double seconds);
std::string extract_text(const ExtractOutcome& outcome, const std::string& destination);

}  // namespace powercut::lab

// What is in an image as JSON documents, for `--json`; fields as in docs/json.md.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "lab/image/extract.h"
#include "lab/image/image_info.h"
#include "lab/image/inode_report.h"
#include "lab/report/listing_text.h"

namespace powercut::lab {

std::string info_json(const ImageInfo& info, const std::string& name);
std::string inode_json(const InodeReport& report, const std::string& path,
                       const Superblock& superblock);
std::string extract_json(const ExtractOutcome& outcome,
                         const std::vector<ExtractTrouble>& troubles);

// One document of many names, printed while they come.
class ListingJson {
 public:
  using Print = std::function<void(std::string_view)>;
  ListingJson(Print print, const std::string& image, const std::string& path, SeenAs seen);
  void add(const Listing& listing);
  void add(const std::string& path, const ListedName& name, std::uint32_t depth);
  void trouble(const std::string& path, const Error& error);
  // The end of the document; with the counts of a tree, if there are some.
  void end(const TreeCounts* counts = nullptr);

 private:
  void print_item(const std::string& item);
  const Print print_;
  bool has_item_ = false;
  std::string troubles_;  // the first ones, as items of an array
  std::uint64_t trouble_count_ = 0;
};

// The names of a tree for such a document, counted.
class TreeJson final : public TreeVisitor {
 public:
  TreeJson(const Volume& volume, ListingJson& json, TreeDrawing::Trouble trouble)
      : volume_(volume), json_(json), trouble_(std::move(trouble)) {}
  const TreeCounts& counts() const { return counts_; }

  Result<bool> enter(const TreeWalk&, const WalkedName&) override { return true; }
  Result<bool> visit(const TreeWalk& walk, const WalkedName& name) override;
  Result<void> leave(const TreeWalk&, const WalkedName&) override { return {}; }
  void trouble(const std::string& path, const Error& error) override { trouble_(path, error); }

 private:
  const Volume& volume_;
  ListingJson& json_;
  const TreeDrawing::Trouble trouble_;
  TreeCounts counts_;
};

}  // namespace powercut::lab

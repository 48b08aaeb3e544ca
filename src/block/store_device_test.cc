#include "block/store_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "block/window_device.h"

namespace powercut {
namespace {

// Bytes in memory that note what is asked of them.
class NotingStore final : public ByteStore {
 public:
  explicit NotingStore(std::size_t size_bytes) : bytes_(size_bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Result<void> read_at(std::uint64_t offset, MutableBytes into) const override {
    copy_bytes(Bytes(bytes_).subspan(offset, into.size()), into);
    return {};
  }
  Result<void> write_at(std::uint64_t offset, Bytes from) override {
    copy_bytes(from, MutableBytes(bytes_).subspan(offset));
    notes += "w" + std::to_string(offset) + "+" + std::to_string(from.size()) + " ";
    return {};
  }
  Result<void> write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    if (offset == failing_offset) return fail(Errc::kIo, "a planted error", offset);
    notes += "p" + std::to_string(pieces.size()) + " ";
    return ByteStore::write_pieces_at(offset, pieces);
  }
  Result<void> punch(std::uint64_t, std::uint64_t) override { return {}; }
  Result<void> sync() override {
    notes += "sync ";
    return {};
  }

  std::string notes;
  std::uint64_t failing_offset = ~std::uint64_t{0};

 private:
  std::vector<std::uint8_t> bytes_;
};

std::vector<std::uint8_t> piece(std::uint8_t value, std::size_t size = 4) {
  return std::vector<std::uint8_t>(size, value);
}

TEST(StoreDevice, WritesNeighboursInOneCall) {
  NotingStore store(100);
  StoreDevice device(store);
  const auto one = piece(1), two = piece(2), three = piece(3);
  const BlockWrite writes[] = {{0, one, {}}, {4, two, {}}, {40, three, {}}};
  ASSERT_TRUE(device.write_all(writes));
  EXPECT_EQ(store.notes, "p2 w0+4 w4+4 p1 w40+4 ");
  std::vector<std::uint8_t> seen(8);
  ASSERT_TRUE(device.read(0, seen));
  EXPECT_EQ(seen, (std::vector<std::uint8_t>{1, 1, 1, 1, 2, 2, 2, 2}));
}

TEST(StoreDevice, OneSyncForAllThatAskForDurability) {
  NotingStore store(100);
  StoreDevice device(store);
  const auto one = piece(1);
  const BlockWrite writes[] = {
      {0, one, Durability::kFua}, {50, one, {}}, {8, one, Durability::kFua}};
  ASSERT_TRUE(device.write_all(writes));
  EXPECT_EQ(store.notes, "p1 w0+4 p1 w50+4 p1 w8+4 sync ");
  store.notes.clear();
  ASSERT_TRUE(device.write_all({}));
  EXPECT_EQ(store.notes, "");
}

TEST(StoreDevice, WritesNothingOfARequestPastItsEnd) {
  NotingStore store(100);
  StoreDevice device(store);
  const auto one = piece(1);
  const BlockWrite writes[] = {{0, one, {}}, {97, one, {}}};
  EXPECT_EQ(device.write_all(writes).error().code, Errc::kInvalid);
  EXPECT_EQ(store.notes, "");
}

TEST(StoreDevice, TellsAnError) {
  NotingStore store(100);
  store.failing_offset = 50;
  StoreDevice device(store);
  const auto one = piece(1);
  const BlockWrite writes[] = {{0, one, {}}, {50, one, Durability::kFua}};
  EXPECT_EQ(device.write_all(writes).error().where, 50u);
  EXPECT_EQ(store.notes.find("sync"), std::string::npos);
}

TEST(WindowDevice, MovesWritesThatComeTogether) {
  NotingStore store(100);
  StoreDevice device(store);
  WindowDevice window(device, 20, 50);
  const auto one = piece(1), two = piece(2);
  const BlockWrite writes[] = {{0, one, {}}, {4, two, Durability::kFua}};
  ASSERT_TRUE(window.write_all(writes));
  EXPECT_EQ(store.notes, "p2 w20+4 w24+4 sync ");
  const BlockWrite outside[] = {{48, one, {}}};
  EXPECT_EQ(window.write_all(outside).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut

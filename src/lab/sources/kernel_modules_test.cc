#include "lab/sources/kernel_modules.h"

#include <fstream>

#include <gtest/gtest.h>

#include "base/stored_int.h"
#include "host/machine.h"

namespace powercut::lab {
namespace {

template <class T>
void put(std::string& file, std::size_t at, T value) {
  const Bytes bytes = bytes_of(value);
  file.replace(at, bytes.size(), reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// A module: file header, two sections (.modinfo, names), their headers.
std::string module_file(const std::string& modinfo) {
  const std::string names("\0.modinfo\0.shstrtab\0", 20);
  std::string file(
      "\x7F"
      "ELF\2\1\1",
      7);
  file.resize(64);
  const std::size_t modinfo_at = file.size();
  file += modinfo;
  const std::size_t names_at = file.size();
  file += names;
  const std::size_t sections_at = file.size();
  file.resize(file.size() + 3 * 64);
  put(file, 0x12, Le16(62));
  put(file, 0x28, Le64(sections_at));
  put(file, 0x3A, Le16(64));
  put(file, 0x3C, Le16(3));
  put(file, 0x3E, Le16(2));
  put(file, sections_at + 64, Le32(1));
  put(file, sections_at + 64 + 0x18, Le64(modinfo_at));
  put(file, sections_at + 64 + 0x20, Le64(modinfo.size()));
  put(file, sections_at + 128, Le32(10));
  put(file, sections_at + 128 + 0x18, Le64(names_at));
  put(file, sections_at + 128 + 0x20, Le64(names.size()));
  return file;
}

std::string with_dependencies(const std::string& list) {
  std::string modinfo = "license=GPL";
  modinfo += '\0';
  modinfo += "depends=" + list;
  modinfo += '\0';
  return module_file(modinfo);
}

Bytes bytes_in(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(ModuleName, Table) {
  EXPECT_EQ(module_name("kernel/fs/ext4/ext4.ko"), "ext4");
  EXPECT_EQ(module_name("a/virtio-rng.ko.xz"), "virtio_rng");
  EXPECT_EQ(module_name("crc32c-intel.ko.zst"), "crc32c_intel");
  EXPECT_EQ(module_name("x.ko.gz"), "x");
  EXPECT_EQ(module_name("modules.order"), "");
  EXPECT_EQ(module_name("x.ko.xz.sig"), "");
  EXPECT_EQ(module_name(""), "");
}

TEST(ModuleDependencies, ReadsTheLine) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*module_dependencies(bytes_in(with_dependencies(""))), Names{});
  EXPECT_EQ(*module_dependencies(bytes_in(with_dependencies("virtio-ring,virtio"))),
            (Names{"virtio_ring", "virtio"}));
  EXPECT_EQ(*module_dependencies(bytes_in(module_file("license=GPL"))), Names{});
}

TEST(ModuleDependencies, RefusesDamage) {
  const std::string whole = with_dependencies("jbd2");
  ASSERT_TRUE(module_dependencies(bytes_in(whole)));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(module_dependencies(bytes_in(whole.substr(0, length)))) << length;
  }
  struct Case {
    const char* what;
    std::size_t at;
    std::uint8_t value;
    Errc code;
  };
  const std::size_t sections = whole.size() - 3 * 64;
  for (const Case& one :
       {Case{"not ELF", 0, 0, Errc::kCorrupt}, Case{"32 bit", 4, 1, Errc::kCorrupt},
        Case{"big-endian", 5, 2, Errc::kCorrupt},
        Case{"another processor", 0x12, 183, Errc::kUnsupported},
        Case{"sections far away", 0x2F, 0xFF, Errc::kCorrupt},
        Case{"size of a section header", 0x3A, 40, Errc::kCorrupt},
        Case{"too many sections", 0x3D, 0xFF, Errc::kCorrupt},
        Case{"names outside", 0x3F, 0xFF, Errc::kCorrupt},
        Case{"content outside", sections + 64 + 0x1F, 0xFF, Errc::kCorrupt},
        Case{"content too long", sections + 64 + 0x27, 0x7F, Errc::kCorrupt}}) {
    std::string damaged = whole;
    damaged[one.at] = static_cast<char>(one.value);
    if (std::string_view(one.what) == "too many sections") {
      damaged[sections + 64] = 0;  // so that the search goes on to the end
    }
    const auto result = module_dependencies(bytes_in(damaged));
    ASSERT_FALSE(result) << one.what;
    EXPECT_EQ(result.error().code, one.code) << one.what;
  }
}

class ModulesInOrder : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::make("modules-test");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(made).value());
  }
  void add(const std::string& file, const std::string& dependencies) {
    std::ofstream(folder_->path() / file, std::ios::binary) << with_dependencies(dependencies);
  }
  std::string order(const std::vector<std::string>& wanted) {
    const auto index = index_modules(folder_->path());
    EXPECT_TRUE(index);
    absent_.clear();
    const auto modules = modules_in_order(*index, wanted, &absent_);
    if (!modules) return modules.error().what;
    std::string names;
    for (const LoadableModule& module : *modules) names += module.name + " ";
    return names;
  }
  std::optional<TempDirectory> folder_;
  std::vector<std::string> absent_;
};

TEST_F(ModulesInOrder, DependenciesComeFirstAndOnce) {
  add("virtio.ko", "");
  add("virtio-ring.ko", "virtio");
  add("virtio_blk.ko", "virtio_ring,virtio");
  add("ext4.ko", "jbd2,mbcache,crc16");
  add("jbd2.ko", "");
  EXPECT_EQ(order({"ext4", "virtio_blk", "virtio"}), "jbd2 ext4 virtio virtio_ring virtio_blk ");
  EXPECT_EQ(absent_, (std::vector<std::string>{"mbcache", "crc16"}));
  EXPECT_EQ(order({"built_in"}), "");
}

TEST_F(ModulesInOrder, RefusesACircle) {
  add("a.ko", "b");
  add("b.ko", "c");
  add("c.ko", "a");
  EXPECT_EQ(order({"a"}), "module: depends on itself, in a circle");
}

TEST_F(ModulesInOrder, RefusesAChainWithoutEnd) {
  for (int i = 0; i < 300; ++i) {
    add("m" + std::to_string(i) + ".ko", "m" + std::to_string(i + 1));
  }
  EXPECT_EQ(order({"m0"}), "module: too many dependencies");
}

TEST_F(ModulesInOrder, RefusesWhatIsNoModule) {
  std::ofstream(folder_->path() / "ext4.ko") << "not a module";
  EXPECT_EQ(order({"ext4"}), "stored structure past the end of its block");
}

}  // namespace
}  // namespace powercut::lab

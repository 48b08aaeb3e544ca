#include "lab/verify/json_form.h"

#include "lab/campaign/prove.h"
#include "lab/verify/finding_json.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kNoteBytesMax = std::uint64_t{1} << 20;

std::filesystem::path note_path(const std::filesystem::path& image) {
  return image.string() + ".json";
}

}  // namespace

Result<void> write_image_note(const std::filesystem::path& image, const ImageNote& note) {
  Json json = {{"kernel", note.kernel_name}, {"kernel_release", note.kernel_release}};
  if (note.finding) json["finding"] = json_of_line(finding_to_json(*note.finding));
  const std::string text = json_document(json);
  return write_file_atomically(note_path(image), text);
}

Result<ImageNote> read_image_note(const std::filesystem::path& image) {
  const std::string text = TRY(read_text_file(note_path(image), kNoteBytesMax));
  if (is_nested_too_deep(text)) {
    return fail(Errc::kCorrupt, "the note beside the image is nested too deep");
  }
  const auto json = parse_json(text);
  if (!json.is_object()) return fail(Errc::kCorrupt, "the note beside the image is not JSON");
  ImageNote note;
  const auto text_of = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  note.kernel_name = text_of("kernel");
  note.kernel_release = text_of("kernel_release");
  if (json.contains("finding")) note.finding = TRY(finding_from_json(json.at("finding").dump()));
  return note;
}

}  // namespace powercut::lab

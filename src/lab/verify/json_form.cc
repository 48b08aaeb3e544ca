#include "lab/verify/json_form.h"

namespace powercut::lab {

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_line(const ParsedJson& json) {
  return json.dump(-1, ' ', false, ParsedJson::error_handler_t::replace);
}

std::string json_document(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json json_of_line(std::string_view text) {
  return Json::parse(text);
}

ParsedJson parse_json(std::string_view text) {
  return ParsedJson::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace powercut::lab

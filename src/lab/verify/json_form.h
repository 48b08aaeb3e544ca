// The form of the JSON that the lab writes and reads.  Only files that do so include this.  Writing
// out and reading in, most of what the library behind it compiles to, are in json_form.cc.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace powercut::lab {

using Json = nlohmann::ordered_json;  // what is written keeps its order
using ParsedJson = nlohmann::json;    // what is read is found by name, in logarithmic time

// Bytes of a name that are not UTF-8 become U+FFFD.  One line, without a newline.
std::string json_line(const Json& json);
std::string json_line(const ParsedJson& json);

// A whole document, for a person too: indented, ended by a newline.
std::string json_document(const Json& json);

// What we wrote ourselves, to be put into a larger whole.
Json json_of_line(std::string_view text);

// is_discarded() if it is not JSON.
ParsedJson parse_json(std::string_view text);

}  // namespace powercut::lab

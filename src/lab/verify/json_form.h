// The form of the JSON that the lab writes.  Only files that write it include this: the library
// behind it costs seconds of compiling.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace powercut::lab {

using Json = nlohmann::ordered_json;  // what is written keeps its order
using ParsedJson = nlohmann::json;    // what is read is found by name, in logarithmic time

// Bytes of a name that are not UTF-8 become U+FFFD.  One line, without a newline.
template <class Tree>
std::string json_line(const Tree& json) {
  return json.dump(-1, ' ', false, Tree::error_handler_t::replace);
}

// A whole document, for a person too: indented, ended by a newline.
inline std::string json_document(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace powercut::lab

#include "parse.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "peerwright/events/envelope.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

// Builds the value out of the parser's calls and stops at the first limit that is broken.
class Builder {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) { return put(value); }
  bool binary(Json::binary_t& /*value*/) { return false; }  // never called for text
  bool string(std::string& value) { return check_string(value) && put(std::move(value)); }

  bool start_object(std::size_t /*elements*/) { return open(Json::value_t::object); }
  bool start_array(std::size_t /*elements*/) { return open(Json::value_t::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    member_ = nullptr;
    if (!check_string(name)) return false;
    const auto [member, is_new] = open_[depth_ - 1]->get_ref<Json::object_t&>().try_emplace(std::move(name));
    member_ = &member->second;
    if (is_new) return true;
    return fail("not_json", "the member " + here() + " stands twice in its object", "send each member once");
  }

  bool parse_error(std::size_t position, const std::string& /*token*/, const Json::exception& why) {
    return fail("not_json", "not JSON: " + reason(why) + " at " + line_and_column(position),
                "send one JSON value (RFC 8259)");
  }

  Result<Json> take() {
    if (error_) return tl::unexpected<Error>(*std::move(error_));
    return std::move(root_);
  }

 private:
  bool fail(std::string code, std::string message, std::string remedy) {
    error_ = Error{std::move(code), std::move(message), std::move(remedy), Retry::never};
    return false;
  }

  bool check_string(const std::string& value) {
    if (value.size() > kMaxStringBytes) {
      return fail("string_too_long",
                  "a string at " + here() + " has more than " + std::to_string(kMaxStringBytes) + " bytes",
                  "send a shorter one");
    }
    if (value.find('\0') != std::string::npos) {
      return fail("value_invalid", "a string at " + here() + " holds the character U+0000", "send it without");
    }
    return true;
  }

  // nullptr: one value too many.
  template <typename Value>
  Json* place(Value&& value) {
    if (++values_ > kMaxValues) {
      fail("message_too_large", "the message has more than " + std::to_string(kMaxValues) + " values",
           "send less in one message");
      return nullptr;
    }
    Json* target = &root_;
    if (depth_ > 0 && open_[depth_ - 1]->is_array()) {
      target = &open_[depth_ - 1]->get_ref<Json::array_t&>().emplace_back();
    } else if (depth_ > 0) {
      target = member_;
    }
    *target = Json(std::forward<Value>(value));
    return target;
  }

  template <typename Value>
  bool put(Value&& value) {
    return place(std::forward<Value>(value)) != nullptr;
  }

  bool open(Json::value_t kind) {
    if (depth_ == kMaxDepth) {
      return fail("too_deep", "more than " + std::to_string(kMaxDepth) + " levels of arrays and objects at " + here(),
                  "send flatter data");
    }
    Json* opened = place(kind);
    if (opened == nullptr) return false;
    open_[depth_++] = opened;
    return true;
  }

  bool close() {
    --depth_;
    return true;
  }

  // The pointer of the value that is being read.
  [[nodiscard]] std::string here() const {
    std::string pointer;
    for (std::size_t level = 0; level < depth_; ++level) {
      const Json* next = level + 1 < depth_ ? open_[level + 1] : member_;
      if (open_[level]->is_array()) {
        append_pointer(pointer, std::to_string(open_[level]->size() - (level + 1 < depth_ ? 1 : 0)));
        continue;
      }
      const auto& members = open_[level]->get_ref<const Json::object_t&>();
      const auto at = std::find_if(members.begin(), members.end(), [&](const auto& m) { return &m.second == next; });
      if (at != members.end()) append_pointer(pointer, at->first);
    }
    return pointer.empty() ? "the outermost value" : shortened(pointer, kMaxNamedBytes);
  }

  // What the parser found, without the text that it read: that could be a secret.
  static std::string reason(const Json::exception& why) {
    const std::string_view what = why.what();
    const std::size_t start = what.find("syntax error");
    if (start == std::string_view::npos) return "a number out of range";
    return std::string(what.substr(start, what.find("; last read: ") - start));
  }

  [[nodiscard]] std::string line_and_column(std::size_t position) const {
    const std::string_view before = text_.substr(0, position == 0 ? 0 : position - 1);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t line_start = before.rfind('\n');
    const std::size_t column = before.size() - (line_start == std::string_view::npos ? 0 : line_start + 1) + 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
  }

  std::string_view text_;
  Json root_;
  std::array<Json*, kMaxDepth> open_{};
  std::size_t depth_ = 0;
  std::size_t values_ = 0;
  Json* member_ = nullptr;  // of the innermost object: the value of the name read last
  std::optional<Error> error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (text.size() > kMaxMessageBytes) {
    return permanent(
        "message_too_large",
        "the message has " + std::to_string(text.size()) + " bytes, more than " + std::to_string(kMaxMessageBytes),
        "send less in one message");
  }
  if (const std::size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    return permanent("not_utf8", "the byte at offset " + std::to_string(at) + " is not UTF-8", "send UTF-8");
  }
  Builder builder(text);
  Json::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace peerwright::events

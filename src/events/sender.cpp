#include <algorithm>
#include <nlohmann/json.hpp>

#include "attributes.hpp"
#include "peerwright/events/catalogue.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

using Json = nlohmann::json;

// Takes the attributes out of the outermost object as far as the text can be read, and builds nothing.
class Reader {
 public:
  explicit Reader(Attributes& attributes) : attributes_(attributes) {}

  bool null() { return true; }
  bool boolean(bool /*value*/) { return true; }
  bool number_integer(Json::number_integer_t /*value*/) { return true; }
  bool number_unsigned(Json::number_unsigned_t /*value*/) { return true; }
  bool number_float(Json::number_float_t /*value*/, const std::string& /*text*/) { return true; }
  bool binary(Json::binary_t& /*value*/) { return true; }
  bool string(const std::string& value) {
    if (depth_ == 1 && target_ != nullptr && !target_->has_value()) *target_ = value;
    return true;
  }
  bool key(const std::string& name) {
    if (depth_ == 1) target_ = find_attribute(attributes_, name);
    return true;
  }
  bool start_object(std::size_t /*elements*/) { return enter(); }
  bool end_object() { return leave(); }
  bool start_array(std::size_t /*elements*/) { return enter(); }
  bool end_array() { return leave(); }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const Json::exception& /*why*/) {
    return false;
  }

 private:
  bool enter() {
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }
  Attributes& attributes_;
  std::optional<std::string>* target_ = nullptr;
  std::size_t depth_ = 0;
};

std::string presentable(const std::optional<std::string>& value) {
  std::string text = cleaned(value.value_or(""));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) {
        return has_control_character({&c, 1});
      },
      '?');
  constexpr std::size_t kEllipsisBytes = 3;
  return text.size() <= kMaxAttributeBytes ? text : shortened(text, kMaxAttributeBytes - kEllipsisBytes);
}

}  // namespace

Sender sender_of(const RawMessage& message) {
  Attributes attributes;
  if (message.headers != nullptr) {
    for (const auto& [name, value] : *message.headers) {
      if (!name.starts_with(kHeaderPrefix)) continue;
      auto* target = find_attribute(attributes, std::string_view(name).substr(kHeaderPrefix.size()));
      if (target != nullptr && !target->has_value()) *target = value;
    }
  }
  if (!attributes.id && !attributes.source && !attributes.type) {
    Reader reader(attributes);
    Json::sax_parse(message.payload.substr(0, kMaxMessageBytes), &reader);
  }
  return {presentable(attributes.id), presentable(attributes.source), presentable(attributes.type)};
}

}  // namespace peerwright::events

#define VALIJSON_USE_EXCEPTIONS 1  // without it the library ends the process on a schema that it does not understand
#include "schema.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <utility>

// With sanitizers, g++ 12 takes parts of the standard library's own <regex> for uninitialized.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <vector>

#include "embedded/peerwright_schemas.hpp"
#include "text.hpp"

namespace peerwright::events {
namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;
using Violation = valijson::ValidationResults::Error;

constexpr std::size_t kMaxIndexDigits = 9;

// Reused, for it caches the compiled patterns (a new one costs twenty times the validation), and one per thread, for
// the cache is not locked.
valijson::Validator& validator() {
  thread_local valijson::Validator instance;
  return instance;
}

std::string_view text_of_schema(std::string_view name) {
  for (const EmbeddedFile& file : peerwright_schemas()) {
    if (file.name == name) return file.text;
  }
  throw std::logic_error("no embedded schema " + std::string(name));
}

// The library names the place as "<root>", "[ssh]", "[port]".
std::vector<std::string> steps_of(const Violation& violation) {
  std::vector<std::string> steps;
  for (const std::string& step : violation.context) {
    if (step.starts_with('[') && step.ends_with(']')) steps.push_back(step.substr(1, step.size() - 2));
  }
  return steps;
}

// The violation that says most: of the deepest place, and there the last, for what a rule is made of comes before it.
Violation deepest(const valijson::ValidationResults& results) {
  Violation chosen;
  for (const Violation& violation : results) {
    if (violation.context.size() >= chosen.context.size()) chosen = violation;
  }
  return chosen;
}

// What the schema says of the place that the steps lead to, or of the nearest place around it that it knows.
const Json& node_at(const Json& schema, const std::vector<std::string>& steps) {
  const Json* node = &schema;
  for (const std::string& step : steps) {
    const auto members = node->find("properties");
    const auto others = node->find("additionalProperties");
    if (const auto items = node->find("items"); items != node->end()) {
      node = &*items;
    } else if (members != node->end() && members->contains(step)) {
      node = &members->at(step);
    } else if (others != node->end() && others->is_object()) {
      node = &*others;
    } else {
      break;
    }
  }
  return *node;
}

// The words of an array with something between them; a single text stays what it is.
std::string joined(const Json& texts, std::string_view between) {
  if (texts.is_string()) return texts.get<std::string>();
  std::string result;
  for (const Json& text : texts) {
    if (!result.empty()) result += between;
    result += text.is_string() ? text.get<std::string>() : text.dump();
  }
  return result;
}

bool has_all(const Json& data, const Json& names) {
  return std::all_of(names.begin(), names.end(), [&](const Json& name) { return data.contains(name); });
}

// What is wrong with a combination of members: rules "oneOf" and "not" over "required", alone or in "allOf". The
// library says only that some rule is broken. Empty: none of these is.
std::string combination(const Json& rule, const Json& data) {
  if (!data.is_object()) return {};
  if (const auto not_all = rule.find("not"); not_all != rule.end() && has_all(data, not_all->at("required"))) {
    return "has both " + joined(not_all->at("required"), " and ") + ", of which only one can be";
  }
  if (const auto one_of = rule.find("oneOf"); one_of != rule.end()) {
    std::string names;
    for (const Json& choice : *one_of) names += (names.empty() ? "" : ", ") + joined(choice.at("required"), " and ");
    const auto fitting = std::count_if(one_of->begin(), one_of->end(),
                                       [&](const Json& choice) { return has_all(data, choice.at("required")); });
    if (fitting != 1) return "needs exactly one of " + names;
  }
  for (const Json& part : rule.value("allOf", Json::array())) {
    if (std::string found = combination(part, data); !found.empty()) return found;
  }
  return {};
}

// "1 to 128", or "44", as the schema bounds it there; the lower bound may be absent.
std::string bounds(const Json& node, const char* least, const char* most) {
  const std::string low = node.contains(least) ? node.at(least).dump() : "0";
  const std::string high = node.contains(most) ? node.at(most).dump() : "any";
  return low == high ? low : low + " to " + high;
}

// The member that the library names at the end of its sentence: ... 'name'.
std::string named(const std::string& description, std::size_t from) {
  const std::size_t start = std::min(description.find('\'', from), description.size());
  const std::size_t end = description.rfind('\'');
  return description.substr(start, end == std::string::npos ? end : end - start + 1);
}

// The library's words in ours, with the rule and without the value.
std::string words(const std::string& description, const Json& node) {
  const auto says = [&](std::string_view part) { return description.find(part) != std::string::npos; };
  // First, for no other text holds anything that the sender wrote.
  if (says("could not be validated")) return "has an unknown member " + named(description, description.find(": "));
  if (says("Missing required") || says("Missing dependency")) return "has no member " + named(description, 0);
  if (says("'pattern'")) return "does not match " + node.value("pattern", "its pattern");
  if (says("'type'")) return "is not of type " + joined(node.value("type", Json("")), " or ");
  if (says("enum values")) return "is none of " + joined(node.value("enum", Json::array()), ", ");
  if (says("Expected number")) return "is not from " + bounds(node, "minimum", "maximum");
  if (says("String should be")) return "does not have " + bounds(node, "minLength", "maxLength") + " characters";
  if (says("Array should")) return "does not have " + bounds(node, "minItems", "maxItems") + " items";
  if (says("Object should")) return "does not have " + bounds(node, "minProperties", "maxProperties") + " members";
  if (says("anyOf")) return "has none of the alternatives that are needed";
  return description;
}

// The value that the steps lead to; null where there is none.
const Json& value_at(const Json& data, const std::vector<std::string>& steps) {
  static const Json kNone;
  const Json* value = &data;
  for (const std::string& step : steps) {
    if (value->is_object() && value->contains(step)) {
      value = &value->at(step);
    } else if (value->is_array() && step.find_first_not_of("0123456789") == std::string::npos &&
               step.size() < kMaxIndexDigits && std::stoul(step) < value->size()) {
      value = &(*value)[std::stoul(step)];
    } else {
      return kNone;
    }
  }
  return *value;
}

}  // namespace

struct Schema::Parts {
  std::string name;
  Json json;
  valijson::Schema compiled;
};

Schema::Schema(std::string_view name) : parts_(std::make_unique<Parts>()) {
  parts_->name = name;
  parts_->json = Json::parse(text_of_schema(name));
  valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
  parser.populateSchema(Adapter(parts_->json), parts_->compiled);
}

Schema::~Schema() = default;
Schema::Schema(Schema&&) noexcept = default;

Result<void> Schema::check(const Json& data) const {
  // Without results it stops at the first violation; only then is it worth finding out which.
  if (validator().validate(parts_->compiled, Adapter(data), nullptr)) return {};
  return tl::unexpected<Error>(explain(data));
}

Error Schema::explain(const Json& data) const {
  valijson::ValidationResults results;
  validator().validate(parts_->compiled, Adapter(data), &results);
  const Violation violation = deepest(results);
  const std::vector<std::string> steps = steps_of(violation);
  std::string pointer;
  for (const std::string& step : steps) append_pointer(pointer, step);
  const Json& node = node_at(parts_->json, steps);
  const std::string where = pointer.empty() ? "the data" : shortened(pointer, kMaxNamedBytes);
  std::string what = words(violation.description, node);
  // What the library says last where a combination is broken is of no use to anybody.
  if (what == violation.description) {
    if (std::string better = combination(node, value_at(data, steps)); !better.empty()) what = std::move(better);
  }
  return {"schema_violation", where + ": " + shortened(what, kMaxNamedBytes),
          node.value("description", "") + " (schemas/" + parts_->name + ")", Retry::never};
}

}  // namespace peerwright::events

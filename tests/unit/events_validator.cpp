#define VALIJSON_USE_EXCEPTIONS 1  // else the library ends the process on a schema that it does not understand
#include "events_validator.hpp"

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

namespace peerwright::events {

std::string violation_of(const nlohmann::json& schema, const nlohmann::json& data) {
  using Adapter = valijson::adapters::NlohmannJsonAdapter;
  valijson::Schema compiled;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(schema), compiled);
  valijson::ValidationResults results;
  if (valijson::Validator().validate(compiled, Adapter(data), &results)) return {};
  std::string text;
  for (const auto& error : results) {
    for (const std::string& step : error.context) text += step;
    text += ": " + error.description + "\n";
  }
  return text;
}

}  // namespace peerwright::events

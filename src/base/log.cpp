#include "peerwright/base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "peerwright/base/clock.hpp"

namespace peerwright::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
  std::string worker;
};

State& state() {
  // Never destroyed: a thread that outlives main may still say a last word.
  static State* const instance = [] {
    auto* s = new State;
    s->logger = std::make_shared<spdlog::logger>("peerwright", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    s->logger->set_pattern("%v");
    s->logger->flush_on(spdlog::level::info);
    return s;
  }();
  return *instance;
}

spdlog::level::level_enum spd(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

const char* name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "info";
}

nlohmann::json value_of(const Field& field) {
  return std::visit([](const auto& v) { return nlohmann::json(v); }, field.value);
}

std::string render_json(Level level, std::string_view msg, const Error* why, Fields fields) {
  nlohmann::ordered_json line;
  line["ts"] = rfc3339(machine_now());
  line["level"] = name(level);
  line["msg"] = msg;
  if (!state().worker.empty()) line["worker"] = state().worker;
  if (why != nullptr) {
    line["code"] = why->code;
    line["error"] = why->message;
    if (!why->remedy.empty()) line["remedy"] = why->remedy;
  }
  for (const Field& field : fields) line[std::string(field.key)] = value_of(field);
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string render_text(Level level, std::string_view msg, const Error* why, Fields fields) {
  std::string line = rfc3339(machine_now()).substr(11, 12) + ' ' + name(level) + ' ' + std::string(msg);
  if (why != nullptr) {
    line += " [" + why->code + "] " + why->message;
    if (!why->remedy.empty()) line += " (remedy: " + why->remedy + ')';
  }
  for (const Field& field : fields) {
    line += ' ' + std::string(field.key) + '=' +
            value_of(field).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return line;
}

void write(Level level, std::string_view msg, const Error* why, Fields fields) {
  State& s = state();
  if (!s.logger->should_log(spd(level))) return;
  const std::string line = s.json ? render_json(level, msg, why, fields) : render_text(level, msg, why, fields);
  s.logger->log(spd(level), "{}", line);
}

}  // namespace

void init(Level level, Format format, std::string worker_name) {
  State& s = state();
  s.json = format == Format::json || (format == Format::automatic && isatty(STDERR_FILENO) == 0);
  s.worker = std::move(worker_name);
  set_level(level);
}

void set_level(Level level) { state().logger->set_level(spd(level)); }

void debug(std::string_view msg, Fields fields) { write(Level::debug, msg, nullptr, fields); }
void info(std::string_view msg, Fields fields) { write(Level::info, msg, nullptr, fields); }
void warn(std::string_view msg, Fields fields) { write(Level::warn, msg, nullptr, fields); }
void error(std::string_view msg, Fields fields) { write(Level::error, msg, nullptr, fields); }
void warn(std::string_view msg, const Error& why, Fields fields) { write(Level::warn, msg, &why, fields); }
void error(std::string_view msg, const Error& why, Fields fields) { write(Level::error, msg, &why, fields); }

}  // namespace peerwright::log

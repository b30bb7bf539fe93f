#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "peerwright/base/seal.hpp"
#include "peerwright/store/delivery.hpp"
#include "peerwright/store/intake.hpp"
#include "peerwright/store/sweep.hpp"
#include "support/events.hpp"
#include "support/postgres.hpp"
#include "support/process.hpp"

namespace peerwright::test {

struct Answer {
  int exit = -1;
  std::string out;
  std::string err;
};

// The real program, as an operator calls it. Its configuration file names a database and a key, and neither brokers
// nor hosts: what needs those has to be told.
class CommandLine {
 public:
  CommandLine();
  ~CommandLine();

  [[nodiscard]] Answer run(const std::vector<std::string>& arguments, const std::string& input = {},
                           const std::map<std::string, std::string>& environment = {}) const;
  [[nodiscard]] std::string config_file() const { return path("peerwright.yaml"); }
  [[nodiscard]] std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const;
  TestDatabase& db() { return db_; }
  [[nodiscard]] const Sealer& sealer() const { return sealer_; }  // with the key of the configuration

  // Executes messages as a worker's intake would, in the order given.
  void execute(const std::vector<TestEvent>& events);
  void execute_text(const std::string& payload);
  // Does what the sweep and deliver loops do, on a host that does what it is told, until nothing is due.
  void deliver();

 private:
  std::filesystem::path directory_;
  TestDatabase db_;
  Sealer sealer_;
  store::IntakeStore intake_;
  store::SweepStore sweep_;
  store::DeliveryStore deliveries_;
  std::string worker_id_;
  std::int64_t offset_ = 0;
};

// Points in time replaced by TIME, so that output can be compared with what a file says.
std::string without_times(const std::string& text);

// A network, a server and three peers of two subscribers: laptop and phone of S-1, and router, all delivered; the
// phone is suspended by billing.
std::vector<TestEvent> usual_events();
inline constexpr const char* kServerKey = "Tdv8lXxQwLbVMpiLm5jQaMqEdTBnRsuZ/eNU0PlkW3E=";

}  // namespace peerwright::test

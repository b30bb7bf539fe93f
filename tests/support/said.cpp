#include "support/said.hpp"

#include <gtest/gtest.h>

namespace peerwright::test {

nlohmann::json wait_said(Installation& installation, const std::string& type,
                         const std::function<bool(const nlohmann::json&)>& wanted, std::chrono::seconds limit) {
  nlohmann::json found;
  const bool came = eventually(
      [&] {
        for (const auto& said : installation.statuses()) {
          if (said.type == "peerwright." + type + ".v1" && wanted(said.body)) {
            found = said.body;
            return true;
          }
        }
        return false;
      },
      limit);
  EXPECT_TRUE(came) << "no " << type << " says what is waited for";
  return found;
}

nlohmann::json wait_said(Installation& installation, const std::string& type, const nlohmann::json& members) {
  SCOPED_TRACE(members.dump());
  return wait_said(installation, type, [&](const nlohmann::json& body) {
    for (const auto& [name, value] : members.items()) {
      if (!body.contains(name) || body[name] != value) return false;
    }
    return true;
  });
}

void move_clock(Installation& installation, std::chrono::seconds ahead) {
  installation.db().execute("UPDATE installation SET clock_offset = clock_offset + interval '" +
                            std::to_string(ahead.count()) + " seconds'");
}

}  // namespace peerwright::test

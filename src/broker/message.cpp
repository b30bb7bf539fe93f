#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

Connection Connection::clone() const {
  Connection copy;
  copy.brokers = brokers;
  copy.properties = properties;
  copy.secret_properties.reserve(secret_properties.size());
  for (const auto& [name, value] : secret_properties) copy.secret_properties.emplace_back(name, value.clone());
  return copy;
}

}  // namespace peerwright::broker

#pragma once

#include "handles.hpp"
#include "peerwright/broker/message.hpp"

namespace peerwright::broker {

// What librdkafka handed out, as bytes of our own.
Message copy_of(const rd_kafka_message_t& raw);

}  // namespace peerwright::broker

#include "raw_message.hpp"

namespace peerwright::broker {
namespace {

Headers headers_of(const rd_kafka_message_t& raw) {
  Headers headers;
  rd_kafka_headers_t* borrowed = nullptr;
  if (rd_kafka_message_headers(&raw, &borrowed) != RD_KAFKA_RESP_ERR_NO_ERROR) return headers;
  headers.reserve(rd_kafka_header_cnt(borrowed));
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(borrowed, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    headers.emplace_back(name, value == nullptr ? std::string() : std::string(static_cast<const char*>(value), size));
  }
  return headers;
}

}  // namespace

Message copy_of(const rd_kafka_message_t& raw) {
  Message message;
  message.partition = {rd_kafka_topic_name(raw.rkt), raw.partition};
  message.offset = raw.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&raw, &type);
  message.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp;
  message.has_key = raw.key != nullptr;
  if (raw.key != nullptr) message.key.assign(static_cast<const char*>(raw.key), raw.key_len);
  if (raw.payload != nullptr) message.payload.assign(static_cast<const char*>(raw.payload), raw.len);
  message.headers = headers_of(raw);
  return message;
}

}  // namespace peerwright::broker

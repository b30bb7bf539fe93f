#include <gmock/gmock.h>

#include "events_support.hpp"

namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json suspension() { return example("peer.suspend"); }

json suspension_with(const std::string& attribute, const json& value) {
  json event = suspension();
  event[attribute] = value;
  return event;
}

TEST(EventSequence, IsReadFromEveryForm) {
  const std::vector<std::pair<json, std::int64_t>> forms{{"0", 0},
                                                         {0, 0},
                                                         {"17", 17},
                                                         {17, 17},
                                                         {"0000000000000000000000017", 17},
                                                         {"9223372036854775807", INT64_MAX},
                                                         {INT64_MAX, INT64_MAX}};
  for (const auto& [form, number] : forms) {
    const auto event = decode_json(suspension_with("sequence", form));
    ASSERT_TRUE(event) << form << ": " << event.error().message;
    EXPECT_EQ(event->envelope.sequence, number) << form;
  }
}

TEST(EventSequence, IsAbsentWhereNothingIsSaid) {
  for (const json& event : {suspension_with("sequence", nullptr), example("peer.provision-no-sequence")}) {
    const auto decoded = decode_json(event);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->envelope.sequence, std::nullopt);
  }
}

TEST(EventSequence, IsRefusedWhereItIsNoNumberOf63Bits) {
  for (const json& form : std::vector<json>{"", "-1", -1, "+1", " 1", "1 ", "1e3", "0x10", "1.0", 1.0, true, "eleven",
                                            "9223372036854775808", 9223372036854775808U, json::array({1}), "１"}) {
    const auto event = decode_json(suspension_with("sequence", form));
    EXPECT_EQ(code_of(event), "envelope_invalid") << form;
    EXPECT_THAT(message_of(event), HasSubstr("attribute sequence")) << form;
  }
}

TEST(EventAttributes, HaveALimitThatIsExact) {
  for (const std::string name : {"id", "source", "subject"}) {
    EXPECT_TRUE(decode_json(suspension_with(name, std::string(kMaxAttributeBytes, 'x')))) << name;
    const auto longer = decode_json(suspension_with(name, std::string(kMaxAttributeBytes + 1, 'x')));
    EXPECT_EQ(code_of(longer), "envelope_invalid") << name;
    EXPECT_THAT(message_of(longer), HasSubstr("attribute " + name)) << name;
  }
  EXPECT_EQ(code_of(decode_json(suspension_with("type", std::string(kMaxAttributeBytes, 'x')))), "unknown_type");
  EXPECT_EQ(code_of(decode_json(suspension_with("type", std::string(kMaxAttributeBytes + 1, 'x')))),
            "envelope_invalid");
}

TEST(EventAttributes, HoldNoControlCharacters) {
  for (const std::string name : {"id", "source", "subject", "type"}) {
    for (const std::string value : {"a\nb", "a\x7F", "\x01"}) {
      EXPECT_EQ(code_of(decode_json(suspension_with(name, value))), "envelope_invalid") << name;
    }
  }
}

TEST(EventAttributes, ThatAreNeededMustBeThere) {
  for (const std::string name : {"id", "source", "type"}) {
    for (const json& value : std::vector<json>{nullptr, ""}) {
      EXPECT_EQ(code_of(decode_json(suspension_with(name, value))), "envelope_invalid") << name;
    }
    EXPECT_EQ(code_of(decode_json(suspension_with(name, 7))), "envelope_invalid") << name;
  }
  json without_data = suspension();
  without_data.erase("data");
  EXPECT_THAT(message_of(decode_json(without_data)), HasSubstr("member data"));
}

TEST(EventAttributes, TimeIsRfc3339) {
  for (const std::string time : {"2026-01-31T10:00:00Z", "2026-01-31t10:00:00z", "2026-01-31T10:00:00.123456789+02:00",
                                 "2016-12-31T23:59:60-00:30"}) {
    const auto event = decode_json(suspension_with("time", time));
    ASSERT_TRUE(event) << time;
    EXPECT_EQ(event->envelope.time, time);
  }
  for (const std::string time :
       {"yesterday", "2026-01-31", "2026-01-31T10:00:00", "2026-13-31T10:00:00Z", "2026-01-31T24:00:00Z",
        "2026-01-31T10:00:00.Z", "2026-01-31T10:00:00.5", "2026-01-31T10:00:00+2:00", "2026-01-31T10:00:00Zx"}) {
    EXPECT_EQ(code_of(decode_json(suspension_with("time", time))), "envelope_invalid") << time;
  }
}

TEST(EventAttributes, TraceparentOfTheHeaderComesFirstAndAMalformedOneIsDropped) {
  const std::string first = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const std::string second = "00-11111111111111111111111111111111-2222222222222222-00";
  const json event = suspension_with("traceparent", first);
  EXPECT_EQ(decode_json(event)->envelope.traceparent, first);
  const Headers header{{"traceparent", second}};
  EXPECT_EQ(decode_text(event.dump(), &header)->envelope.traceparent, second);
  Binary binary = binary_of(event);
  EXPECT_EQ(decode_text(binary.payload, &binary.headers)->envelope.traceparent, first);
  binary.headers.emplace_back("traceparent", second);
  EXPECT_EQ(decode_text(binary.payload, &binary.headers)->envelope.traceparent, second);
  EXPECT_EQ(decode_json(suspension_with("traceparent", "00-short"))->envelope.traceparent, "");
}

TEST(EventModes, AreToldByContentTypeAndHeaders) {
  const json event = suspension();
  const Binary binary = binary_of(event);
  const Headers structured{{"Content-Type", "application/cloudevents+json; charset=UTF-8"}};
  EXPECT_TRUE(decode_text(event.dump(), &structured));
  const Headers plain{{"content-type", "application/json"}};
  EXPECT_TRUE(decode_text(event.dump(), &plain)) << "many producers send structured events so";
  const Headers foreign{{"x-tenant", "acme"}, {"x-tenant", "other"}};
  EXPECT_TRUE(decode_text(event.dump(), &foreign));
  for (const std::string type : {"application/cloudevents-batch+json", "application/cloudevents+avro"}) {
    const Headers headers{{"content-type", type}};
    EXPECT_EQ(code_of(decode_text(event.dump(), &headers)), "envelope_invalid") << type;
  }
  EXPECT_EQ(code_of(decode_text(binary.payload, &structured)), "envelope_invalid");
  EXPECT_EQ(code_of(decode_text(binary.payload)), "envelope_invalid") << "data alone is no event";
  EXPECT_EQ(code_of(decode_text("[]")), "envelope_invalid");
  EXPECT_EQ(code_of(decode_text("", &binary.headers)), "not_json");
}

TEST(EventModes, BinaryHeadersAreCheckedAsMembersAre) {
  const Binary binary = binary_of(suspension());
  Headers twice = binary.headers;
  twice.emplace_back("ce_id", "another");
  EXPECT_EQ(code_of(decode_text(binary.payload, &twice)), "envelope_invalid");
  Headers not_json = binary.headers;
  for (auto& [name, value] : not_json) value = name == "content-type" ? "application/xml" : value;
  EXPECT_EQ(code_of(decode_text(binary.payload, &not_json)), "envelope_invalid");
  Headers not_utf8 = binary.headers;
  for (auto& [name, value] : not_utf8) value = name == "ce_id" ? "a\xFF" : value;
  EXPECT_EQ(code_of(decode_text(binary.payload, &not_utf8)), "envelope_invalid");
  Headers no_version;
  for (const auto& header : binary.headers) {
    if (header.first != "ce_specversion") no_version.push_back(header);
  }
  EXPECT_EQ(code_of(decode_text(binary.payload, &no_version)), "envelope_invalid");
}

TEST(EventHash, IsOfTypeAndDataAlone) {
  const auto hash = [](const json& event) { return decode_json(event)->payload_hash; };
  const std::string usual = hash(suspension());
  EXPECT_EQ(hash(suspension_with("id", "another")), usual);
  EXPECT_EQ(hash(suspension_with("sequence", 99)), usual);
  EXPECT_EQ(decode_text(suspension().dump(4))->payload_hash, usual) << "white space";
  EXPECT_EQ(decode_text(nlohmann::ordered_json::parse(
                            R"({"data":{"reason":"invoice 2026-0117 unpaid","tenant":"acme","peer":"P-1"},)"
                            R"("type":"peerwright.peer.suspend.v1","source":"b","id":"1","specversion":"1.0"})")
                            .dump())
                ->payload_hash,
            usual)
      << "order of members";
  EXPECT_NE(hash(suspension_with("type", "peerwright.peer.resume.v1")), usual);
  json other = suspension();
  other["data"]["reason"] = "another";
  EXPECT_NE(hash(other), usual);
}

TEST(EventKeys, AreThoseOfEverySubject) {
  const auto key = [](const std::string& name) { return decode_json(example(name))->key; };
  EXPECT_EQ(key("peer.provision"), "acme/S-1");
  EXPECT_EQ(key("peer.provision-minimal"), "acme/router:7@site.b");
  EXPECT_EQ(key("peer.suspend"), "acme/P-1");
  EXPECT_EQ(key("subscriber.suspend"), "acme/S-1");
  EXPECT_EQ(key("server.register"), "server/ams-1");
  EXPECT_EQ(key("network.set"), "network/eu-1");
}

TEST(EventSender, IsReadAsFarAsItCanBe) {
  const std::string text = suspension().dump();
  const auto whole = sender_of({text, nullptr});
  EXPECT_EQ(json(whole.id), suspension()["id"]);
  EXPECT_EQ(whole.source, "billing");
  EXPECT_EQ(whole.type, "peerwright.peer.suspend.v1");
  const auto cut = sender_of({R"({"id":"1","data":{"id":"inner"},"source":"billing","type":"peerwr)", nullptr});
  EXPECT_EQ(cut.id, "1");
  EXPECT_EQ(cut.source, "billing");
  EXPECT_EQ(cut.type, "");
  const Headers headers{{"ce_id", "7"}, {"ce_source", "a\xFF\nb"}, {"ce_type", std::string(1000, 't')}};
  const auto binary = sender_of({"not json", &headers});
  EXPECT_EQ(binary.id, "7");
  EXPECT_EQ(binary.source, "a\xEF\xBF\xBD?b");
  EXPECT_EQ(binary.type.size(), kMaxAttributeBytes);
}

}  // namespace
}  // namespace peerwright::events

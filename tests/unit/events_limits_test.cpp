#include <gmock/gmock.h>

#include <thread>

#include "events_support.hpp"

namespace peerwright::events {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// A structured event whose data is this text: what is wrong with the text shows before its schema is asked.
std::string event_with_data(const std::string& data) {
  return R"({"specversion":"1.0","id":"1","source":"billing","type":"peerwright.peer.suspend.v1","data":)" + data + "}";
}

std::string nested(std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST(EventLimits, MessageBytes) {
  std::string text = example("peer.suspend").dump();
  text.append(kMaxMessageBytes - text.size(), ' ');
  EXPECT_TRUE(decode_text(text));
  EXPECT_EQ(code_of(decode_text(text + " ")), "message_too_large");
  EXPECT_EQ(code_of(decode_text(std::string(10U * 1024 * 1024, '['))), "message_too_large");
}

TEST(EventLimits, Depth) {
  // The event itself is the first level.
  EXPECT_EQ(code_of(decode_text(event_with_data(nested(kMaxDepth - 1)))), "schema_violation");
  const auto deeper = decode_text(event_with_data(nested(kMaxDepth)));
  EXPECT_EQ(code_of(deeper), "too_deep");
  EXPECT_THAT(message_of(deeper), HasSubstr("/data/0/0"));
  EXPECT_EQ(code_of(decode_text(event_with_data(nested(10'000)))), "too_deep");
  EXPECT_EQ(code_of(decode_text(repeated(R"({"a":)", 10'000))), "too_deep");
  EXPECT_EQ(code_of(decode_text(std::string(kMaxMessageBytes, '['))), "too_deep");
}

TEST(EventLimits, StringBytes) {
  const auto with_reason = [](std::size_t bytes) {
    return decode_text(event_with_data(R"({"tenant":"a","peer":"p","reason":")" + std::string(bytes, 'x') + "\"}"));
  };
  EXPECT_EQ(code_of(with_reason(kMaxStringBytes)), "schema_violation");
  const auto longer = with_reason(kMaxStringBytes + 1);
  EXPECT_EQ(code_of(longer), "string_too_long");
  EXPECT_THAT(message_of(longer), HasSubstr("/data/reason"));
  EXPECT_EQ(code_of(decode_text(event_with_data("{\"" + std::string(kMaxStringBytes, 'k') + "\":1}"))),
            "schema_violation");
  EXPECT_EQ(code_of(decode_text(event_with_data("{\"" + std::string(kMaxStringBytes + 1, 'k') + "\":1}"))),
            "string_too_long");
}

// The longest string that a pattern can meet: it must be refused, not exhaust the stack.
TEST(EventLimits, LongestStringAgainstEveryPattern) {
  for (const std::string name : {"server.register", "peer.provision"}) {
    const json event = example(name);
    for (const auto& [member, value] : event["data"].items()) {
      if (!value.is_string()) continue;
      json changed = event;
      changed["data"][member] = std::string(kMaxStringBytes, 'a');
      EXPECT_EQ(code_of(decode_json(changed)), "schema_violation") << name << " " << member;
    }
  }
  json server = example("server.register");
  for (const std::string member : {"host", "host_key", "user", "exec_prefix"}) {
    json changed = server;
    changed["data"]["ssh"][member] = "a b" + std::string(kMaxStringBytes - 3, 'a');
    EXPECT_EQ(code_of(decode_json(changed)), "schema_violation") << member;
  }
}

TEST(EventLimits, Values) {
  const std::size_t around = 6;  // the event, its four attributes, and the array
  EXPECT_EQ(code_of(decode_text(event_with_data("[1" + repeated(",1", kMaxValues - around - 1) + "]"))),
            "schema_violation");
  EXPECT_EQ(code_of(decode_text(event_with_data("[1" + repeated(",1", kMaxValues - around) + "]"))),
            "message_too_large");
}

TEST(EventLimits, NamesAndTexts) {
  const auto with = [](const std::string& member, const json& value) {
    json event = example("peer.provision");
    event["data"][member] = value;
    return code_of(decode_json(event));
  };
  for (const std::string member : {"tenant", "peer", "subscriber", "server"}) {
    EXPECT_EQ(with(member, "a"), "") << member;
    EXPECT_EQ(with(member, std::string(128, 'a')), "") << member;
    EXPECT_EQ(with(member, std::string(129, 'a')), "schema_violation") << member;
    for (const std::string name : {"", "-a", ".a", "a/b", "a b", "a\n", "a\nb", "\na", "é", "a\t"}) {
      EXPECT_EQ(with(member, name), "schema_violation") << member << " " << json(name);
    }
  }
  EXPECT_EQ(with("description", repeated("é", 512)), "") << "characters are counted, not bytes";
  EXPECT_EQ(with("description", repeated("é", 513)), "schema_violation");
  EXPECT_EQ(with("keepalive_seconds", 0), "");
  EXPECT_EQ(with("keepalive_seconds", 65535), "");
  EXPECT_EQ(with("keepalive_seconds", 65536), "schema_violation");
  EXPECT_EQ(with("keepalive_seconds", -1), "schema_violation");
  EXPECT_EQ(with("keepalive_seconds", 25.0), "schema_violation");
  EXPECT_EQ(with("client_routes", json::array()), "schema_violation");
  EXPECT_EQ(with("client_routes", std::vector<std::string>(256, "10.0.0.0/8")), "");
  EXPECT_EQ(with("client_routes", std::vector<std::string>(257, "10.0.0.0/8")), "schema_violation");
}

TEST(EventLimits, ServerSettings) {
  const auto with = [](const std::string& member, const json& value) {
    json event = example("server.register");
    event["data"][member] = value;
    return code_of(decode_json(event));
  };
  const std::vector<std::tuple<std::string, json, json>> bounds{
      {"mtu", 1280, 1279},           {"mtu", 9000, 9001},
      {"max_peers", 1, 0},           {"max_peers", 1'000'000, 1'000'001},
      {"keepalive_seconds", 0, -1},  {"keepalive_seconds", 65535, 65536},
      {"interface", "wg0", "wg0/x"}, {"interface", std::string(15, 'w'), std::string(16, 'w')},
      {"dns", json::array(), ""},    {"dns", std::vector<std::string>(8, "::1"), std::vector<std::string>(9, "::1")},
  };
  for (const auto& [member, inside, outside] : bounds) {
    EXPECT_EQ(with(member, inside), "") << member << inside;
    EXPECT_EQ(with(member, outside), "schema_violation") << member << outside;
  }
  for (const std::string endpoint : {"vpn.example.net:1", "192.0.2.1:65535", "[2001:db8::1]:51820"}) {
    EXPECT_EQ(with("endpoint", endpoint), "") << endpoint;
  }
  for (const std::string endpoint : {"a:65536", "a:0", "a:99999999999999999999", "[192.0.2.1]:1"}) {
    EXPECT_EQ(with("endpoint", endpoint), "value_invalid") << endpoint;
  }
  EXPECT_EQ(with("endpoint", "[:::]:1"), "prefix_invalid");
  for (const std::string endpoint : {"a", ":1", "a:", "a b:1", "2001:db8::1:51820", "$(id):1"}) {
    EXPECT_EQ(with("endpoint", endpoint), "schema_violation") << endpoint;
  }
  for (const std::string path : {"/etc/wireguard/./a", "/a/..", "/..", "/."}) {
    EXPECT_NE(with("config_path", path), "") << path;
  }
  for (const std::string path : {"wg0.conf", "/etc/a b", "/etc/$HOME", "/etc/a;b", "/etc/'a'", "/etc/"}) {
    EXPECT_EQ(with("config_path", path), "schema_violation") << path;
  }
}

TEST(EventText, MustBeUtf8) {
  for (const std::string bytes : {"\xFF", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                  "\xF0\x8F\xBF\xBF", "\x80", "\xE2\x82"}) {
    const auto event = decode_text(event_with_data("{\"reason\":\"padding " + bytes + "\"}"));
    EXPECT_EQ(code_of(event), "not_utf8") << json(bytes.size());
    EXPECT_THAT(message_of(event), HasSubstr("offset"));
  }
  for (const std::string text : {"é", "€", "😀", "\xF4\x8F\xBF\xBF", "\xEF\xBF\xBF"}) {
    EXPECT_TRUE(decode_text(event_with_data(R"({"tenant":"a","peer":"p","reason":")" + text + "\"}"))) << text;
  }
}

TEST(EventText, HoldsNoNul) {
  for (const std::string data : {R"({"reason":"\u0000"})", R"({"a\u0000b":1})", R"([["x\u0000"]])"}) {
    EXPECT_EQ(code_of(decode_text(event_with_data(data))), "value_invalid") << data;
  }
}

TEST(EventText, NamesNoMemberTwice) {
  for (const std::string data : {R"({"peer":"p","tenant":"a","peer":"p"})", R"({"x":[{"y":1,"\u0079":2}]})"}) {
    const auto event = decode_text(event_with_data(data));
    EXPECT_EQ(code_of(event), "not_json") << data;
    EXPECT_THAT(message_of(event), HasSubstr("twice"));
  }
  EXPECT_THAT(message_of(decode_text(event_with_data(R"({"x":[{"y":1,"y":2}]})"))), HasSubstr("/data/x/0/y"));
  EXPECT_EQ(code_of(decode_text(R"({"id":"1","id":"1"})")), "not_json");
}

TEST(EventText, SaysWhereItIsNoJson) {
  const auto event = decode_text("{\"a\": 1,\n\"b\": tru}");
  EXPECT_EQ(code_of(event), "not_json");
  EXPECT_THAT(message_of(event), HasSubstr("line 2, column 9"));
  for (const std::string text :
       {"", " ", "{", "{} {}", "1e999", "{'a':1}", "{\"a\":1,}", "NaN", "// x", "\"\\ud800\""}) {
    EXPECT_EQ(code_of(decode_text(text)), "not_json") << text;
  }
}

TEST(EventText, CutAtEveryByteIsRefused) {
  for (const auto& [name, text] : examples("valid")) {
    const std::size_t end = text.rfind('}');
    const Binary binary = binary_of(json::parse(text));
    // At every byte of one event of each mode; of the others here and there, or it would take seconds.
    const std::size_t step = name == "peer.provision" ? 1 : 17;
    for (std::size_t bytes = 0; bytes <= end; bytes += step) {
      const std::string cut = text.substr(0, bytes);
      EXPECT_FALSE(decode_text(cut)) << name << " cut after " << bytes;
      static_cast<void>(sender_of({cut, nullptr}));
    }
    for (std::size_t bytes = 0; bytes < binary.payload.size(); bytes += step) {
      EXPECT_FALSE(decode_text(binary.payload.substr(0, bytes), &binary.headers)) << name << " cut after " << bytes;
    }
  }
}

// No byte, wherever it stands, makes the reader crash or say something that is not text.
TEST(EventText, WithAnyByteChangedIsAnswered) {
  const std::string text = example("server.register").dump();
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char byte : {'\0', '"', '\\', '{', '}', '[', ',', '9', '-', '\x80', '\xFF', '\n'}) {
      std::string changed = text;
      changed[at] = byte;
      const auto event = decode_text(changed);
      if (event) continue;
      EXPECT_FALSE(event.error().code.empty());
      EXPECT_NO_THROW(static_cast<void>(json(event.error().message).dump())) << at;
    }
  }
}

// A private key pasted into the wrong member must not travel on in an error.
TEST(EventErrors, RepeatNoValueOfTheData) {
  const std::string secret = "kIZXQzVzcTRsMo1cSNsg4M5rKSq2KIlgFZadEg5jt28=";
  const auto expect_silent = [&](json event, const json::json_pointer& at) {
    event[at] = secret + "=";
    const auto longer = decode_json(event);
    EXPECT_THAT(message_of(longer) + (longer ? "" : longer.error().remedy), Not(HasSubstr(secret))) << at;
    event[at] = secret;
    const auto exact = decode_json(event);
    EXPECT_THAT(message_of(exact) + (exact ? "" : exact.error().remedy), Not(HasSubstr(secret))) << at;
  };
  for (const auto& [name, text] : examples("valid")) {
    const json event = json::parse(text);
    const json members = event.flatten();
    for (const auto& [place, value] : members.items()) {
      if (place.starts_with("/data/")) expect_silent(event, json::json_pointer(place));
    }
    for (const std::string member : {"sequence", "time", "specversion"}) {
      if (event.contains(member)) expect_silent(event, json::json_pointer("/" + member));
    }
  }
  EXPECT_THAT(message_of(decode_text("{\"a\": \"" + secret + "\n\"}")), Not(HasSubstr(secret)));
  EXPECT_THAT(message_of(decode_text("{\"a\" \"" + secret + "\"}")), Not(HasSubstr(secret)));
}

TEST(EventThreads, ReadAtTheSameTime) {
  const auto valid = examples("valid");
  std::vector<std::thread> threads;
  std::vector<std::size_t> accepted(4, 0);
  for (std::size_t i = 0; i < accepted.size(); ++i) {
    threads.emplace_back([&valid, &count = accepted[i]] {
      for (const auto& [name, text] : valid) count += decode_text(text) ? 1U : 0U;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::size_t count : accepted) EXPECT_EQ(count, valid.size());
}

}  // namespace
}  // namespace peerwright::events

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"

namespace peerwright::wireguard {

// An IPv4 or IPv6 address with a prefix length; a single address has the full length (32 or 128). Host bits may be set
// (an interface's address), network() clears them.
class Prefix {
 public:
  // Text as in RFC 4632 and RFC 4291, "10.0.0.0/24", "fd00::/64", "10.0.0.1". Error: `prefix_invalid`.
  static Result<Prefix> parse(std::string_view text);

  [[nodiscard]] bool is_ipv4() const { return ipv4_; }
  [[nodiscard]] int length() const { return length_; }
  [[nodiscard]] bool is_network() const;  // no host bit is set
  [[nodiscard]] Prefix network() const;
  // The network of `length` bits, at most its own, that it lies in.
  [[nodiscard]] Prefix widened(int length) const;
  [[nodiscard]] bool contains(const Prefix& other) const;  // false across families
  [[nodiscard]] bool overlaps(const Prefix& other) const;
  // How many addresses it spans, at most 2^62.
  [[nodiscard]] std::int64_t size() const;
  // The single address `offset` after the network address; nullopt where that lies outside.
  [[nodiscard]] std::optional<Prefix> at(std::int64_t offset) const;
  // The offset of a single address of the same family inside this prefix; nullopt where it lies outside or beyond 2^62.
  [[nodiscard]] std::optional<std::int64_t> offset_of(const Prefix& address) const;
  // Canonical text (RFC 5952 for IPv6), with the length unless it is the full one and `always_length` is false.
  [[nodiscard]] std::string text(bool always_length = true) const;

  auto operator<=>(const Prefix&) const = default;

 private:
  bool ipv4_ = true;
  int length_ = 0;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 in the first four
};

}  // namespace peerwright::wireguard

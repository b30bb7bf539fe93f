#include "peerwright/wireguard/prefix.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace peerwright::wireguard {
namespace {

constexpr int kIpv4Bits = 32;
constexpr int kIpv6Bits = 128;
constexpr int kMaxSizeBits = 62;  // sizes and offsets fit into a signed 64-bit integer with room to add
constexpr int kMaxLengthDigits = 3;

int full_length(bool ipv4) { return ipv4 ? kIpv4Bits : kIpv6Bits; }

tl::unexpected<Error> invalid(std::string_view text) {
  constexpr std::size_t kMaxShown = 64;
  return permanent("prefix_invalid", "not an IPv4 or IPv6 prefix: " + std::string(text.substr(0, kMaxShown)),
                   "write it as 10.0.0.0/24, fd00::/64 or a single address");
}

std::optional<int> parse_length(std::string_view digits, int most) {
  int length = 0;
  if (digits.empty() || digits.size() > kMaxLengthDigits || (digits.size() > 1 && digits[0] == '0')) return {};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size() || length < 0 || length > most) return {};
  return length;
}

}  // namespace

Result<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Prefix prefix;
  prefix.ipv4_ = address.find(':') == std::string::npos;
  // inet_pton() stops at a zero byte, so what follows one would go unseen.
  if (address.find('\0') != std::string::npos ||
      inet_pton(prefix.ipv4_ ? AF_INET : AF_INET6, address.c_str(), prefix.bytes_.data()) != 1) {
    return invalid(text);
  }
  prefix.length_ = full_length(prefix.ipv4_);
  if (slash != std::string_view::npos) {
    const auto length = parse_length(text.substr(slash + 1), prefix.length_);
    if (!length) return invalid(text);
    prefix.length_ = *length;
  }
  return prefix;
}

bool Prefix::is_network() const { return *this == network(); }

Prefix Prefix::network() const {
  Prefix cleared = *this;
  int kept = length_;
  for (auto& byte : cleared.bytes_) {
    if (kept < 8) byte = static_cast<std::uint8_t>(byte & (0xff00U >> static_cast<unsigned>(std::max(kept, 0))));
    kept -= 8;
  }
  return cleared;
}

Prefix Prefix::widened(int length) const {
  Prefix wider = *this;
  wider.length_ = std::clamp(length, 0, length_);
  return wider.network();
}

bool Prefix::contains(const Prefix& other) const {
  return ipv4_ == other.ipv4_ && other.length_ >= length_ && other.widened(length_) == network();
}

bool Prefix::overlaps(const Prefix& other) const { return contains(other) || other.contains(*this); }

std::int64_t Prefix::size() const { return std::int64_t{1} << std::min(full_length(ipv4_) - length_, kMaxSizeBits); }

std::optional<Prefix> Prefix::at(std::int64_t offset) const {
  if (offset < 0 || offset >= size()) return std::nullopt;
  Prefix address = network();
  address.length_ = full_length(ipv4_);
  // No carry: the host bits of a network are zero and the offset fits into them.
  auto rest = static_cast<std::uint64_t>(offset);
  for (auto i = static_cast<std::size_t>(address.length_ / 8); rest > 0; rest >>= 8U) {
    --i;
    address.bytes_[i] = static_cast<std::uint8_t>(address.bytes_[i] | (rest & 0xffU));
  }
  return address;
}

std::optional<std::int64_t> Prefix::offset_of(const Prefix& address) const {
  if (address.length_ != full_length(ipv4_) || !contains(address)) return std::nullopt;
  const Prefix base = network();
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(full_length(ipv4_) / 8); ++i) {
    if (offset >> (kMaxSizeBits - 8) != 0) return std::nullopt;
    offset = offset << 8U | static_cast<std::uint64_t>(address.bytes_[i] ^ base.bytes_[i]);
  }
  return static_cast<std::int64_t>(offset);
}

std::string Prefix::text(bool always_length) const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  std::string text = inet_ntop(ipv4_ ? AF_INET : AF_INET6, bytes_.data(), buffer.data(), buffer.size());
  if (always_length || length_ != full_length(ipv4_)) text += '/' + std::to_string(length_);
  return text;
}

}  // namespace peerwright::wireguard

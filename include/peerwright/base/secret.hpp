#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "peerwright/base/result.hpp"

namespace peerwright {

// Bytes that must not leave the process: keys, preshared keys, passwords. It cannot be copied, printed, formatted or
// compared with ==, and wipes its memory when it goes. Whoever needs the bytes says so with reveal().
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view bytes);  // copies; the caller still owns, and should wipe, its own
  ~Secret();
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // A second holder of the same bytes, said aloud.
  [[nodiscard]] Secret clone() const;
  // The bytes, valid as long as this object is neither moved from nor destroyed.
  [[nodiscard]] std::string_view reveal() const { return {data_, size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // Constant time in the content (not in the length).
  [[nodiscard]] bool equals(const Secret& other) const;

  template <typename Stream>
  friend Stream& operator<<(Stream&, const Secret&) = delete;

 private:
  void wipe() noexcept;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// Overwrites what a string holds, then empties it.
void wipe(std::string& text);

// Reads a secret from a file of at most 64 KiB; one trailing newline is stripped. Errors: `secret_unreadable`,
// `secret_empty`, `secret_too_large`; none repeats the content.
Result<Secret> read_secret_file(const std::filesystem::path& path);

}  // namespace peerwright

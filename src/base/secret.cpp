#include "peerwright/base/secret.hpp"

#include <sodium.h>

#include <cstring>
#include <fstream>

namespace peerwright {
namespace {
constexpr std::size_t kMaxSecretFileBytes = std::size_t{64} * 1024;
}

Secret::Secret(std::string_view bytes) : data_(bytes.empty() ? nullptr : new char[bytes.size()]), size_(bytes.size()) {
  if (data_ != nullptr) std::memcpy(data_, bytes.data(), bytes.size());
}

Secret::~Secret() { wipe(); }

Secret::Secret(Secret&& other) noexcept : data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }
  return *this;
}

Secret Secret::clone() const { return Secret(reveal()); }

bool Secret::equals(const Secret& other) const {
  return size_ == other.size_ && (size_ == 0 || sodium_memcmp(data_, other.data_, size_) == 0);
}

void Secret::wipe() noexcept {
  if (data_ == nullptr) return;
  sodium_memzero(data_, size_);
  delete[] data_;
  data_ = nullptr;
  size_ = 0;
}

void wipe(std::string& text) {
  if (!text.empty()) sodium_memzero(text.data(), text.size());
  text.clear();
}

Result<Secret> read_secret_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return permanent("secret_unreadable", "cannot read the secret file " + path.string(),
                     "check that the file exists and that this user may read it");
  }
  std::string bytes(kMaxSecretFileBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  std::size_t size = static_cast<std::size_t>(file.gcount());
  const bool too_large = size > kMaxSecretFileBytes;
  if (size > 0 && !too_large && bytes[size - 1] == '\n') --size;
  Secret secret(too_large ? std::string_view() : std::string_view(bytes).substr(0, size));
  wipe(bytes);
  if (too_large) {
    return permanent("secret_too_large", "the secret file " + path.string() + " is larger than 64 KiB",
                     "name the file that holds the secret alone");
  }
  if (secret.empty()) {
    return permanent("secret_empty", "the secret file " + path.string() + " is empty", "write the secret into it");
  }
  return secret;
}

}  // namespace peerwright

#include "qr.hpp"

#include <qrencode.h>

#include <memory>
#include <string>

namespace peerwright::cli {
namespace {

constexpr int kMargin = 4;              // light modules around the code
constexpr std::size_t kGlyphBytes = 3;  // the longest of those below, in UTF-8
constexpr unsigned char kDark = 1;      // the bit of a module that says so
constexpr const char* kBoth = "\u2588";
constexpr const char* kUpper = "\u2580";
constexpr const char* kLower = "\u2584";

class Drawing {
 public:
  explicit Drawing(const QRcode& code) : code_(code), side_(code.width + 2 * kMargin) {}

  [[nodiscard]] Secret draw() const {
    std::string text;
    // Room for all of it, for a string that grows leaves copies behind.
    text.reserve((static_cast<std::size_t>(side_) * kGlyphBytes + 1) * static_cast<std::size_t>(side_ / 2 + 1));
    for (int y = 0; y < side_; y += 2) {
      for (int x = 0; x < side_; ++x) text += glyph(light(x, y), light(x, y + 1));
      text += '\n';
    }
    Secret drawn(text);
    wipe(text);
    return drawn;
  }

 private:
  static const char* glyph(bool upper, bool lower) {
    if (upper) return lower ? kBoth : kUpper;
    return lower ? kLower : " ";
  }
  [[nodiscard]] bool light(int x, int y) const {
    const int column = x - kMargin;
    const int row = y - kMargin;
    if (y >= side_) return false;  // the lower half of the last line, where the side is odd
    if (column < 0 || row < 0 || column >= code_.width || row >= code_.width) return true;
    return (code_.data[row * code_.width + column] & kDark) == 0;
  }

  const QRcode& code_;
  int side_;
};

struct FreeCode {
  void operator()(QRcode* code) const { QRcode_free(code); }
};

}  // namespace

Result<Secret> qr_code(std::string_view text) {
  const std::unique_ptr<QRcode, FreeCode> code(QRcode_encodeData(
      static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(text.data()), 0, QR_ECLEVEL_L));
  if (code == nullptr) {
    return permanent("qr_too_long", std::to_string(text.size()) + " bytes do not fit into a QR code",
                     "write the configuration into a file with --out, or give the peer fewer routes");
  }
  return Drawing(*code).draw();
}

}  // namespace peerwright::cli

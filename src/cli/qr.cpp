#include "qr.hpp"

#include <png.h>
#include <qrencode.h>

#include <memory>
#include <string>
#include <vector>

namespace peerwright::cli {
namespace {

constexpr int kMargin = 4;              // light modules around the code
constexpr std::size_t kGlyphBytes = 3;  // the longest of those below, in UTF-8
constexpr unsigned char kDark = 1;      // the bit of a module that says so
constexpr const char* kBoth = "\u2588";
constexpr const char* kUpper = "\u2580";
constexpr const char* kLower = "\u2584";
constexpr int kPixels = 8;                   // of a PNG's module, along each side
constexpr std::size_t kSvgModuleBytes = 24;  // the longest that one module takes in a path

struct FreeCode {
  void operator()(QRcode* code) const { QRcode_free(code); }
};

// The code as a square of modules, its margin included.
class Modules {
 public:
  static Result<Modules> of(std::string_view text) {
    std::unique_ptr<QRcode, FreeCode> code(QRcode_encodeData(
        static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(text.data()), 0, QR_ECLEVEL_L));
    if (code == nullptr) {
      return permanent("qr_too_long", std::to_string(text.size()) + " bytes do not fit into a QR code",
                       "write the configuration into a file with --out, or give the peer fewer routes");
    }
    return Modules(std::move(code));
  }

  [[nodiscard]] int side() const { return code_->width + 2 * kMargin; }
  [[nodiscard]] bool light(int x, int y) const {
    const int column = x - kMargin;
    const int row = y - kMargin;
    if (column < 0 || row < 0 || column >= code_->width || row >= code_->width) return true;
    return (code_->data[row * code_->width + column] & kDark) == 0;
  }

 private:
  explicit Modules(std::unique_ptr<QRcode, FreeCode> code) : code_(std::move(code)) {}
  std::unique_ptr<QRcode, FreeCode> code_;
};

Secret secret_of(std::string& text) {
  Secret secret(text);
  wipe(text);
  return secret;
}

const char* glyph(bool upper, bool lower) {
  if (upper) return lower ? kBoth : kUpper;
  return lower ? kLower : " ";
}

Secret drawn(const Modules& modules) {
  const int side = modules.side();
  std::string text;
  // Room for all of it, for a string that grows leaves copies behind. So below.
  text.reserve((static_cast<std::size_t>(side) * kGlyphBytes + 1) * static_cast<std::size_t>(side / 2 + 1));
  for (int y = 0; y < side; y += 2) {
    // The lower half of the last line is dark where the side is odd.
    for (int x = 0; x < side; ++x) text += glyph(modules.light(x, y), y + 1 < side && modules.light(x, y + 1));
    text += '\n';
  }
  return secret_of(text);
}

Secret svg_of(const Modules& modules) {
  const int side = modules.side();
  const auto length = static_cast<std::size_t>(side);
  const std::string size = std::to_string(side);
  std::string text;
  text.reserve(length * length * kSvgModuleBytes + 512);
  text += R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 )" + size + ' ' + size +
          "\" shape-rendering=\"crispEdges\">\n<rect width=\"" + size + "\" height=\"" + size +
          "\" fill=\"#fff\"/>\n<path fill=\"#000\" d=\"";
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      if (!modules.light(x, y)) text += 'M' + std::to_string(x) + ' ' + std::to_string(y) + "h1v1h-1z";
    }
  }
  text += "\"/>\n</svg>\n";
  return secret_of(text);
}

Result<Secret> png_of(const Modules& modules) {
  const auto side = static_cast<std::size_t>(modules.side()) * kPixels;
  std::vector<png_byte> pixels(side * side);
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      pixels[y * side + x] = modules.light(static_cast<int>(x / kPixels), static_cast<int>(y / kPixels)) ? 0xFF : 0;
    }
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = static_cast<png_uint_32>(side);
  image.format = PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
    wipe(bytes);
    return permanent("png_failed", std::string("libpng cannot write the picture: ") + image.message,
                     "use --format svg");
  }
  Secret png(std::string_view(bytes).substr(0, size));
  wipe(bytes);
  return png;
}

}  // namespace

Result<Secret> qr_code(std::string_view text) { return Modules::of(text).map(drawn); }
Result<Secret> qr_svg(std::string_view text) { return Modules::of(text).map(svg_of); }
Result<Secret> qr_png(std::string_view text) { return Modules::of(text).and_then(png_of); }

}  // namespace peerwright::cli

#pragma once

#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

namespace peerwright::cli {

// QR codes of a text, with the margin that readers need. Secrets, for the text may be one. Error: `qr_too_long`.

// Drawn for a dark terminal: two modules one above the other are one UTF-8 half block, light ones are drawn.
Result<Secret> qr_code(std::string_view text);

// Pictures: an SVG document, and a PNG file in black and white. Error of the latter too: `png_failed`.
Result<Secret> qr_svg(std::string_view text);
Result<Secret> qr_png(std::string_view text);

}  // namespace peerwright::cli

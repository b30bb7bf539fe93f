#pragma once

#include <string_view>

#include "peerwright/base/result.hpp"
#include "peerwright/base/secret.hpp"

namespace peerwright::cli {

// A QR code of the text, drawn for a dark terminal: two modules one above the other are one UTF-8 half block, light
// ones are drawn, with the margin that readers need. A Secret, for the text may be one. Error: `qr_too_long`.
Result<Secret> qr_code(std::string_view text);

}  // namespace peerwright::cli

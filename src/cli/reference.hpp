#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace peerwright::cli {

// The reference page of these commands, in their order, with the options that all of them share said once.
std::string reference_of(const CLI::App& root, const std::vector<const CLI::App*>& commands);

}  // namespace peerwright::cli

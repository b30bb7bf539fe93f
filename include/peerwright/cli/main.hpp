#pragma once

#include <string>

namespace peerwright::cli {

// The command line: reads it, runs its command and answers the exit code of the process (src/cli/exit.hpp). Call it
// once, from main(), before any thread is started.
int main(int argc, char** argv);

// docs/reference/command-line.md, made from the commands themselves. Not beside main().
std::string command_line_reference_markdown();

}  // namespace peerwright::cli

#include "peerwright/cli/main.hpp"

int main(int argc, char** argv) { return peerwright::cli::main(argc, argv); }

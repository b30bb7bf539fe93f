#include "worked_change.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "support/process.hpp"

namespace peerwright::test {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = PEERWRIGHT_SOURCE_DIR;

// Also those that are not committed yet. The checkout may belong to somebody else than the tests run as.
std::vector<std::string> tracked_files() {
  const Finished listed = run_command({"git", "-c", "safe.directory=*", "-C", kSource.string(), "ls-files", "-z",
                                       "--cached", "--others", "--exclude-standard"});
  if (listed.exit_status != 0) throw std::runtime_error("git cannot list the files of " + kSource.string());
  std::vector<std::string> files;
  std::istringstream in(listed.out);
  for (std::string file; std::getline(in, file, '\0');) {
    if (fs::exists(fs::symlink_status(kSource / file))) files.push_back(file);
  }
  return files;
}

}  // namespace

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string patches_of(const fs::path& page) {
  std::istringstream in(text_of(page));
  std::string patches;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) {
      inside = line == "```patch";
    } else if (inside) {
      patches += line + '\n';
    }
  }
  return patches;
}

std::set<std::string> files_of(const std::string& patch) {
  constexpr std::string_view kStart = "+++ b/";
  std::set<std::string> files;
  std::istringstream in(patch);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(kStart)) files.insert(line.substr(kStart.size()));
  }
  return files;
}

TreeCopy::TreeCopy() {
  std::string name = (fs::temp_directory_path() / "peerwright-extend.XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory for a copy of the tree");
  root_ = name;
  for (const std::string& file : tracked_files()) {
    fs::create_directories((root_ / file).parent_path());
    fs::copy(kSource / file, root_ / file, fs::copy_options::copy_symlinks);
    files_[file] = text_of(root_ / file);
  }
}

TreeCopy::~TreeCopy() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void TreeCopy::keep_only(const std::string& folder, const std::string& suffix, const std::set<std::string>& names) {
  std::erase_if(files_, [&](const auto& entry) {
    const fs::path path = entry.first;
    const bool goes = path.parent_path() == folder && entry.first.ends_with(suffix) && !names.contains(path.filename());
    if (goes) fs::remove(root_ / path);
    return goes;
  });
}

std::set<std::string> TreeCopy::changed() const {
  std::set<std::string> all;
  for (const auto& [file, text] : files_) all.insert(file);
  for (auto entry = fs::recursive_directory_iterator(root_); entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string file = fs::relative(entry->path(), root_).string();
    if (file == "build") entry.disable_recursion_pending();
    if (entry->is_regular_file()) all.insert(file);
  }
  std::set<std::string> changed;
  for (const std::string& file : all) {
    const auto before = files_.find(file);
    if (before == files_.end() || before->second != text_of(root_ / file)) changed.insert(file);
  }
  return changed;
}

}  // namespace peerwright::test

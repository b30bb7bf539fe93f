#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace peerwright::test {

std::string text_of(const std::filesystem::path& file);

// The patch blocks of a page, one after another, as `git apply` takes them.
std::string patches_of(const std::filesystem::path& page);

// The files that a patch makes or changes.
std::set<std::string> files_of(const std::string& patch);

// A copy of the source tree, without what git ignores; it goes with the object.
class TreeCopy {
 public:
  TreeCopy();
  ~TreeCopy();
  TreeCopy(const TreeCopy&) = delete;
  TreeCopy& operator=(const TreeCopy&) = delete;

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  // Keeps only these of the files in `folder` whose names end with `suffix`.
  void keep_only(const std::string& folder, const std::string& suffix, const std::set<std::string>& names);
  // What is new or other than when it was copied, outside of build.
  [[nodiscard]] std::set<std::string> changed() const;

 private:
  std::filesystem::path root_;
  std::map<std::string, std::string> files_;  // with their texts
};

}  // namespace peerwright::test

// How a new event type is added, done as docs/add-an-event-type.md says it.
#include <gmock/gmock.h>

#include <regex>

#include "peerwright/events/catalogue.hpp"
#include "support/process.hpp"
#include "worked_change.hpp"

namespace peerwright::test {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

const fs::path kSource = PEERWRIGHT_SOURCE_DIR;
constexpr const char* kNewEvent = "peer.note";

// All places that a new event type takes. Where it needs another one, the structure is wrong: mend that first.
const std::set<std::string>& places() {
  static const std::set<std::string> all{
      "include/peerwright/domain/events.hpp",
      "schemas/asyncapi.yaml",
      "schemas/examples/invalid/peer.note-no-note.json",
      "schemas/examples/invalid/peer.note-no-peer.json",
      "schemas/examples/invalid/peer.note-unknown-member.json",
      "schemas/examples/valid/peer.note-empty.json",
      "schemas/examples/valid/peer.note.json",
      "schemas/peer.note.schema.json",
      "src/domain/peer_note.cpp",
      "src/events/catalogue.cpp",
      "src/events/decoders.hpp",
      "src/events/peer.cpp",
      "tests/flow/catalogue_test.cpp",
      "tests/flow/tenants_test.cpp",
      "tests/unit/domain_peer_note_test.cpp",
      "tests/unit/events_refusals.hpp",
  };
  return all;
}
constexpr const char* kMadeDocument = "docs/reference/events.md";

// Of a program of tests; `filter` as --gtest_filter takes it.
std::string run_tests(const fs::path& program, const std::string& filter, bool updates_documents) {
  const std::string update = updates_documents ? "PEERWRIGHT_UPDATE_DOCS=1" : "PEERWRIGHT_NO_UPDATE=1";
  const Finished run = run_command({"env", update, program.string(), "--gtest_color=no", "--gtest_filter=" + filter});
  EXPECT_EQ(run.exit_status, 0) << run.out;
  return run.out;
}

void expect_works(const std::vector<std::string>& command) {
  const Finished run = run_command(command);
  ASSERT_EQ(run.exit_status, 0) << testing::PrintToString(command) << '\n' << run.out;
}

TEST(Extend, ThePageAddsAnEventTypeInItsListedPlaces) {
  for (const events::CatalogueRow& row : events::catalogue()) ASSERT_NE(row.name, kNewEvent) << "it is no new one";
  const std::string patches = patches_of(kSource / "docs/add-an-event-type.md");
  ASSERT_EQ(files_of(patches), places());

  TreeCopy copy;
  // What is built and run below is what the new event concerns.
  copy.keep_only("tests/unit", "_test.cpp", {"events_examples_test.cpp", "events_schemas_test.cpp"});
  const Finished applied =
      run_command({"git", "-C", copy.root().string(), "apply", "--whitespace=error-all", "-"}, patches);
  ASSERT_EQ(applied.exit_status, 0) << "the patches of the page do not apply any more";
  ASSERT_EQ(copy.changed(), places());

  const fs::path build = copy.root() / "build/dev";
  ASSERT_NO_FATAL_FAILURE(expect_works({"cmake", "--preset", "dev", "-S", copy.root().string(), "-B", build.string()}));
  ASSERT_NO_FATAL_FAILURE(expect_works({"ninja", "-C", build.string(), "-j", "2", "unit_tests"}));
  const fs::path program = build / "tests/unit_tests";
  run_tests(program, "EventDocuments.*", true);
  const std::string out = run_tests(program, "*", false);
  for (const char* ran : {"[       OK ] Noted.becomesTheDescriptionAndNothingElse",
                          "[       OK ] Noted.isInTheCatalogueAndReadFromItsExample",
                          "[       OK ] EventExamples.AllInvalidOnesAreRefusedForTheirReason",
                          "[       OK ] EventCatalogue.AgreesWithSchemasAndExamplesBothWays",
                          "[       OK ] AsyncApi.ListsExactlyWhatIsReadAndSaid"}) {
    EXPECT_THAT(out, HasSubstr(ran));
  }
  EXPECT_THAT(text_of(copy.root() / kMadeDocument), HasSubstr("\n### peer.note\n"));
  std::set<std::string> expected = places();
  expected.insert(kMadeDocument);
  EXPECT_EQ(copy.changed(), expected);
}

// "peer.revoke" of "peerwright.peer.revoke.v1", ".peer.revoke." and "peer.revoke".
std::string bare_name(std::string literal) {
  literal = std::regex_replace(literal, std::regex("^(peerwright)?\\.|^peerwright$"), "");
  return std::regex_replace(literal, std::regex("\\.(v[0-9]+)?$"), "");
}

// The string literals of a source that are the name of an inbound event and nothing else; not those in comments.
std::vector<std::string> event_names_in(const std::string& source, const std::set<std::string>& names) {
  static const std::regex comment("\\s//[^\n]*");
  static const std::regex literal("\"((?:[^\"\\\\\n]|\\\\.)*)\"");
  const std::string text = std::regex_replace(source, comment, "");
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), literal), end; it != end; ++it) {
    if (names.contains(bare_name((*it)[1]))) found.push_back((*it)[1]);
  }
  return found;
}

// What is not the catalogue cannot tell events apart where no string is an event's name. The command line has a table
// of the events that its verbs send; nothing is decided by it.
TEST(Extend, NoCodeOutsideTheCatalogueKnowsEventTypes) {
  std::set<std::string> names;
  for (const events::CatalogueRow& row : events::catalogue()) names.insert(std::string(row.name));
  ASSERT_THAT(event_names_in("x == \"peerwright.peer.revoke.v1\" || has(\".server.drain.\") || \"peer.move\"", names),
              testing::ElementsAre("peerwright.peer.revoke.v1", ".server.drain.", "peer.move"));
  ASSERT_THAT(event_names_in("send(\"send peer.provision first\", \"peer.status\")", names), testing::IsEmpty());
  EXPECT_THAT(event_names_in(text_of(kSource / "src/events/catalogue.cpp"), names), Contains("peer.revoke"));
  int searched = 0;
  for (const char* folder : {"src", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kSource / folder)) {
      const std::string file = fs::relative(entry.path(), kSource).string();
      if (!entry.is_regular_file() || file == "src/events/catalogue.cpp" || file.starts_with("src/cli/")) continue;
      ++searched;
      EXPECT_THAT(event_names_in(text_of(entry.path()), names), testing::IsEmpty()) << file;
    }
  }
  EXPECT_GT(searched, 150);
}

}  // namespace
}  // namespace peerwright::test

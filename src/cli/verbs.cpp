#include <array>
#include <memory>

#include "event.hpp"
#include "rows.hpp"

// Commands that publish one event each: one table. They change nothing themselves.
namespace peerwright::cli {
namespace {

enum class Subject { tenant, customer, subscriber, peer, server };
enum class Kind { text, number, yes, no };  // of an option; yes and no: a flag that says true or false

struct VerbOption {
  const char* flag;
  const char* member;  // of the event's data
  Kind kind;
  const char* type_name;
  const char* help;
};

struct Verb {
  const char* group;
  const char* name;
  const char* event;  // its type's name
  Subject subject;
  std::span<const VerbOption> options;
  bool destroys;  // it asks before
  const char* help;
  const char* member = "";  // that is always false
};

constexpr VerbOption kReason{"--reason", "reason", Kind::text, "TEXT", "Why; it is on record"};
constexpr std::array kReasonAlone{kReason};
constexpr std::array kSuspend{
    kReason,
    VerbOption{"--mode", "mode", Kind::text, "MODE", "cut, or walled_garden"},
    VerbOption{"--effective-at", "effective_at", Kind::text, "RFC3339", "From then on (else now)"},
    VerbOption{"--grace", "grace_seconds", Kind::number, "SECONDS", "Said at once, felt only after so long"},
    VerbOption{"--walled-garden", "walled_garden_seconds", Kind::number, "SECONDS", "So long in the garden, then cut"},
    VerbOption{"--release-after", "release_after_seconds", Kind::number, "SECONDS",
               "So long after the cut the peers are revoked for good"}};
constexpr std::array kMove{VerbOption{"--server", "server", Kind::text, "SERVER", "To this server"},
                           VerbOption{"--region", "region", Kind::text, "REGION", "To the least used of this region"}};
constexpr std::array kRotate{
    VerbOption{"--public-key", "public_key", Kind::text, "KEY", "The new public key of the client"},
    VerbOption{"--make-key", "make_key", Kind::yes, "", "Make the pair here and seal it to the tenant's recipient key"},
    VerbOption{"--stage", "stage_seconds", Kind::number, "SECONDS", "The old key goes then at the latest; 0: at once"}};
constexpr std::array kOff{VerbOption{"--off", "on", Kind::no, "", "End it"}};
constexpr std::array kRetire{VerbOption{"--operator-word", "operator_word", Kind::text, "TEXT",
                                        "The host is gone without a proof, and this is why"}};
constexpr std::array kApproval{VerbOption{"--subscriber", "subscriber", Kind::text, "SUBSCRIBER", "Of this subscriber"},
                               VerbOption{"--customer", "customer", Kind::text, "CUSTOMER", "Or of this customer"}};

constexpr std::array kGuardKeys{VerbOption{"--keys", "keys", Kind::number, "N",
                                           "So many were seen to be held; refused when there are more by then"},
                                VerbOption{"--digest", "digest", Kind::text, "DIGEST",
                                           "These were seen (guard_digest); refused when others are held by then"}};

constexpr Verb kVerbs[] = {
    {"tenant", "approve", "tenant.approve", Subject::tenant, kApproval, false,
     "Let a suspension that awaits it take effect"},
    {"tenant", "reject", "tenant.approve", Subject::tenant, kApproval, false, "Drop a suspension that awaits approval",
     "approved"},
    {"customer", "suspend", "subscriber.suspend", Subject::customer, kSuspend, false,
     "Suspend all subscribers of a customer"},
    {"customer", "resume", "subscriber.resume", Subject::customer, kReasonAlone, false,
     "Lift the operators' hold on a customer"},
    {"customer", "revoke", "subscriber.revoke", Subject::customer, kReasonAlone, true, "Revoke a customer for ever"},
    {"subscriber", "suspend", "subscriber.suspend", Subject::subscriber, kSuspend, false,
     "Suspend a subscriber's peers"},
    {"subscriber", "resume", "subscriber.resume", Subject::subscriber, kReasonAlone, false,
     "Lift the operators' hold on a subscriber"},
    {"subscriber", "revoke", "subscriber.revoke", Subject::subscriber, kReasonAlone, true,
     "Revoke a subscriber for ever"},
    {"peer", "suspend", "peer.suspend", Subject::peer, kSuspend, false, "Suspend a peer"},
    {"peer", "resume", "peer.resume", Subject::peer, kReasonAlone, false, "Lift the operators' hold on a peer"},
    {"peer", "revoke", "peer.revoke", Subject::peer, kReasonAlone, true, "Revoke a peer for ever"},
    {"peer", "move", "peer.move", Subject::peer, kMove, false, "Move a peer to another server"},
    {"peer", "rotate-key", "peer.rotate_key", Subject::peer, kRotate, false, "Give a peer a new key"},
    {"server", "drain", "server.drain", Subject::server, kOff, false, "Place no new peers on a server"},
    {"server", "maintenance", "server.maintenance", Subject::server, kOff, false, "Hold a server's pushes"},
    {"server", "reconcile", "server.reconcile", Subject::server, {}, false, "Read a server and repair it now"},
    {"server", "approve", "server.approve", Subject::server, kGuardKeys, false,
     "Let the removals happen that the guard has stopped"},
    {"server", "keep", "server.approve", Subject::server, kGuardKeys, false,
     "Leave alone for good whose removal the guard has stopped", "approved"},
    {"server", "observe", "server.observe", Subject::server, {}, false, "Read a server now"},
    {"server",
     "rotate-key",
     "server.rotate_key",
     Subject::server,
     {},
     true,
     "Give a server a new key pair; all its peers need new configurations"},
    {"server", "retire", "server.retire", Subject::server, kRetire, true, "Take everything from a server for good"},
};

const char* type_name_of(Subject subject) {
  switch (subject) {
    case Subject::tenant:
      return "TENANT";
    case Subject::customer:
      return "TENANT/CUSTOMER";
    case Subject::subscriber:
      return "TENANT/SUBSCRIBER";
    case Subject::peer:
      return "TENANT/PEER";
    case Subject::server:
      return "SERVER";
  }
  return "";
}

// What the command line says beside the members.
struct Said {
  PublishOptions publish;
  std::string subject;
  Json data = Json::object();
  bool yes = false;
};

// The members that name the subject; false where its name has not the right parts.
bool name_subject(const Verb& verb, const std::string& text, Json& data) {
  if (verb.subject == Subject::server || verb.subject == Subject::tenant) {
    data[verb.subject == Subject::server ? "server" : "tenant"] = text;
    return !text.empty();
  }
  const auto parts = peer_name_from(text);
  if (!parts) return false;
  data["tenant"] = parts->first;
  const bool is_peer = verb.subject == Subject::peer;
  data[is_peer ? "peer" : verb.subject == Subject::customer ? "customer" : "subscriber"] = parts->second;
  return true;
}

void add_option(CLI::App& app, const VerbOption& option, const std::shared_ptr<Said>& said) {
  const std::string member = option.member;
  Json* const data = &said->data;
  switch (option.kind) {
    case Kind::text:
      app.add_option_function<std::string>(
             option.flag, [data, member](const std::string& value) { (*data)[member] = value; }, option.help)
          ->type_name(option.type_name);
      return;
    case Kind::number:
      app.add_option_function<std::int64_t>(
             option.flag, [data, member](std::int64_t value) { (*data)[member] = value; }, option.help)
          ->type_name(option.type_name);
      return;
    case Kind::yes:
    case Kind::no:
      app.add_flag_callback(
          option.flag, [data, member, value = option.kind == Kind::yes] { (*data)[member] = value; }, option.help);
  }
}

Exit do_verb(const Verb& verb, const Globals& globals, const Said& said) {
  PublishOptions publishing = said.publish;
  Json data = said.data;
  if (!name_subject(verb, said.subject, data)) {
    return usage(std::string("what it is about is named as ") + type_name_of(verb.subject));
  }
  if (*verb.member != '\0') data[verb.member] = false;
  publishing.words.type = verb.event;
  publishing.words.data = line_of(data);
  const bool asks = verb.destroys && !publishing.dry_run;
  if (asks &&
      !confirmed(said.yes, std::string(verb.group) + ' ' + verb.name + ' ' + said.subject + " cannot be undone.")) {
    return Exit::usage;
  }
  return publish(globals, publishing);
}

Action setup_verb(const Verb& verb, CLI::App& app) {
  const auto said = std::make_shared<Said>();
  app.add_option(verb.group, said->subject, "Whom or what it is about")
      ->type_name(type_name_of(verb.subject))
      ->required();
  for (const VerbOption& option : verb.options) add_option(app, option, said);
  app.add_option("--id", said->publish.words.id, "The event's id (else a random UUID)")->type_name("ID");
  app.add_option("--user", said->publish.words.user, "Who says it, in the source peerwright-cli/USER (else $USER)")
      ->type_name("USER");
  if (verb.destroys) app.add_flag("--yes", said->yes, "Do not ask; needed without a terminal");
  add_following(app, said->publish);
  return [&verb, said](const Globals& globals) { return do_verb(verb, globals, *said); };
}

}  // namespace

std::vector<Command> verbs() {
  std::vector<Command> all;
  for (const Verb& verb : kVerbs) {
    all.push_back({verb.group, verb.name, verb.help, [&verb](CLI::App& app) { return setup_verb(verb, app); }});
  }
  return all;
}

}  // namespace peerwright::cli

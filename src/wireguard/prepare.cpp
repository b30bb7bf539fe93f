#include "peerwright/wireguard/prepare.hpp"

#include <algorithm>
#include <array>

#include "host_reply.hpp"
#include "peerwright/wireguard/key.hpp"

// The plan of src/ssh/scripts/prepare.sh, line by line:
//   #prepare
//   address ADDRESS/LENGTH                       one for each
//   port LISTENPORT
//   mtu BYTES                                    where it is set
//   forward 4|6                                  one for each family
//   expect PUBLICKEY                             any number of them
//   key PRIVATEKEY                               where one is sent
//   file MODE PATH                               any number of them, each with
//   >LINE                                        the lines of its content
//   #end
// and the answer:
//   ok|did|would|skipped WHAT                    any number of them
//   key PUBLICKEY PUBLICKEY                      of the interface and of the saved file; "-" where there is none
//   end ok STEPLINES
// or, behind the steps so far and with the exit status that push.sh has for the code,
//   error CODE DETAIL
//   end CODE
namespace peerwright::wireguard {
namespace {

constexpr std::array<std::string_view, 4> kStates{"ok", "did", "would", "skipped"};
constexpr std::string_view kPathChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-/@";

bool is_file(const InstalledFile& file) {
  return file.path.starts_with('/') && file.path.find_first_not_of(kPathChars) == std::string::npos &&
         file.content.ends_with('\n') && file.content.find('\0') == std::string::npos;
}

std::string octal(int mode) {
  std::string digits;
  for (int rest = mode; rest > 0; rest /= 8) digits.insert(digits.begin(), static_cast<char>('0' + rest % 8));
  return digits;
}

void append_file(std::string& text, const InstalledFile& file) {
  text += "file " + octal(file.mode) + ' ' + file.path + '\n';
  for (const std::string_view line : lines_of(file.content)) (text += '>').append(line) += '\n';
}

std::optional<PrepareStep> step_from(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view state = line.substr(0, space);
  if (std::find(kStates.begin(), kStates.end(), state) == kStates.end()) return std::nullopt;
  return PrepareStep{std::string(state), std::string(line.substr(space + 1))};
}

bool read_key(std::string_view word, std::string& key) {
  if (word == "-") return true;
  key = word;
  return check_public_key(word).has_value();
}

Result<Prepared> read_success(std::string_view output) {
  const auto lines = lines_of(output);
  Prepared prepared;
  prepared.steps = steps_in(output);
  if (lines.size() < 2 || lines.size() - 2 != prepared.steps.size()) return incomplete("lines are missing");
  const auto keys = split(lines[lines.size() - 2], ' ');
  if (keys.size() != 3 || keys[0] != "key" || !read_key(keys[1], prepared.interface_key) ||
      !read_key(keys[2], prepared.file_key)) {
    return incomplete("a short key line");
  }
  if (lines.back() != "end ok " + std::to_string(prepared.steps.size())) return incomplete("no end mark");
  return prepared;
}

// What is to be done about it before there is a server is another matter than while it is pushed to.
Error with_remedy(Error error) {
  if (error.code == "host_answer_incomplete") error.remedy = "run it again: what was done is seen, and not done twice";
  if (error.code == "host_tool_missing") {
    error.remedy = "install it: on Debian, apt-get install wireguard-tools nftables iproute2 has all that is not there";
  }
  if (error.code == "interface_key_changed") {
    error.remedy =
        "nothing was changed; for the stored key to be put there, take the interface down and PrivateKey out of its "
        "file; "
        "or register the host's key, where none is stored";
  }
  return error;
}

}  // namespace

bool Prepared::changes() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const PrepareStep& step) { return step.state == "did" || step.state == "would"; });
}

Result<Secret> render_prepare(const PreparePlan& plan) {
  std::string text = "#prepare\n";
  for (const Prefix& address : plan.addresses) text += "address " + address.text() + '\n';
  text += "port " + std::to_string(plan.listen_port) + '\n';
  if (plan.mtu > 0) text += "mtu " + std::to_string(plan.mtu) + '\n';
  for (const bool ipv4 : {true, false}) {
    const auto is_of_family = [ipv4](const Prefix& address) { return address.is_ipv4() == ipv4; };
    if (!std::any_of(plan.addresses.begin(), plan.addresses.end(), is_of_family)) continue;
    text += ipv4 ? "forward 4\n" : "forward 6\n";
  }
  for (const std::string& key : plan.expected_keys) text += "expect " + key + '\n';
  for (const InstalledFile& file : plan.files) {
    if (!is_file(file)) {
      return permanent("host_setting_invalid", "a file for the host has no usable path or content: " + file.path,
                       "correct it: an absolute path, and lines that have their end");
    }
    append_file(text, file);
  }
  std::string end = "#end\n";
  if (!plan.private_key.empty()) end.insert(0, "key " + std::string(plan.private_key.reveal()) + '\n');
  std::string whole = text + end;
  wipe(end);
  Secret rendered(whole);
  wipe(whole);
  return rendered;
}

std::vector<PrepareStep> steps_in(std::string_view output) {
  std::vector<PrepareStep> steps;
  for (const std::string_view line : split(output, '\n')) {
    if (auto step = step_from(line)) steps.push_back(*std::move(step));
  }
  return steps;
}

Result<Prepared> parse_prepared(std::string_view output, std::optional<int> exit_status) {
  if (!exit_status) return tl::unexpected(with_remedy(incomplete("the script's exit status did not arrive").value()));
  if (*exit_status != 0) return tl::unexpected(with_remedy(failure_of(output, *exit_status, "end")));
  auto prepared = read_success(output);
  if (!prepared) return tl::unexpected(with_remedy(prepared.error()));
  return prepared;
}

}  // namespace peerwright::wireguard

#include <array>
#include <memory>
#include <regex>

#include "pages.hpp"

// Networks, and who held which address.
namespace peerwright::cli {
namespace {

constexpr std::array kColumns{Column{"NETWORK", "network"},
                              Column{"IPV4", "ipv4"},
                              Column{"IPV6", "ipv6"},
                              Column{"SERVERS", "servers"},
                              Column{"ADDRESSES", "addresses"},
                              Column{"HELD", "held"},
                              Column{"RESTING", "resting"},
                              Column{"FREE", "free"},
                              Column{"QUARANTINE", "quarantine_seconds", true},
                              Column{"FORBIDDEN", "forbidden", true}};
constexpr View kView{"networks", [](const Json& row) { return row.at("network").get<std::string>(); }, kColumns};

constexpr std::array kHolderColumns{Column{"TENANT", "tenant"}, Column{"PEER", "peer"}, Column{"NETWORK", "network"},
                                    Column{"FROM", "from"}, Column{"UNTIL", "until"}};
constexpr View kHolders{
    "holders",
    [](const Json& row) { return row.at("tenant").get<std::string>() + '/' + row.at("peer").get<std::string>(); },
    kHolderColumns};

struct Page {
  std::string after;
  int limit = 0;
};

struct Question {
  std::string address;
  std::string at;
};

Exit answer(const Globals& globals, const Question& question) {
  const auto address = wireguard::Prefix::parse(question.address);
  if (!address || question.address.find('/') != std::string::npos)
    return usage("an address is asked for, without a length");
  const auto at = question.at.empty() ? std::optional<Time>() : time_from(question.at);
  if (!at && !question.at.empty()) return usage("--at expects a time as 2026-01-31T10:00:00Z");
  const auto database = open_database(globals);
  if (!database) return database.error();
  const auto found = store::QueryStore(*database).holders(*address, at);
  if (!found) return fail(found.error());
  std::vector<Json> rows;
  for (const store::HolderView& holder : *found) rows.push_back(row_of(holder));
  print_list(globals.format, kHolders, rows);
  return rows.empty() ? Exit::not_found : Exit::ok;
}

}  // namespace

std::optional<Time> time_from(const std::string& text) {
  using namespace std::chrono;
  static const std::regex kForm(
      R"((\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?([Zz]|([+-])(\d\d):(\d\d)))");
  std::smatch m;
  if (!std::regex_match(text, m, kForm)) return std::nullopt;
  const auto number = [&m](std::size_t group) { return m[group].matched ? std::stoi(m[group].str()) : 0; };
  const year_month_day date(year(number(1)), month(static_cast<unsigned>(number(2))),
                            day(static_cast<unsigned>(number(3))));
  if (!date.ok() || number(4) > 23 || number(5) > 59 || number(6) > 60) return std::nullopt;
  const auto ahead = (hours(number(10)) + minutes(number(11))) * (m[9].str() == "-" ? -1 : 1);
  const std::string digits = (m[7].matched ? m[7].str().substr(1) : std::string()) + "000000";
  return Time(sys_days(date)) + hours(number(4)) + minutes(number(5)) + seconds(number(6)) - ahead +
         microseconds(std::stoi(digits.substr(0, 6)));
}

Action setup_network_list(CLI::App& app) {
  const auto page = std::make_shared<Page>();
  app.add_option("--after", page->after, "Behind this one: the next page")->type_name("NETWORK");
  add_limit(app, page->limit);
  return [page](const Globals& globals) {
    return print_page(globals, page->limit, kView,
                      [&](store::QueryStore& store, int most) { return store.networks(page->after, most); });
  };
}

Action setup_network_show(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  app.add_option("network", *name, "The network")->type_name("NETWORK")->required();
  return [name](const Globals& globals) {
    const Error missing{"network_not_found", "there is no network " + *name, "see `peerwright network list`",
                        Retry::never};
    return print_found(globals, kView, missing, [&](store::QueryStore& store) { return store.network(*name); });
  };
}

Action setup_address_who(CLI::App& app) {
  const auto question = std::make_shared<Question>();
  app.add_option("address", question->address, "The address, IPv4 or IPv6")->type_name("IP")->required();
  app.add_option("--at", question->at, "Then (else now)")->type_name("RFC3339");
  return [question](const Globals& globals) { return answer(globals, *question); };
}

}  // namespace peerwright::cli

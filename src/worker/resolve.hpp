#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace peerwright::worker {

// Looks names up for endpoints that a host is to be told as literals. A few threads of its own ask the system's
// resolver, which knows no deadline; answers are kept for a while, failures for a shorter one. Safe from every thread.
class Resolver {
 public:
  Resolver();
  ~Resolver();  // waits for a question that is under way: some seconds at most
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // By endpoint ("host:port", "[v6]:port"): the literal "192.0.2.1:51820" or "[2001:db8::1]:51820". What is no
  // endpoint, names nothing, or is not known within `deadline` is missing; an answer that comes later is there the next
  // time. A name that was waited for in vain, or named nothing, is asked again without a wait.
  std::map<std::string, std::string> resolve(const std::set<std::string>& endpoints,
                                             std::chrono::milliseconds deadline);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace peerwright::worker

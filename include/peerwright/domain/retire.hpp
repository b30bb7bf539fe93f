#pragma once

#include "peerwright/domain/model.hpp"

namespace peerwright::domain {

// Whether a server's end is still to be proven: it was retired, there is no proof yet, and no operator has given its
// host up. Its host is gone to, and orders about what stands there are taken.
bool is_leaving(const Server& server);

}  // namespace peerwright::domain

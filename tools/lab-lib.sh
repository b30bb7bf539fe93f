# shellcheck shell=bash
# The network of tools/lab and the life of its machines. Sourced by tools/lab, after lib.sh; what runs inside a machine
# is lab-node.sh.

readonly kBootSeconds=30
readonly kStopSeconds=20
readonly kHostPath=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
kLabTools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly kLabTools

dir= # the lab's directory
id=  # a part of every name that the lab gives
hub= # the namespace of the bridge

open_lab() {
  dir=$(instance_find lab PEERWRIGHT_LAB_DIR)
  read -r id <"$dir/id" || die "$dir: the lab is half made; remove it with \`tools/lab down\`"
  hub=pw-$id-hub
}

lock_lab() {
  exec 9>"$dir/lock"
  flock 9
}

# find_id: the lab's own, else the caller's, else one made from the directory's name.
find_id() {
  id=${PEERWRIGHT_LAB_ID:-$(sha256sum <<<"$dir" | cut -c1-6)}
  if [ -s "$dir/id" ]; then read -r id <"$dir/id"; fi
  [[ $id =~ ^[a-z0-9]{1,6}$ ]] || die "PEERWRIGHT_LAB_ID: up to 6 of a-z0-9"
  hub=pw-$id-hub
}

# A node is a host or a client: a directory, a namespace and a link in the hub.
node_dir() { echo "$dir/$1/$2"; }             # hosts K | clients NAME
node_ns() { echo "pw-$id-${1:0:1}-$2"; }
node_index() { cat "$dir/$1/$2/index"; }
node_link() { echo "${1:0:1}$(node_index "$1" "$2")"; }

# node_address KIND INDEX: hosts begin at .0.11, clients at .128.11, 200 to each /24.
node_address() {
  local base=0
  [ "$1" = hosts ] || base=128
  echo "$(cat "$dir/prefix").$((base + ($2 - 1) / 200)).$((($2 - 1) % 200 + 11))"
}

ns_exists() { [ -e "/run/netns/$1" ]; }
ns_pids() { if ns_exists "$1"; then ip netns pids "$1"; fi; }

# node_pid KIND NAME: the first process of a running node; fails when it isn't running.
node_pid() {
  local pid
  pid=$(cat "$(node_dir "$1" "$2")/init.pid" 2>/dev/null) || return 1
  [ "$(ip netns identify "$pid" 2>/dev/null)" = "$(node_ns "$1" "$2")" ] && echo "$pid"
}

node_state() {
  local pid
  if ! pid=$(node_pid "$1" "$2"); then
    echo stopped
  elif [ "$(pid_state "$pid")" = T ]; then
    echo frozen
  else
    echo running
  fi
}

node_known() { [ -d "$(node_dir "$1" "$2")" ] || die "the lab has no such one of its $1: $2"; }

# --- the network ---------------------------------------------------------------------------------------------------

# claim_prefix LINK FORBIDDEN: takes a 10.x/16 by making its route, which succeeds for one lab only. The first round
# keeps out of larger networks that the machine routes already.
claim_prefix() {
  local link=$1 forbidden=$2 round octet prefix
  for round in careful any; do
    for octet in 99 {64..127}; do
      prefix=10.$octet
      [ "$prefix" != "$forbidden" ] || continue
      [ -z "$(ip -4 route show root "$prefix.0.0/16")" ] || continue
      if [ "$round" = careful ] && ip -4 route show match "$prefix.0.0/16" | grep -qv '^default'; then continue; fi
      ip addr add "$prefix.255.254/16" dev "$link" noprefixroute
      if ip route add "$prefix.0.0/16" dev "$link" src "$prefix.255.254" 2>/dev/null; then
        echo "$prefix" >"$dir/prefix"
        return 0
      fi
      ip addr del "$prefix.255.254/16" dev "$link"
    done
  done
  die "no unused 10.x/16 between 10.64 and 10.127"
}

# claim_id: the hub's namespace is made first, which succeeds for one lab only. From then on the lab's directory has the
# id, and `down` removes what goes by it.
claim_id() {
  if [ -s "$dir/id" ]; then die "$dir: the lab is half made; remove it with \`tools/lab down\`"; fi
  ip netns add "$hub" 2>/dev/null || die "the id $id belongs to another lab: choose another PEERWRIGHT_LAB_ID"
  echo "$id" >"$dir/id"
}

make_hub() {
  local link=pw-$id
  if [ -e "$dir/prefix" ]; then return 0; fi
  claim_id
  mkdir -p "$dir/hosts" "$dir/clients"
  rm -f "$dir/client_key"
  ssh-keygen -q -t ed25519 -N '' -C "lab-$id" -f "$dir/client_key"
  ip -n "$hub" link set lo up
  ip -n "$hub" link add br0 type bridge
  ip -n "$hub" link set br0 up
  ip link add "$link" type veth peer name uplink netns "$hub"
  ip -n "$hub" link set uplink master br0 up
  ip link set "$link" up
  claim_prefix "$link" "$(cut -d. -f1,2 <<<"$1")"
}

# make_network KIND NAME: the MAC follows from the index, so that neighbours find a rebooted node at once.
make_network() {
  local index ns link base=0
  index=$(node_index "$1" "$2")
  ns=$(node_ns "$1" "$2")
  link=$(node_link "$1" "$2")
  [ "$1" = hosts ] || base=1
  ip netns add "$ns"
  ip -n "$hub" link add "$link" type veth peer name eth0 netns "$ns"
  ip -n "$hub" link set "$link" master br0 up
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 address "$(printf '02:70:77:%02x:%02x:%02x' $base $((index / 256)) $((index % 256)))" up
  ip -n "$ns" addr add "$(node_address "$1" "$index")/16" dev eth0
}

# --- life of a node ------------------------------------------------------------------------------------------------

booted_or_dead() { node_pid "$1" "$2" >/dev/null || ! kill -0 "$3" 2>/dev/null; }

start_node() {
  local kind=$1 name=$2 home
  home=$(node_dir "$kind" "$name")
  [ "$(node_state "$kind" "$name")" = stopped ] || return 0
  end_node "$kind" "$name" # what an interrupted start or a died first process left
  make_network "$kind" "$name"
  env -i PATH="$kHostPath" HOME=/root setsid nsenter --net="/run/netns/$(node_ns "$kind" "$name")" \
    unshare --mount --uts --propagation private "$kLabTools/lab-node.sh" "$kind" "$name" "$home" \
    </dev/null >"$home/boot.log" 2>&1 9>&- &
  disown
  wait_until "$kBootSeconds" booted_or_dead "$kind" "$name" $! || true
  node_pid "$kind" "$name" >/dev/null || { show_log "$home/boot.log" && die "$name of the $kind did not boot"; }
}

kill_all() {
  local pids
  mapfile -t pids < <(ns_pids "$1")
  [ "${#pids[@]}" -gt 0 ] || return 0
  signal_pids KILL "${pids[@]}"
  return 1
}

# end_node KIND NAME: processes, then link and namespace; the link goes by name, since a namespace dissolves late.
end_node() {
  local ns
  ns=$(node_ns "$1" "$2")
  wait_until "$kStopSeconds" kill_all "$ns" || die "processes of $ns do not end"
  ip -n "$hub" link del "$(node_link "$1" "$2")" 2>/dev/null || true
  if ns_exists "$ns"; then ip netns del "$ns"; fi
  rm -f "$(node_dir "$1" "$2")/init.pid"
}

# stand_still NS: succeeds when each process stands; one may fork before its own turn comes.
stand_still() {
  local pid moving=0
  for pid in $(ns_pids "$1"); do
    [ "$(pid_state "$pid")" != T ] || continue
    signal_pids STOP "$pid"
    moving=1
  done
  [ "$moving" -eq 0 ]
}

# run_in KIND NAME [COMMAND...]
run_in() {
  local pid
  pid=$(node_pid "$1" "$2") || die "$2 is not running"
  shift 2
  [ $# -gt 0 ] || set -- bash
  exec nsenter --target "$pid" --net --mount --uts env HOME=/root "$@"
}

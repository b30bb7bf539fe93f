#!/usr/bin/env bash
# The first process of a machine of tools/lab: it runs inside the machine's namespaces, mounts its private directories,
# brings its interface up and, for a host, sshd; then it sleeps in the machine's place until it is killed.
# usage: lab-node.sh hosts|clients NAME HOME
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly kDefaultMtu=1280
readonly kSshdSeconds=10
readonly kPrivateDirs=(/etc /usr/local /var/lib) # a host sees the machine's, and writes its own

kind=$1
name=$2
home=$3

# conf_values FILE KEY: the comma-separated values of an [Interface] key, one a line.
conf_values() {
  awk -v wanted="${2,,}" '
    { sub(/#.*/, "") }
    /^[ \t]*\[/ { inside = tolower($0) ~ /\[interface\]/; next }
    inside && (at = index($0, "=")) {
      key = tolower(substr($0, 1, at - 1)); gsub(/[ \t]/, "", key)
      if (key == wanted) { value = substr($0, at + 1); gsub(/[ \t\r]/, "", value); gsub(/,/, "\n", value); print value }
    }' "$1"
}

# routes ADDRESS...: of `wg show allowed-ips` on stdin the networks that no address of the interface covers.
routes() {
  python3 -c '
import ipaddress, sys
own = [ipaddress.ip_interface(text).network for text in sys.argv[1:]]
for word in sorted({word for line in sys.stdin for word in line.split()[1:]} - {"(none)"}):
    net = ipaddress.ip_network(word)
    if not any(net.version == one.version and net.subnet_of(one) for one in own):
        print("route replace", net, "dev wg0")' "$@"
}

bring_up_wireguard() {
  local conf=$1 address addresses mtu
  mapfile -t addresses < <(conf_values "$conf" Address)
  mtu=$(conf_values "$conf" MTU)
  LOG_LEVEL=error wireguard-go wg0
  wg setconf wg0 <(wg-quick strip "$conf")
  for address in "${addresses[@]}"; do ip addr add "$address" dev wg0; done
  ip link set wg0 addrgenmode none # like a kernel interface: no link-local address, which wg-quick save would keep
  ip link set wg0 mtu "${mtu:-$kDefaultMtu}" up
  wg show wg0 allowed-ips | routes "${addresses[@]}" | ip -batch -
}

# own_directories: where overlays don't work (a file system that cannot carry them), the host shares the machine's.
own_directories() {
  local path layer
  for path in "${kPrivateDirs[@]}"; do
    layer=$home/disk$path
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay -o "lowerdir=$path,upperdir=$layer/upper,workdir=$layer/work" overlay "$path" ||
      note "$path is shared with this machine: no overlay"
  done
  # Without PAM sshd refuses a locked root; in the host's own /etc that can be mended.
  if mountpoint -q /etc && grep -q '^root:!' /etc/shadow; then sed -i 's/^root:!*/root:*/' /etc/shadow; fi
}

# start_unit: what systemd does at boot, by wg-quick@wg0.service; a bare host has no such file, and boots without.
start_unit() {
  [ -e /etc/wireguard/wg0.conf ] || return 0
  sysctl -qw net.ipv6.conf.default.addr_gen_mode=1 # like a kernel interface: no link-local address
  LOG_LEVEL=error wg-quick up wg0
}

boot_host() {
  own_directories
  mount --bind "$home/wireguard" /etc/wireguard
  mount --bind "$home/root" /root
  mkdir -m 755 /run/sshd
  sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  start_unit
  /usr/sbin/sshd -f "$home/sshd_config" -E "$home/sshd.log"
  wait_until "$kSshdSeconds" test -s /run/sshd.pid || { show_log "$home/sshd.log" && die "sshd did not start"; }
}

mount -t tmpfs -o mode=755,size=64m tmpfs /run
mkdir -m 755 /run/lock
mkdir -m 700 /run/wireguard
hostname "${kind%s}-$name"
case $kind in
hosts) boot_host ;;
clients) bring_up_wireguard "$home/wg0.conf" ;;
esac
echo $$ >"$home/init.pid.new"
mv "$home/init.pid.new" "$home/init.pid"
exec sleep infinity

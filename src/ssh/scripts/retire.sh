# The end of a server on its host: takes down the interface, its unit and its firewall, removes the configuration with the
# private key, and answers that they are absent.
#   sh -c SCRIPT peerwright INTERFACE CONFIG INSTALLATION NUMBER [KEY]
# KEY: the public key of the right interface. Standard input is a plan (render_push) that names the keys which may still
# stand there; where any other does, nothing is taken down. Standard output is the answer (parse_retired), or a refusal as
# push.sh tells its own. It shares the lock and the number with push.sh: CONFIG.push stays, so that no older push brings
# anything back. Each step looks first, so it may be repeated wherever it ended. POSIX sh with tools of coreutils or of
# BusyBox.
set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export LC_ALL PATH
interface=$1 config=$2 installation=$3 number=$4 expected_key=${5:-}
nft_file=${config%/*}/peerwright-$interface.nft
unit=wg-quick@$interface
lock_seconds=20
most_looks=50 # at what is to become absent, a tenth of a second apart
# As in push.sh: a refusal has the same exit status in all scripts.
codes='plan_incomplete push_number_refused host_of_other_installation prefix_taken_on_host host_tool_missing
host_config_missing interface_missing wg_refused host_busy host_storage_failed interface_key_changed
nft_refused host_script_outdated host_command_refused host_not_root host_key_missing host_step_failed own_way_cut
peers_left_on_host'

fail() { # CODE DETAIL...
  status=10
  for code in $codes; do
    [ "$code" != "$1" ] || break
    status=$((status + 1))
  done
  printf 'error %s\nend %s %s\n' "$*" "$number" "$1"
  exit "$status"
}

for tool in wg flock awk sed sync mv rm cat tail timeout sleep; do
  command -v "$tool" >/dev/null 2>&1 || fail host_tool_missing "$tool"
done

# A cut connection looks like the end of the input, so nothing may happen before the end mark is seen. The plan holds
# nothing but public keys, and stays in this shell.
plan=$(cat)
[ "$(printf '%s\n' "$plan" | tail -n 1)" = '#end' ] || fail plan_incomplete "no end mark"
case $plan in '#plan '*) ;; *) fail plan_incomplete "no first line" ;; esac

# --- the fence, as in push.sh ---------------------------------------------------------------------------------------

true 2>/dev/null >>"$config.lock" || fail host_storage_failed "cannot write $config.lock"
exec 9>>"$config.lock"
flock -n 9 || timeout "$lock_seconds" flock 9 || fail host_busy "$config.lock is held" # BusyBox has no flock -w
stored=''
if [ -e "$config.push" ]; then
  read -r stored_installation stored rest <"$config.push"
  case $stored in '' | *[!0-9]*) fail host_storage_failed "$config.push is damaged" ;; esac
  [ "$stored_installation" = "$installation" ] || fail host_of_other_installation "$stored_installation"
  [ "$number" -gt "$stored" ] || fail push_number_refused "$stored"
fi
there() { [ -e "$config" ] || [ -L "$config" ]; }
# Its absence says something only where we have been before, and not on a disk that is not mounted.
if there; then
  [ ! -L "$config" ] || fail host_step_failed "rm $config: it is a link; what it leads to is for its owner to remove"
  [ -f "$config" ] || fail host_config_missing "$config"
else
  [ -n "$stored" ] || fail host_config_missing "$config"
fi

# --- whose it is ----------------------------------------------------------------------------------------------------

# Whether the interface is not there: wg has to say so, and the kernel's own list too. Not readable is not absent.
absent() {
  ! said=$(wg show "$interface" public-key 2>&1) || return 1
  case $said in *": No such device"* | *": Protocol not supported"*) ;; *) return 1 ;; esac
  awk -v name="$interface" '{ sub(/^[ \t]+/, "") } index($0, name ":") == 1 { found = 1 }
    END { exit NR && !found ? 0 : 1 }' /proc/net/dev
}

# Public keys, a line each: "peer KEY", and "own KEY" of the interface. Of the private keys and preshared keys beside them
# nothing else comes out.
in_kernel() {
  { wg show "$interface" dump 2>/dev/null && echo '~end'; } |
    awk 'NF == 4 { print "own", $2 } NF == 8 { print "peer", $1 } $1 == "~end" { print "end" }'
}
in_section() { # SECTION NAME, of standard input: the values of the setting
  awk -v section="$1" -v wanted="$2" '
    /^[ \t]*\[/ { inside = tolower($0) ~ "\\[[ \t]*" section; next }
    inside && (at = index($0, "=")) {
      name = tolower(substr($0, 1, at - 1))
      value = substr($0, at + 1)
      sub(/#.*/, "", value)
      gsub(/[ \t\r]/, "", name)
      gsub(/[ \t\r]/, "", value)
      if (name == wanted) print value
    }'
}
in_file() {
  text=$(cat "$config" && echo '~end')
  case $text in *'~end') ;; *) return 1 ;; esac
  printf '%s\n' "$text" | in_section peer publickey | sed 's/^/peer /'
  printf '%s\n' "$text" | in_section interface privatekey | wg pubkey 2>/dev/null | sed 's/^/own /'
  echo end
}
# Where anything stands that is not to go, nothing is taken down: it is somebody's.
refuse_others() { # KEYS
  other=$(printf '%s\n%s\n' "$plan" "$1" | awk -v expected="$expected_key" '
    function is_key(text) { return length(text) == 44 && text ~ /^[A-Za-z0-9+\/]+[AEIMQUYcgkosw048]=$/ }
    $1 == "#remove" { ours[$2] = 1 }
    $1 == "own" && expected != "" && is_key($2) && $2 != expected { wrong = $2 }
    $1 == "peer" && is_key($2) && !($2 in ours) { left = $2 }
    END { if (wrong != "") print "own", wrong; else if (left != "") print "peer", left }')
  case $other in
    'own '*) fail interface_key_changed "${other#* }" ;;
    'peer '*) fail peers_left_on_host "${other#* }" ;;
  esac
}

if ! absent; then
  keys=$(in_kernel)
  case $keys in *end) refuse_others "$keys" ;; *) fail wg_refused "wg show" ;; esac
fi
if there; then
  keys=$(in_file) || fail host_storage_failed "cannot read $config"
  refuse_others "$keys"
fi

# From here on no older push is taken, not even after a crash of the host.
{ printf '%s %s\n' "$installation" "$number" >"$config.push.new" && sync "$config.push.new" &&
  mv -f "$config.push.new" "$config.push" && sync "${config%/*}/"; } ||
  fail host_storage_failed "cannot write $config.push"

# --- down with it ---------------------------------------------------------------------------------------------------

# What runs on after this script must not hold its lock. What is said is not passed on: it is in the host's journal.
quietly() { "$@" </dev/null >/dev/null 2>&1 9>&-; }

unit_is() { # is-enabled|is-active STATE...
  said=$(systemctl "$1" "$unit" 2>/dev/null)
  shift
  for state in "$@"; do [ "$said" != "$state" ] || return 0; done
  return 1
}
# First, so that it does not come back with a reboot. /etc/wireguard is all that the unit reads.
stop_unit() {
  { [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; } || return 0
  [ "$config" = "/etc/wireguard/$interface.conf" ] || return 0
  if unit_is is-enabled enabled enabled-runtime; then
    { quietly systemctl disable "$unit" && ! unit_is is-enabled enabled enabled-runtime; } ||
      fail host_step_failed "systemctl disable $unit"
  fi
  if unit_is is-active active activating reloading deactivating; then
    quietly systemctl stop "$unit" || fail host_step_failed "systemctl stop $unit: see journalctl -u $unit"
  fi
}

# WireGuard in user space ends a little after its device.
becomes_absent() {
  looks=0
  until absent; do
    looks=$((looks + 1))
    [ "$looks" -le "$most_looks" ] || return 1
    sleep 0.1 2>/dev/null || sleep 1
  done
}
# wg-quick undoes also what else it did for the interface; where it cannot, the device goes alone.
quick_down() {
  there && [ "${config##*/}" = "$interface.conf" ] && command -v wg-quick >/dev/null 2>&1 || return
  quietly wg-quick down "$config" && becomes_absent
}
take_interface_down() {
  ! absent && ! quick_down || return 0
  command -v ip >/dev/null 2>&1 || fail host_tool_missing ip
  quietly ip link delete dev "$interface"
  becomes_absent || fail host_step_failed "ip link delete dev $interface"
}

# No packet comes out of the tunnel any more: now its rules may go.
table=peerwright_$(printf %s "$interface" | sed 's,+,/p,g; s,=,/e,g')
has_table() {
  command -v nft >/dev/null 2>&1 || return 1
  ! said=$(nft list table inet "$table" 2>&1) || return 0
  case $said in
    Error:*'No such file or directory'* | *' not supported'*) return 1 ;;
    *) fail nft_refused "list: $(printf '%s\n' "$said" | sed -n 1p)" ;;
  esac
}
remove_firewall() {
  ! has_table || quietly nft delete table inet "$table" || fail nft_refused "delete"
}

# With the copy that prepare.sh kept, and what a script or wg-quick that was killed has left of it: they hold the key too.
remove_files() {
  { rm -f "$nft_file" "$nft_file.new" "$config" "$config.new" "$config.tmp" "$config".before* &&
    rm -rf "$config".work.*.* && sync "${config%/*}/"; } || fail host_storage_failed "cannot remove $config"
}

stop_unit
take_interface_down
remove_firewall
remove_files

absent || fail host_step_failed "$interface is there again"
! has_table || fail host_step_failed "nft delete table inet $table"
{ ! there && [ ! -e "$nft_file" ] && [ ! -e "$config.before" ]; } || fail host_step_failed "rm $config"
printf 'absent interface firewall config\nend %s ok 0 0\n' "$number"

# Makes a WireGuard server out of a host, or tells what is missing:
#   sh -c SCRIPT peerwright INTERFACE CONFIG MODE INSTALLATION      MODE: prepare, or look, which changes nothing
# Standard input is a plan (render_prepare), standard output the answer (parse_prepared): see wireguard/prepare.hpp.
# POSIX sh with the tools of push.sh, as root. Every step looks first, does what is missing, and looks again: nothing is
# said to be done that does not hold. No private or preshared key leaves the host, stands in an argument, or is written
# anywhere but into CONFIG. What is there stays: a private key, [Peer] sections, other addresses, a running interface.
set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export LC_ALL PATH
interface=$1 config=$2 mode=$3 installation=$4
directory=${config%/*}
pre_up="test ! -e $directory/peerwright-%i.nft || nft -f $directory/peerwright-%i.nft" # see push.sh
# Behind Debian's 99-sysctl.conf, which is /etc/sysctl.conf: what is read last counts after a reboot.
sysctl_file=/etc/sysctl.d/99-zz-peerwright-$interface.conf
old_sysctl_file=/etc/sysctl.d/99-peerwright-$interface.conf
unit=wg-quick@$interface
lock_seconds=20
# As in push.sh, and more: a refusal has the same exit status in all scripts.
codes='plan_incomplete push_number_refused host_of_other_installation prefix_taken_on_host host_tool_missing
host_config_missing interface_missing wg_refused host_busy host_storage_failed interface_key_changed
nft_refused host_script_outdated host_command_refused host_not_root host_key_missing host_step_failed'

fail() { # CODE DETAIL...
  status=10
  for code in $codes; do
    [ "$code" != "$1" ] || break
    status=$((status + 1))
  done
  printf 'error %s\nend %s\n' "$*" "$1"
  exit "$status"
}

steps=0
say() { # ok|did|would|skipped WHAT
  printf '%s %s\n' "$1" "$2"
  steps=$((steps + 1))
}

# Whether LOOK holds; else DO, after which it has to.
step() { # WHAT LOOK DO [ARGUMENT OF BOTH...]
  what=$1 look=$2 make=$3
  shift 3
  if "$look" "$@" >/dev/null 2>&1; then
    say ok "$what"
  elif [ "$mode" = look ]; then
    say would "$what"
  else
    why=''
    "$make" "$@" >/dev/null 2>&1 || fail host_step_failed "$what${why:+: $why}"
    "$look" "$@" >/dev/null 2>&1 || fail host_step_failed "$what: was done, and does not hold"
    say did "$what"
  fi
}

missing=''
for tool in wg nft ip flock awk sha256sum sync mv timeout sort xargs sed cmp mktemp tail wc stat tr cat id chmod chown \
  mkdir grep; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -z "$missing" ] || fail host_tool_missing "${missing# }"
[ "$(id -u)" = 0 ] || fail host_not_root "$(id -u)"

# A cut connection looks like the end of the input, so nothing may happen before the end mark is seen. The plan, which
# may hold a private key, stays in this shell.
plan=$(cat)
case $plan in
  '#prepare
'*'
#end') ;;
  *) fail plan_incomplete "no end mark" ;;
esac
planned() { printf '%s\n' "$plan" | sed -n "s/^$1 //p"; } # NAME: the values behind it, one a line

# --- what is there --------------------------------------------------------------------------------------------------

running() { wg show "$interface" public-key; }
config_there() { [ -e "$config" ]; }

# The values of a setting of [Interface], one a line.
in_file() { # NAME, in lower case
  [ ! -f "$config" ] || awk -v name="$1" '
    /^[ \t]*\[/ { inside = tolower($0) ~ /^[ \t]*\[[ \t]*interface/; next }
    inside && (at = index($0, "=")) {
      key = tolower(substr($0, 1, at - 1))
      gsub(/[ \t]/, "", key)
      value = substr($0, at + 1)
      sub(/#.*/, "", value)
      gsub(/^[ \t]+|[ \t\r]+$/, "", value)
      if (key == name && value != "") print value
    }' "$config"
}
public() { wg pubkey 2>/dev/null; }
file_key() { in_file privatekey | public || :; }
kernel_key() { # "" where the interface has none, or is not there
  kernel=$(running 2>/dev/null) || kernel=''
  [ "$kernel" = '(none)' ] || printf %s "$kernel"
}
expected() { [ -z "$expected_keys" ] || printf '%s\n' "$expected_keys" | grep -qxF "$1"; }

# The config as it is to be; with tell=1 the names of the settings that it lacks. Its first line of input is the private
# key to be put in where there is none. Peers, comments and all other settings stay as they are, byte by byte.
edit_config() { # TELL
  awk -v tell="$1" -v port="$port" -v mtu="$mtu" -v addresses="$addresses" -v pre_up="$pre_up" '
    function trimmed(text) { sub(/#.*/, "", text); gsub(/^[ \t]+|[ \t\r]+$/, "", text); return text }
    # An address in one spelling: IPv6 as its eight groups.
    function spelled(text,   left, right, i, n, m, out) {
      sub(/\/.*/, "", text)
      if (text !~ /:/) return text
      text = tolower(text)
      i = index(text, "::")
      n = split(i ? substr(text, 1, i - 1) : text, left, ":")
      m = i ? split(substr(text, i + 2), right, ":") : 0
      for (i = 1; i <= n; i++) out = out group(left[i])
      if (m || n < 8) for (i = n + m; i < 8; i++) out = out ":0"
      for (i = 1; i <= m; i++) out = out group(right[i])
      return out
    }
    function group(text) { sub(/^0+/, "", text); return ":" (text == "" ? "0" : text) }
    function length_of(text) {
      if (text ~ /\//) { sub(/.*\//, "", text); return text + 0 }
      return text ~ /:/ ? 128 : 32
    }
    function lack(name) { lacking = lacking (lacking == "" ? "" : " ") name }
    function add(name, value) { missing = missing (missing == "" ? "" : "\n") name " = " value; lack(name) }
    function change(i, name, value) { becomes[i] = name " = " value; lack(name) }
    function put(text) { if (!tell) print text }
    # A line of addresses: those of ours with another length go.
    function look_at_addresses(at, value,   n, i, word, ip, kept, changed) {
      n = split(value, word, ",")
      for (i = 1; i <= n; i++) {
        gsub(/[ \t]/, "", word[i])
        ip = spelled(word[i])
        if (word[i] == "" || (ip in wanted && length_of(word[i]) != length_of(wanted[ip]))) { changed = 1; continue }
        if (ip in wanted) found[ip] = 1
        kept = kept (kept == "" ? "" : ", ") word[i]
      }
      if (changed) becomes[at] = kept == "" ? "" : "Address = " kept
    }
    function scan(   i, name, value, at) {
      for (i = 1; i <= lines; i++) {
        if (line[i] ~ /^[ \t]*\[/) { inside = tolower(line[i]) ~ /^[ \t]*\[[ \t]*interface/; continue }
        if (!inside || !(at = index(line[i], "="))) continue
        name = tolower(substr(line[i], 1, at - 1))
        gsub(/[ \t]/, "", name)
        value = trimmed(substr(line[i], at + 1))
        if (name == "privatekey" && value != "") has["key"] = 1
        else if (name == "preup" && value == pre_up) has["preup"] = 1
        else if (name == "listenport") { has["port"] = 1; if (value != port) change(i, "ListenPort", port) }
        else if (name == "mtu") { has["mtu"] = 1; if (mtu != "" && value != mtu) change(i, "MTU", mtu) }
        else if (name == "address") look_at_addresses(i, value)
      }
    }
    BEGIN { n = split(addresses, list, " "); for (i = 1; i <= n; i++) wanted[spelled(list[i])] = list[i] }
    NR == 1 { private = $0; next }
    { line[++lines] = $0 }
    END {
      scan()
      if (!has["key"]) add("PrivateKey", private)
      for (i = 1; i <= n; i++) if (!(spelled(list[i]) in found)) absent = absent (absent == "" ? "" : ", ") list[i]
      if (absent != "") add("Address", absent)
      if (!has["port"]) add("ListenPort", port)
      if (!has["mtu"] && mtu != "") add("MTU", mtu)
      if (!has["preup"]) add("PreUp", pre_up)
      for (i = 1; i <= lines; i++) {
        if (!(i in becomes)) put(line[i])
        else if (becomes[i] != "") put(becomes[i])
        if (missing != "" && tolower(line[i]) ~ /^[ \t]*\[[ \t]*interface/) { put(missing); missing = "" }
      }
      if (tell) print lacking
    }'
}
# The private key that belongs into a file that has none: the interface's own, else the one that was sent.
private_key() {
  if [ -n "$(kernel_key)" ]; then wg show "$interface" private-key 2>/dev/null; else printf '%s\n' "$given_key"; fi
}
wanted_config() { # [TELL]
  { private_key | sed -n 1p | grep . || echo; if config_there; then cat "$config"; else echo '[Interface]'; fi; } |
    edit_config "${1:-}"
}

# --- files ----------------------------------------------------------------------------------------------------------

# FILE MODE: standard input becomes FILE, root's, at once and durably. What ends short of its end is not taken over.
put_file() {
  cat >"$1.new" && chmod "$2" "$1.new" && chown 0:0 "$1.new" && sync "$1.new" || return
}
take_file() { mv -f "$1.new" "$1" && sync "${1%/*}/"; } # FILE
shaped() { [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c '%a %u %g' "$1")" = "$2 0 0" ]; } # FILE MODE
shape() { chmod "$2" "$1" && chown 0:0 "$1"; }

config_is() { config_there && wanted_config | cmp -s - "$config"; }
# As it stood before the last change that this script made to it.
keep_config() {
  ! config_there || { put_file "$config.before" 600 <"$config" && cmp -s "$config" "$config.before.new" &&
    take_file "$config.before"; }
}
config_put() {
  keep_config && wanted_config | put_file "$config" 600 && wanted_config | cmp -s - "$config.new" &&
    take_file "$config"
}

is_directory() { [ -d "$1" ]; }
make_directory() { (umask "$2" && mkdir -p "$1") && sync "${1%/*}/"; } # DIRECTORY UMASK

# The N-th file of the plan to be installed.
file_text() {
  printf '%s\n' "$plan" | awk -v n="$1" '/^file / { at++ } at == n && /^>/ { print substr($0, 2) }
    /^#end$/ { exit }'
}
file_is() { shaped "$2" "$3" && file_text "$1" | cmp -s - "$2"; } # N FILE MODE
file_put() {
  file_text "$1" | put_file "$2" "$3" && file_text "$1" | cmp -s - "$2.new" && take_file "$2"
}

# --- forwarding -----------------------------------------------------------------------------------------------------

setting_is() { [ "$(cat "/proc/sys/$1")" = "$2" ]; } # PATH VALUE
set_setting() { echo "$2" >"/proc/sys/$1"; }
# A host that forwards no longer listens to router advertisements, unless it is told to: one that has its default route
# from them would lose it.
advertised() {
  [ -z "$forward6" ] || ip -6 route show default 2>/dev/null |
    sed -n '/ proto ra /s/.* dev \([^ ]*\) .*/\1/p' | sort -u | while read -r device; do
    [ "$(cat "/proc/sys/net/ipv6/conf/$device/accept_ra" 2>/dev/null)" = 0 ] || echo "net/ipv6/conf/$device/accept_ra"
  done
}
sysctl_lines() {
  [ ! -f "$old_sysctl_file" ] || cat "$old_sysctl_file"
  [ -z "$forward4" ] || echo 'net/ipv4/ip_forward = 1'
  [ -z "$forward6" ] || echo 'net/ipv6/conf/all/forwarding = 1'
  advertised | sed 's/$/ = 2/'
}
sysctl_is() { shaped "$sysctl_file" 644 && ! sysctl_lines | grep -qvxFf "$sysctl_file"; }
sysctl_put() {
  { [ ! -f "$sysctl_file" ] || cat "$sysctl_file"; sysctl_lines; } | awk '!seen[$0]++' | put_file "$sysctl_file" 644 &&
    take_file "$sysctl_file"
}
is_gone() { [ ! -e "$1" ]; }
remove() { rm -f "$1" && sync "${1%/*}/"; }
# FILE VALUE of the last file that is read behind ours at a boot and sets another value. They are read by their names; the
# first of one name hides the others. Without systemd, /etc/sysctl.conf comes last.
# shellcheck disable=SC2016 # the dollars are awk's
overruled() { # PATH VALUE
  {
    for file in "$sysctl_file" /etc/sysctl.d/*.conf /run/sysctl.d/*.conf /usr/local/lib/sysctl.d/*.conf \
      /usr/lib/sysctl.d/*.conf; do
      [ ! -f "$file" ] && [ "$file" != "$sysctl_file" ] || echo "$file"
    done | awk -F/ '!seen[$NF]++ { print $NF, $0 }' | sort | sed "s/^[^ ]* //; 1,\|^$sysctl_file\$|d"
    systemd_there >/dev/null || [ ! -f /etc/sysctl.conf ] || echo /etc/sysctl.conf
  } | xargs awk -v path="$1" -v value="$2" '
    { at = index($0, "="); name = substr($0, 1, at - 1); said = substr($0, at + 1) }
    { sub(/^[ \t]*-?[ \t]*/, "", name); gsub(/[ \t]/, "", name); gsub(/\./, "/", name); gsub(/[ \t\r]/, "", said) }
    name == path { last = said == value ? "" : FILENAME " sets it to " said }
    END { print last }'
}
forward() { # PATH
  step "sysctl $1=1" setting_is set_setting "$1" 1
  other=$(overruled "$1" 1)
  [ -z "$other" ] || say skipped "sysctl $1=1 after a reboot: NOT DONE, $other"
}

# --- the interface --------------------------------------------------------------------------------------------------

systemd_there() { [ -d /run/systemd/system ] && command -v systemctl; }
unit_is_ours() { [ "$config" = "/etc/wireguard/$interface.conf" ]; } # the only file that it reads
# What runs on after this script must not hold its lock.
bring_up() {
  if systemd_there && unit_is_ours; then
    why="see journalctl -u $unit"
    systemctl start "$unit" </dev/null 9>&-
  else
    command -v wg-quick || { why='wg-quick is missing' && return 1; }
    [ "${config##*/}" = "$interface.conf" ] || { why="wg-quick wants a file called $interface.conf" && return 1; }
    # Of what it says only commands are told, for a refused setting would be repeated with its value.
    told=$(LOG_LEVEL='' wg-quick up "$config" 2>&1 </dev/null 9>&-) ||
      { why=$(printf '%s\n' "$told" | sed -n 's/^\[#\] //p' | tail -n 1) && return 1; }
  fi
}
enabled() { [ "$(systemctl is-enabled "$unit" 2>/dev/null)" = enabled ]; }
enable() { systemctl enable "$unit"; }
has_key() { [ -n "$(kernel_key)" ]; }
give_key() { in_file privatekey | wg set "$interface" private-key /dev/stdin; }
port_is() { [ "$(wg show "$interface" listen-port)" = "$1" ]; }
set_port() { wg set "$interface" listen-port "$1"; }
link_says() { case " $(ip -o link show dev "$interface") " in *"$1"*) ;; *) return 1 ;; esac; }
mtu_is() { link_says " mtu $1 "; }
set_mtu() { ip link set dev "$interface" mtu "$1"; }
is_up() { case $(ip -o link show dev "$interface") in *[\<,]UP[,\>]*) ;; *) return 1 ;; esac; }
set_up() { ip link set dev "$interface" up; }
# What the interface has of the address, whatever its length; wanted is ADDRESS/LENGTH alone.
lengths_of() {
  ip -o address show dev "$interface" | awk -v ip="${1%/*}" '{ split($4, part, "/") } part[1] == ip { print $4 }'
}
address_is() { [ "$(lengths_of "$1")" = "$1" ]; }
set_address() {
  [ "$(lengths_of "$1" | grep -xF "$1")" = "$1" ] || ip address add "$1" dev "$interface" || return
  for other in $(lengths_of "$1"); do
    [ "$other" = "$1" ] || ip address del "$other" dev "$interface" || return
  done
}

# --- the steps ------------------------------------------------------------------------------------------------------

port=$(planned port) mtu=$(planned mtu) given_key=$(planned key) expected_keys=$(planned expect)
addresses=$(planned address | tr '\n' ' ')
forward4=$(planned forward | grep -x 4) forward6=$(planned forward | grep -x 6)

if ! shown=$(running 2>&1); then
  case $shown in
    *": No such device"* | *": Protocol not supported"*) ;;
    *) fail wg_refused "wg show" ;;
  esac
fi

if [ "$mode" != look ]; then
  step "mkdir $directory" is_directory make_directory "$directory" 077
  true 2>/dev/null >>"$config.lock" || fail host_storage_failed "cannot write $config.lock"
  exec 9>>"$config.lock"
  flock -n 9 || timeout "$lock_seconds" flock 9 || fail host_busy "$config.lock is held"
else
  step "mkdir $directory" is_directory false "$directory"
fi
# As in push.sh, whose mark says whose host this is.
if [ -e "$config.push" ]; then
  { read -r owner rest <"$config.push" && [ -n "$owner" ]; } || fail host_storage_failed "$config.push is damaged"
  [ "$owner" = "$installation" ] || fail host_of_other_installation "$owner"
fi

if config_there; then
  # shellcheck disable=SC2015 # both have to hold
  [ -f "$config" ] && awk '/^[ \t]*\[/ {
         if (tolower($0) ~ /\[[ \t]*interface/) { found++; if (peers) late = 1 } else peers++
       }
       END { exit found == 1 && !late ? 0 : 1 }' "$config" ||
    fail host_config_missing "$config does not begin with its one [Interface]"
fi
kernel_has=$(kernel_key) file_has=$(file_key)
for has in $kernel_has $file_has; do
  expected "$has" || fail interface_key_changed "$has"
done
[ -z "$kernel_has" ] || [ -z "$file_has" ] || [ "$kernel_has" = "$file_has" ] || [ -n "$expected_keys" ] ||
  fail interface_key_changed "$kernel_has, and $config has $file_has"
if [ "$mode" != look ] && [ -z "$kernel_has$file_has" ]; then
  [ -n "$given_key" ] || fail host_key_missing "$interface"
  expected "$(printf '%s\n' "$given_key" | public)" || fail interface_key_changed "the one that was sent"
fi

files=$(planned file | wc -l)
n=0 made=''
while [ "$n" -lt "$files" ]; do
  n=$((n + 1))
  file=$(planned file | sed -n "${n}p")
  file_mode=${file%% *} file=${file#* }
  [ "$made" = "${file%/*}" ] || step "mkdir ${file%/*}" is_directory make_directory "${file%/*}" 022
  made=${file%/*}
  step "install -m $file_mode $file" file_is file_put "$n" "$file" "$file_mode"
done

lacking=$(wanted_config 1) || fail host_storage_failed "cannot read $config"
step "write $config${lacking:+ ($lacking)}" config_is config_put
if config_there; then step "chmod 600 $config" shaped shape "$config" 600; fi

if [ -n "$forward4$forward6" ]; then
  step "mkdir ${sysctl_file%/*}" is_directory make_directory "${sysctl_file%/*}" 022
  # What lets the host be reached comes first, and is asked for before forwarding hides it.
  heard=$(advertised)
  step "write $sysctl_file" sysctl_is sysctl_put
  step "rm $old_sysctl_file" is_gone remove "$old_sysctl_file"
  for setting in $heard; do
    step "sysctl $setting=2" setting_is set_setting "$setting" 2
  done
  [ -z "$forward4" ] || forward net/ipv4/ip_forward
  [ -z "$forward6" ] || forward net/ipv6/conf/all/forwarding
fi

alone="nothing of ours brings $interface up after a reboot"
if ! systemd_there >/dev/null; then
  say skipped "systemctl enable $unit: NOT DONE, no systemd runs here; $alone"
elif ! unit_is_ours; then
  say skipped "systemctl enable $unit: NOT DONE, it reads /etc/wireguard/$interface.conf alone; $alone"
else
  step "systemctl enable $unit" enabled enable
  if running >/dev/null 2>&1 && ! systemctl is-active "$unit" >/dev/null 2>&1; then
    say skipped "systemctl start $unit: NOT DONE, $interface runs without it and is not restarted; a reboot mends that"
  fi
fi
step "bring $interface up" running bring_up
if running >/dev/null 2>&1; then
  if config_there; then step "wg set $interface private-key" has_key give_key; fi
  step "wg set $interface listen-port $port" port_is set_port "$port"
  [ -z "$mtu" ] || step "ip link set dev $interface mtu $mtu" mtu_is set_mtu "$mtu"
  for address in $addresses; do
    step "ip address add $address dev $interface" address_is set_address "$address"
  done
  step "ip link set dev $interface up" is_up set_up
fi

# What holds now, read anew: the key of the interface and of the file that it comes back from.
kernel_has=$(kernel_key) file_has=$(file_key)
if [ "$mode" != look ]; then
  { [ -n "$kernel_has" ] && [ -n "$file_has" ] && expected "$kernel_has" && expected "$file_has"; } ||
    fail host_step_failed "the keys of $interface and $config are not as they were asked for"
fi
printf 'key %s %s\nend ok %s\n' "${kernel_has:--}" "${file_has:--}" "$steps"

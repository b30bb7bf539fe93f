# Carries out one push, or one reading, on a host:
#   sh -c SCRIPT peerwright INTERFACE CONFIG INSTALLATION NUMBER MODE [KEY [CLIENT]]
# KEY: the public key of the right interface. CLIENT: whence the worker comes, as $SSH_CONNECTION says it.
# MODE: push, reading, or look, which is a reading that leaves even the push number as it is.
# Standard input is a plan (render_push), standard output the answer (parse_answer): see wireguard/host.hpp.
# POSIX sh with the tools named below, of coreutils or of BusyBox. No private or preshared key leaves the host: nothing
# that `wg` says on its standard error is passed on, and of preshared keys only hashes are answered. Every step that
# fails ends the script; the answer comes last and as a whole.
#
# The firewall is a table of its own, whose text is saved beside CONFIG. So that the host boots with it, whoever
# prepares the host gives [Interface] the line
#   PreUp = test ! -e DIRECTORY/peerwright-%i.nft || nft -f DIRECTORY/peerwright-%i.nft
# which wg-quick runs before the interface is there: no packet comes out of the tunnel before its rules are. Of
# [Interface], this script changes nothing but PrivateKey.
set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export LC_ALL PATH
interface=$1 config=$2 installation=$3 number=$4 mode=$5 expected_key=${6:-} client=${7:-${SSH_CONNECTION:-}}
nft_file=${config%/*}/peerwright-$interface.nft
lock_seconds=20
removal_words=900 # 300 removals of three words are shorter than the shortest argument list, BusyBox's 20 KiB
# The exit status of a refusal is 10 for the first of these and one more for each that follows.
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

wg_failed() { # COMMAND, whose standard error is in $work/err
  case $(cat "$work/err") in
    '' | *Killed* | *Terminated*) fail host_storage_failed "wg $1 or what reads it was cut short" ;;
    *": No such device"* | *": Protocol not supported"*) fail interface_missing "$interface" ;;
    *) fail wg_refused "wg $1" ;;
  esac
}

nft_failed() { # COMMAND, whose standard error is in $work/nft_err
  read -r why <"$work/nft_err" || why=''
  case $why in
    '' | *Killed* | *Terminated*) fail host_storage_failed "nft $1 was cut short" ;;
    *) refuse_firewall nft_refused "$1: $why" ;;
  esac
}

# The host does not take the firewall: nobody comes in and nothing else is changed, but what was removed is saved as
# removed before the refusal is told.
refuse_firewall() { # CODE DETAIL
  refused=$1 refused_detail=$2 adds=0 new_key=''
  : >"$work/key" || fail host_storage_failed "cannot write $work"
}

# The loaded table goes into $work/table; nothing where there is none, no nft, or a kernel that knows no tables. Fails
# where that cannot be told.
list_table() {
  : >"$work/table"
  command -v nft >/dev/null 2>&1 || return 0
  nft list table inet "$table" >"$work/table" 2>"$work/nft_err" && return
  read -r why <"$work/nft_err" || why=''
  case $why in
    Error:*'No such file or directory'* | *' not supported'*) : >"$work/table" ;;
    *) return 1 ;;
  esac
}

sha256() { sha256sum | sed 's/ .*//'; }
mark() { sed -n '/^[[:space:]]*chain text_[0-9a-f]\{64\} /{s/^.*text_\([0-9a-f]*\) .*/\1/p;q;}'; } # the hash in a text

# LOADED STATE FILE into $work/firewall: the mark of the loaded table, the hash of how it is shown ("?" both where nft
# does not tell), and the hash of the saved text, which is one without its mark if that is right.
firewall_hashes() {
  loaded='' state='' saved=''
  if ! list_table; then
    loaded='?' state='?'
  elif [ -s "$work/table" ]; then
    { loaded=$(mark <"$work/table") && state=$(sha256 <"$work/table"); } || return
  fi
  if [ -e "$nft_file" ]; then
    saved=$(sed '/^[[:space:]]*chain text_/d' "$nft_file" | sha256)
    [ "$saved" = "$(mark <"$nft_file")" ] || saved=$(sha256 <"$nft_file")
  fi
  printf '%s\n' "${loaded:--} ${state:--} ${saved:--}" >"$work/firewall"
}

# The interface, line by line, and an end mark that also sorts last: without it the reading was cut short. The first
# line holds the private key: this goes nowhere but into sort and awk.
dump() { wg show "$interface" dump 2>"$work/err" && echo '~end'; }

# TEXT becomes FILE.new on the disk, of which FILE is made at once. What follows syncs the directory.
write() { # TEXT FILE BYTES
  dd if="$1" of="$2.new" bs=65536 conv=fsync 2>/dev/null || fail host_storage_failed "cannot write $2.new"
  [ "$(wc -c <"$2.new")" -eq "$3" ] || fail host_storage_failed "$2.new was cut short"
  mv -f "$2.new" "$2" || fail host_storage_failed "cannot replace $2"
}
sync_directory() { sync "${config%/*}/" || fail host_storage_failed "cannot sync ${config%/*}/"; }

for tool in wg flock awk sha256sum sync mv timeout sort xargs sed cmp mktemp wc dd; do
  command -v "$tool" >/dev/null 2>&1 || fail host_tool_missing "$tool"
done

# A private place for the plan, under /run where that can be written, for that is no disk. A script that was killed
# leaves its own behind; the next one removes it, where another process has its number too: no script is that old.
for left in "/run/peerwright.$interface".*.* "$config".work.*.*; do
  owner=${left%.*}
  [ -d "$left" ] || continue
  if ! kill -0 "${owner##*.}" 2>/dev/null || [ -n "$(find "$left" -maxdepth 0 -mmin +61 2>/dev/null)" ]; then
    rm -rf "$left"
  fi
done
work=$(mktemp -d "/run/peerwright.$interface.$$.XXXXXX" 2>/dev/null) ||
  work=$(mktemp -d "$config.work.$$.XXXXXX" 2>/dev/null) || fail host_storage_failed "no temporary directory"
trap 'rm -rf "$work"' EXIT
trap 'exit 124' HUP INT TERM PIPE # as timeout(1) would
export TMPDIR="$work"

# A cut connection looks like the end of the input, so nothing may happen before the end mark is seen.
cat >"$work/plan" || fail host_storage_failed "no space for the plan"
# What is to be known of the plan and of CONFIG's shape is read at once, for every process costs a host a millisecond.
shaped=$config
[ -f "$config" ] || shaped=/dev/null
awk '
  part != 2 { if (NR == 1) head = $0; if (/^#[fke]/ && !/^#end/) rarer = 1; last = $0; next }
  /^[ \t]*\[/ { if (tolower($0) ~ /\[[ \t]*interface/) { found++; if (peers) late = 1 } else peers++ }
  !peers && tolower($0) ~ /^[ \t]*privatekey[ \t]*=/ { keyed = 1 }
  END {
    fields = split(head, word, " ")
    print (last == "#end" ? "ended" : "cut"), (fields == 3 && word[1] == "#plan" ? word[2] " " word[3] : "0 none"), \
      rarer + 0, found == 1 && !late, keyed + 0
  }' "$work/plan" part=2 "$shaped" >"$work/words" || fail host_storage_failed "cannot read $config or write $work"
read -r ended removals adds rarer shape keyed <"$work/words" || fail host_storage_failed "cannot write $work"
[ "$ended" = ended ] || fail plan_incomplete "no end mark"
[ "$adds" != none ] || fail plan_incomplete "no first line"

# The firewall's text, "" where the plan leaves it as it is, and the interface's new key.
table=peerwright_$interface firewall_lines='' new_key='' equal=''
case $interface in *[+=]*) table=peerwright_$(printf %s "$interface" | sed 's,+,/p,g; s,=,/e,g') ;; esac
if [ "$rarer" = 1 ]; then
  firewall_lines=$(sed -n 's/^#firewall //p' "$work/plan")
  equal=$(sed -n 's/^#equal //p' "$work/plan")
  sed -n 's/^#nft //p' "$work/plan" >"$work/nft"
  sed -n 's/^#key //p' "$work/plan" >"$work/key"
  [ "$(wc -l <"$work/nft")" -eq "${firewall_lines:-0}" ] || fail host_storage_failed "no space for the firewall"
fi
[ ! -s "$work/key" ] || new_key=$(wg pubkey <"$work/key" 2>"$work/err") || wg_failed pubkey

true 2>/dev/null >>"$config.lock" || fail host_storage_failed "cannot write $config.lock"
exec 9>>"$config.lock"
flock -n 9 || timeout "$lock_seconds" flock 9 || fail host_busy "$config.lock is held" # BusyBox has no flock -w
[ ! -e "$config.push.new" ] || rm -f "$config.push.new"
[ ! -e "$config.new" ] || rm -f "$config.new"
[ ! -e "$nft_file.new" ] || rm -f "$nft_file.new"

if [ -e "$config.push" ]; then
  read -r stored_installation stored rest <"$config.push"
  case $stored in '' | *[!0-9]*) fail host_storage_failed "$config.push is damaged" ;; esac
  [ "$stored_installation" = "$installation" ] || fail host_of_other_installation "$stored_installation"
  [ "$mode" = look ] || [ "$number" -gt "$stored" ] || fail push_number_refused "$stored"
fi
[ ! -L "$config" ] || fail host_config_missing "$config is a link, to $(readlink -f "$config")"
[ -f "$config" ] || fail host_config_missing "$config"
[ "$shape" = 1 ] || fail host_config_missing "$config does not begin with its one [Interface]"
[ -z "$new_key" ] || [ "$keyed" = 1 ] || fail host_config_missing "$config has no PrivateKey to be replaced"

# What the readers of the plan, an interface and a file share. entry() reads a line as wg(8) does: `name` in lower case
# and `value`; most lines of a large file are as we write them, and known without it. shown() says whether a key is one
# that the answer shows. run_awk ends the subshell that it runs in.
# shellcheck disable=SC2016 # the dollars are awk's
awk_shared='
  function plan() {
    if ($1 == "PublicKey") { touched[$3] = 1; planned = $3 }
    else if ($1 == "Endpoint") moved[planned] = $1 " = " $3
    else if ($1 == "AllowedIPs" && check) { n = split($3, ip, ","); for (i = 1; i <= n; i++) wanted[ip[i]] = 1 }
    else if ($1 == "#remove") touched[$2] = 1
    else if ($1 == "#hash") { order[++hashes] = $2; hashed[$2] = 1 }
  }
  function shown(key) { return mode != "push" || key in touched }
  function hash_lines(file) {
    printf "" > file
    for (i = 1; i <= hashes; i++) if (order[i] in secret) print order[i], secret[order[i]] > file
  }
  function entry() {
    line = $0
    sub(/#.*/, "", line)
    gsub(/[ \t\r]/, "", line)
    i = index(line, "=")
    name = tolower(substr(line, 1, i - 1))
    value = substr(line, i + 1)
  }'
run_awk() { program=$1; shift; exec awk -v mode="$mode" -v work="$work" "$awk_shared$program" "$@"; }

# What the plan must not do: take a prefix that another key holds, in the kernel without a word, or in the file alone,
# which would have it back at the next boot; touch another interface than the right one, which may have the new key of
# this plan already; or cut the worker off, whose packets go where the longest prefix sends them. Nobody
# could put anything right there any more.
# shellcheck disable=SC2086 # the worker's address, its port, ours, our port
set -- $client
client=${1:-} host=${3:-} port=${4:-} kept=''
client=${client%\%*} host=${host%\%*}
comes_through_tunnel() {
  command -v ip >/dev/null 2>&1 || return 0
  case $(ip route get "$client" 2>/dev/null) in *" dev $interface "*) return 0 ;; esac
  return 1
}
if [ "$mode" = push ] &&
  { [ "$adds" -gt 0 ] || [ "$removals" -gt 0 ] || [ -n "$new_key" ] || [ -s "$work/nft" ]; }; then
  [ "$adds" -gt 0 ] || [ -n "$new_key" ] || expected_key=''
  [ "$adds" -gt 0 ] && file=$config || file=/dev/null
  dump | run_awk '
    function binary(n, width,  text) { while (width-- > 0) { text = (n % 2) text; n = int(n / 2) } return text }
    function group(digits,  padded, i) {
      if (digits in grouped) return grouped[digits]
      padded = substr("0000" tolower(digits), length(digits) + 1)
      for (i = 1; i <= 4; i++) grouped[digits] = grouped[digits] nibble[substr(padded, i, 1)]
      return grouped[digits]
    }
    function bits(prefix,  address, part, half, left, right, i, text) { # its family, and its network in ones and zeros
      split(prefix, address, "/")
      if (!index(prefix, ":")) {
        split(address[1], part, ".")
        text = "4" octet[part[1] + 0] octet[part[2] + 0] octet[part[3] + 0] octet[part[4] + 0]
      } else {
        text = "6"
        split(address[1], half, "::")
        left = split(half[1], part, ":")
        for (i = 1; i <= left; i++) text = text group(part[i])
        right = split(half[2], part, ":")
        for (i = left + right; i < 8; i++) text = text group("")
        for (i = 1; i <= right; i++) text = text group(part[i])
      }
      return address[2] == "" ? text : substr(text, 1, address[2] + 1)
    }
    # The longest of the prefixes that has the client: its bits.
    function covers(ips,  ip, i, n, text, longest) {
      if (client == "" || ips !~ near) return 0
      for (n = split(ips, ip, ","); n > 0; n--) {
        if (ip[n] ~ /[.][0-9]+\/32$/) text = ip[n] == client "/32" ? own : "none" # most are of one address
        else text = bits(ip[n])
        if (length(text) > longest && index(own, text) == 1) longest = length(text)
      }
      return longest + 0
    }
    function stays(key, reach) { # after this plan
      if (reach > after[key]) after[key] = reach
      if (reach > longest_after) { longest_after = reach; carrier_after = key }
    }
    function file_peer_ends(  ip, i, n) {
      if (key != "" && ips != "") {
        if (!(1 in known)) { known[1]; for (i in wanted) known[bits(i)] }
        n = split(ips, ip, ",")
        for (i = 1; i <= n; i++) if (bits(ip[i]) in known) found = key " " ip[i]
      }
      key = ips = ""
    }
    # What the firewall to come says of gardens (render_firewall): whose they are, and which let the connection through.
    function garden(text,  word, n, i, reached) {
      unread = unread text
      if (text ~ /,$/) return
      text = unread
      unread = ""
      gsub(/[{},]/, " ", text)
      n = split(text, word, " ")
      if (word[1] == "set" || word[1] == "chain") place = word[2]
      if (place !~ /^garden/) return
      if (word[1] == "elements") {
        for (i = 3; i <= n; i++) {
          if (word[i] ~ near && index(own, bits(word[i])) == 1) { walled = place; sub(/_.*/, "", walled) }
        }
      } else if (word[2] == "daddr") {
        for (i = 3; word[i] ~ /[.:]/; i++) if (index(there, bits(word[i])) == 1) reached = 1
        if (word[i] == "meta") i += 2
        if (!reached || (word[i] != "tcp" && word[i] != "accept")) return
        if (text !~ / dport /) opened[place] = 1
        for (; i < n; i++) if (word[i] == port) opened[place] = 1
      }
    }
    BEGIN {
      check = 1
      for (i = 0; i < 256; i++) octet[i] = binary(i, 8)
      split("0 1 2 3 4 5 6 7 8 9 a b c d e f", digit, " ")
      for (i = 1; i <= 16; i++) nibble[digit[i]] = binary(i - 1, 4)
    }
    NR == 1 && client != "" { # only what begins as the client does, or is very wide, is looked at closely
      own = bits(client)
      there = bits(host)
      start = client
      sub(index(client, ":") ? ":.*" : "[.].*", "", start)
      near = "(^|,)" start "[.:]|(^|,)::|/([0-9]|1[0-5])(,|$)"
    }
    NR == FNR {
      plan()
      if ($1 == "AllowedIPs") stays(planned, covers($3))
      else if ($1 == "#nft" && client != "") garden(substr($0, 6))
      next
    }
    complete {
      if (/^[ \t]*\[/) { file_peer_ends(); skip = 0; next }
      if (skip || $0 == "") next
      if (/^PublicKey = / && length($0) == 56) { name = "publickey"; value = substr($0, 13) } else entry()
      if (name == "publickey") {
        key = value
        skip = key in touched || key in present
        if (skip) key = ips = ""
      } else if (name == "allowedips") ips = ips (ips != "" && value != "" ? "," : "") value
      next
    }
    NF == 4 && expected != "" && $2 != expected && $2 != fresh { wrong = $2 }
    NF == 8 {
      present[$1] = 1
      lone = $4 ~ /^[0-9.]+\/32$/ # as most are
      reach = !lone ? covers($4) : $4 == client "/32" ? length(own) : 0
      if (reach > longest) { longest = reach; carrier = $1 }
      if ($1 in touched) next
      if (reach) stays($1, reach)
      if (lone && $4 in wanted) found = $1 " " $4
      n = lone ? 0 : split($4, ip, ",")
      for (i = 1; i <= n; i++) if (ip[i] in wanted) found = $1 " " ip[i]
    }
    $1 == "~end" { complete = 1 }
    END {
      file_peer_ends()
      if (carrier != carrier_after) blamed = after[carrier] < longest ? carrier : carrier_after
      else if (walled != "" && !(walled in opened)) blamed = carrier
      print (wrong != "" ? "interface " wrong : found != "" ? "taken " found : "fine")
      print (carrier == "" ? "none" : blamed == "" ? "stays" : "cut " blamed)
      exit complete ? 0 : 1
    }' client="$client" host="$host" port="$port" "$work/plan" expected="$expected_key" fresh="$new_key" - "$file" \
    >"$work/judged" || wg_failed show
  { read -r verdict detail && read -r way blamed; } <"$work/judged" || fail host_storage_failed "cannot write $work"
  case $verdict in
    interface) fail interface_key_changed "$detail" ;;
    taken) fail prefix_taken_on_host "$detail" ;;
  esac
  case $way$new_key in
    none* | stays) ;;
    *)
      if comes_through_tunnel; then
        [ "$way" = stays ] || fail own_way_cut "$blamed"
        kept=' kept' new_key=''
        : >"$work/key" || fail host_storage_failed "cannot write $work"
      fi
      ;;
  esac
fi

# From here on no older push is taken, not even after a crash of the host. Mode look is for people, and fences nobody
# off. The number grows and never gets shorter, so that it can be written over the one before: a few bytes, which a disk
# writes as a whole or not at all.
if [ "$mode" = look ]; then
  :
elif [ -e "$config.push" ]; then
  dd of="$config.push" conv=notrunc,fsync 2>/dev/null <<NUMBER || fail host_storage_failed "cannot write $config.push"
$installation $number
NUMBER
else
  printf '%s %s\n' "$installation" "$number" >"$work/number" || fail host_storage_failed "cannot write $work"
  write "$work/number" "$config.push" $((${#installation} + ${#number} + 2))
  sync_directory
fi

if [ "$mode" = push ] && [ "$removals" -gt 0 ]; then
  sed -n 's/^#remove \(.*\)$/peer \1 remove/p' "$work/plan" |
    xargs -n "$removal_words" wg set "$interface" 2>"$work/err" || wg_failed set
fi
# The firewall comes before the peers that it is about. nft takes a text as a whole or not at all.
refused='' refused_detail=''
if [ "$mode" = push ] && { [ -s "$work/nft" ] || { [ -n "$firewall_lines" ] && [ -e "$nft_file" ]; }; }; then
  command -v nft >/dev/null 2>&1 || refuse_firewall host_tool_missing nft
fi
if [ -n "$refused" ] || [ "$mode" != push ]; then
  :
elif [ -s "$work/nft" ]; then
  if nft -f "$work/nft" 2>"$work/nft_err"; then
    if ! cmp -s "$work/nft" "$nft_file"; then
      write "$work/nft" "$nft_file" "$(wc -c <"$work/nft")"
      sync_directory
    fi
  else
    nft_failed -f
  fi
elif [ -n "$firewall_lines" ]; then
  if ! list_table; then
    nft_failed list
  elif [ -s "$work/table" ]; then
    nft delete table inet "$table" 2>"$work/nft_err" || nft_failed delete
  fi
  if [ -z "$refused" ] && [ -e "$nft_file" ]; then
    rm -f "$nft_file" || fail host_storage_failed "cannot remove $nft_file"
    sync_directory
  fi
fi
firewall_hashes 2>/dev/null & # by the side of what takes longer
firewall=$!
if [ "$mode" = push ] && [ -n "$new_key" ]; then
  wg set "$interface" private-key "$work/key" 2>"$work/err" || wg_failed set
fi
if [ "$mode" = push ] && [ "$adds" -gt 0 ]; then
  wg addconf "$interface" "$work/plan" 2>"$work/err" || wg_failed addconf
fi

# What the file says of the same keys goes into $work. A value that is none is answered as "?". For a subshell, to end.
read_file() {
  run_awk '
  function is_key(text) {
    return length(text) == 44 && text ~ /^[A-Za-z0-9+\/]+[AEIMQUYcgkosw048]=$/ && text !~ /^A+=$/
  }
  function peer_ends() {
    if (key in hashed || is_key(key)) {
      if (ips == "") ips = "(none)"
      else if (ips !~ /^[0-9A-Fa-f:.,\/]+$/) ips = "?"
      if (keepalive == "" || keepalive == "0") keepalive = "off"
      else if (keepalive != "off" && keepalive !~ /^[0-9]+$/) keepalive = "?"
      if (psk == "" || psk ~ /^A+=$/) psk = "none"
      if (shown(key)) {
        print "file", key, keepalive, ips, (psk == "none" ? psk : "psk") > (work "/file")
        files++
      }
      if (key in hashed) secret[key] = psk
    }
    key = psk = ips = keepalive = ""
  }
  function peer_is(text) { # the rest of one that is neither shown nor hashed is passed over
    key = text
    skip = !shown(key) && !(key in hashed)
    if (skip) key = psk = ips = keepalive = ""
  }
  function prefix_is(text) { ips = ips (ips != "" && text != "" ? "," : "") text }
  BEGIN { printf "" > (work "/file"); printf "" > (work "/file_key") }
  NR == FNR { plan(); next }
  /^[ \t]*\[/ { peer_ends(); skip = 0; next }
  skip || $0 == "" { next }
  /^PublicKey = [^ \t\r#]+$/ { peer_is(substr($0, 13)); next }
  /^AllowedIPs = [^ \t\r#]+$/ { prefix_is(substr($0, 14)); next }
  { entry() }
  name == "publickey" { peer_is(value); next }
  name == "privatekey" { print value > (work "/file_key"); next }
  name == "allowedips" { prefix_is(value); next }
  name == "presharedkey" { psk = value; next }
  name == "persistentkeepalive" { keepalive = tolower(value) }
  END { peer_ends(); hash_lines(work "/file_secrets"); print files + 0 }' "$work/plan" "$config" >"$work/files"
}

# One pass over plan, old file and interface: the answer's kernel lines, the lines to be hashed, and the new file: the
# old one up to its first [Peer], then the peers that the interface has, in the order of their keys, then those that
# only the file has and the plan does not speak of: an interface that came up empty must not empty the file. A reading
# writes no file: it has no use for the old one, and what the file says is read at the same time.
old=$config reader=''
if [ "$mode" != push ]; then
  [ ! -s "$config.push" ] || old=$config.push
  read_file &
  reader=$!
fi
dump | sort | run_awk '
  function put(text) { print text > (work "/new"); bytes += length(text) + 1 }
  function put_section(text) { put(blank ? text : "\n" text); blank = 0 }
  function keep() {
    if (key != "" && !(key in sections)) {
      sections[key] = section
      comments[key] = comment
      file_keys[++filed] = key
    }
    key = endpoint = section = comment = ""
  }
  # Comments stay with the [Peer] below them, else with the one in which they stand.
  function begin() { comment = above; section = above $0; above = "" }
  function take_above(  text) {
    if (above == "") return
    text = substr(above, 1, length(above) - 1)
    if (peers) { comment = comment above; section = section "\n" text } else { put(text); blank = 0 }
    above = ""
  }
  BEGIN { printf "" > (work "/new"); printf "" > (work "/kernel"); getline new_key < (work "/key") }
  FNR == 1 { part++; if (part == 3) { take_above(); keep() } }
  part == 2 && peers {
    if ($0 == "") next
    if (/^[ \t]*#/) { above = above $0 "\n"; next }
    if (/^[ \t]*\[/) { keep(); begin(); next }
    take_above()
    section = section "\n" $0
    if (/^PublicKey = [^ \t\r#]+$/) key = substr($0, 13)
    else if (!/^AllowedIPs = /) {
      entry()
      if (name == "publickey") key = value
      else if (name == "endpoint") endpoint = $0
    }
    if (endpoint != "" && key != "") endpoints[key] = endpoint
    next
  }
  part == 1 { plan(); next }
  part == 2 && mode == "push" {
    if (tolower($0) ~ /^[ \t]*\[[ \t]*peer/) { peers = 1; begin(); next }
    if (/^[ \t]*#/) { above = above $0 "\n"; next }
    take_above()
    if (new_key != "") { entry(); if (name == "privatekey") $0 = "PrivateKey = " new_key }
    put($0)
    blank = NF == 0
    next
  }
  part == 2 { next }
  NF == 4 { interface = $2 }
  NF == 8 {
    if (shown($1)) {
      print "kernel", $1, $8, $4, ($2 == "(none)" ? "none" : "psk") > (work "/kernel")
      kernels++
    }
    if ($1 in hashed) secret[$1] = $2 == "(none)" ? "none" : $2
    if (mode != "push") next
    text = comments[$1] "[Peer]\nPublicKey = " $1
    if ($2 != "(none)") text = text "\nPresharedKey = " $2
    if ($4 != "(none)") text = text "\nAllowedIPs = " $4
    if ($8 != "off") text = text "\nPersistentKeepalive = " $8
    if ($1 in moved) text = text "\n" moved[$1]
    else if ($1 in endpoints) text = text "\n" endpoints[$1]
    present[$1] = 1
    put_section(text)
  }
  $1 == "~end" { complete = 1 }
  END {
    for (i = 1; i <= filed; i++) {
      if (file_keys[i] in present || file_keys[i] in touched) continue
      put_section(sections[file_keys[i]])
    }
    hash_lines(work "/kernel_secrets")
    printf "%s %d %d\n", interface, kernels, bytes > (work "/counts")
    exit complete ? 0 : 1
  }' "$work/plan" "$old" - || wg_failed show
read -r interface_key kernels bytes <"$work/counts" || fail host_storage_failed "cannot write $work"

if [ "$mode" != push ]; then
  :
elif cmp -s "$work/new" "$config"; then
  read_file &
  reader=$!
else
  write "$work/new" "$config" "$bytes"
  read_file &
  reader=$!
  sync_directory
fi
[ -z "$refused" ] || fail "$refused" "$refused_detail"

# Without a word of what the file says nothing is proven.
wait "$reader" || fail host_storage_failed "cannot read $config or write $work"
read -r files <"$work/files" || fail host_storage_failed "cannot write $work"
file_key=$(wg pubkey <"$work/file_key" 2>/dev/null) || file_key='(none)'
{ wait "$firewall" && read -r loaded state saved <"$work/firewall"; } || fail host_storage_failed "cannot read $work"
if [ "$mode" = push ] && [ -n "$firewall_lines" ] && [ "$loaded" = '?' ]; then
  nft_failed list
  fail "$refused" "$refused_detail"
fi
# shellcheck disable=SC2046 # ten words: five times a hash and a name
set -- $(sha256sum "$config" "$work/kernel_secrets" "$work/file_secrets" "$work/kernel" "$work/file")
[ $# -eq 10 ] || fail host_storage_failed "cannot read $work"
printf 'interface %s\n' "$interface_key$kept" &&
  if [ "$equal" = "$7 $9" ]; then echo equal; else cat "$work/kernel" "$work/file"; fi &&
  printf 'secrets %s %s\nconfig %s %s\nfirewall %s %s %s\n' "$3" "$5" "$1" "$file_key" "$loaded" "$state" "$saved" &&
  printf 'end %s ok %s %s\n' "$number" "$kernels" "$files"

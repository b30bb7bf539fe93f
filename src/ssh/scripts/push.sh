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
set_words=900 # 300 removals of three words are shorter than the shortest argument list, BusyBox's 20 KiB
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
trap 'wait; rm -rf "$work"' EXIT
trap 'exit 124' HUP INT TERM PIPE # as timeout(1) would
export TMPDIR="$work"

# A cut connection looks like the end of the input, so nothing may happen before the end mark is seen.
cat >"$work/plan" || fail host_storage_failed "no space for the plan"
# What is to be known of the plan is read at once, for every process costs a host a millisecond.
awk '
  /^#/ { last = $0; at = NR }
  NR == 1 { head = $0 }
  /^#[fk]/ { rarer = 1 }
  /^#equal / { equal = $2 }
  END {
    fields = split(head, word, " ")
    print (last == "#end" && at == NR ? "ended" : "cut"), \
      (fields == 3 && word[1] == "#plan" ? word[2] " " word[3] : "0 none"), rarer + 0, equal
  }' "$work/plan" >"$work/words" || fail host_storage_failed "cannot write $work"
read -r ended removals adds rarer equal <"$work/words" || fail host_storage_failed "cannot write $work"
[ "$ended" = ended ] || fail plan_incomplete "no end mark"
[ "$adds" != none ] || fail plan_incomplete "no first line"

# The firewall's text, "" where the plan leaves it as it is, and the interface's new key.
table=peerwright_$interface firewall_lines='' new_key=''
case $interface in *[+=]*) table=peerwright_$(printf %s "$interface" | sed 's,+,/p,g; s,=,/e,g') ;; esac
if [ "$rarer" = 1 ]; then
  firewall_lines=$(sed -n 's/^#firewall //p' "$work/plan")
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

# shellcheck disable=SC2016 # the dollars are awk's
awk_shared='
@push_shared.awk@'
# shellcheck disable=SC2016
awk_sections='
@push_sections.awk@'
# run_awk PROGRAM OPERAND...: ends the subshell that it runs in.
run_awk() { program=$1; shift; exec awk -v mode="$mode" -v work="$work" "$awk_shared$program" "$@"; }
shape_is_odd() { fail host_config_missing "$config does not begin with its one [Interface]"; }

# shellcheck disable=SC2016
judge='
@push_judge.awk@'
# shellcheck disable=SC2086 # the address of the worker, its port, ours, our port
set -- $client
client=${1:-} host=${3:-} port=${4:-} kept=''
client=${client%\%*} host=${host%\%*}
comes_through_tunnel() {
  command -v ip >/dev/null 2>&1 || return 0
  case $(ip route get "$client" 2>/dev/null) in *" dev $interface "*) return 0 ;; esac
  return 1
}
if [ "$mode" = push ]; then
  [ "$adds" -gt 0 ] || [ -n "$new_key" ] || expected_key=''
  # The file is read while the interface is being asked.
  dump | run_awk "$awk_sections$judge" client="$client" host="$host" port="$port" expected="$expected_key" fresh="$new_key" \
    adds="$adds" part=1 "$work/plan" part=2 RS= "$config" part=3 RS='\n' - >"$work/judged" ||
    fail host_storage_failed "cannot read $config or write $work"
  { read -r shape keyed whole && read -r verdict detail && read -r way blamed; } <"$work/judged" ||
    fail host_storage_failed "cannot write $work"
  [ "$shape" = begins ] || shape_is_odd
  [ -z "$new_key" ] || [ "$keyed" = keyed ] || fail host_config_missing "$config has no PrivateKey to be replaced"
  [ "$whole" = complete ] || wg_failed show
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

# From here on no older push is taken, not even after a crash of the host. The number grows and never gets shorter, so
# that it can be written over the one before: a few bytes, which a disk writes as a whole or not at all.
store_number() {
  if [ -e "$config.push" ]; then
    dd of="$config.push" conv=notrunc,fsync 2>/dev/null <<NUMBER || fail host_storage_failed "cannot write $config.push"
$installation $number
NUMBER
  else
    printf '%s %s\n' "$installation" "$number" >"$work/number" || fail host_storage_failed "cannot write $work"
    write "$work/number" "$config.push" $((${#installation} + ${#number} + 2))
    sync_directory
  fi
}
# A push changes nothing before. A reading tells nothing before: no push comes in between, for the lock is held. Mode
# look is for people, and fences nobody off.
number_stored=''
case $mode in
  push) store_number ;;
  reading)
    store_number >/dev/null &
    number_stored=$!
    ;;
esac

if [ "$mode" = push ] && [ "$removals" -gt 0 ]; then
  sed -n 's/^#remove \(.*\)$/peer \1 remove/p' "$work/plan" |
    xargs -n "$set_words" wg set "$interface" 2>"$work/err" || wg_failed set
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

# What the file says goes into $work, with its hashes and the public half of its private key. In the background.
# shellcheck disable=SC2016
file_reader='
@push_file.awk@'
read_file() {
  (run_awk "$awk_sections$file_reader" part=1 "$work/plan" part=2 RS= "$config") &&
    { file_key=$(wg pubkey <"$work/file_key" 2>/dev/null) || file_key='(none)'; } &&
    printf '%s\n' "$file_key" >"$work/file_public_key" &&
    sha256sum "$work/file" "$work/file_secrets" "$config" >"$work/file_hashes"
}
write_file() {
  if cmp -s "$work/new" "$config"; then
    read_file &
    reader=$!
  else
    write "$work/new" "$config" "$bytes"
    read_file &
    reader=$!
    sync_directory
  fi
}

add_peers() {
  { [ ! -s "$work/lost" ] || xargs -n "$set_words" wg set "$interface" <"$work/lost"; } &&
    wg addconf "$interface" "$work/plan"
}
if [ "$mode" = push ]; then
  # While peers are added, the old file is read.
  # shellcheck disable=SC2016
  merge='
@push_merge.awk@'
  {
    { [ "$adds" -eq 0 ] || add_peers 2>"$work/err"; } && : >"$work/added" && dump
  } | sort | run_awk "$merge" part=1 "$work/plan" part=2 "$config" part=3 RS='\n' - ||
    fail host_storage_failed "cannot read $config or write $work"
  [ -e "$work/added" ] || wg_failed addconf
else
  read_file &
  reader=$!
  # shellcheck disable=SC2016
  list='
@push_list.awk@'
  dump | { (run_awk "$list" part=1 "$work/plan" part=3 -) && : >"$work/listed"; } | sort >"$work/kernel" ||
    fail host_storage_failed "cannot write $work"
  [ -e "$work/listed" ] || fail host_storage_failed "cannot write $work"
fi
read -r whole interface_key kernels bytes <"$work/counts" || fail host_storage_failed "cannot write $work"
[ "$whole" = complete ] || wg_failed show
[ "$mode" != push ] || write_file
[ -z "$refused" ] || fail "$refused" "$refused_detail"

[ -z "$number_stored" ] || wait "$number_stored" || fail host_storage_failed "cannot write $config.push"
# Without a word of what the file says nothing is proven.
# shellcheck disable=SC2046 # four words: twice a hash and a name
set -- $(sha256sum "$work/kernel" "$work/kernel_secrets")
[ $# -eq 4 ] || fail host_storage_failed "cannot read $work"
wait "$reader" || fail host_storage_failed "cannot read $config or write $work"
{
  read -r shape files <"$work/files" && read -r file_key <"$work/file_public_key" &&
    { read -r file_hash rest && read -r file_secrets rest && read -r config_hash rest; } <"$work/file_hashes"
} || fail host_storage_failed "cannot read $work"
[ "$shape" = begins ] || shape_is_odd
{ wait "$firewall" && read -r loaded state saved <"$work/firewall"; } || fail host_storage_failed "cannot read $work"
if [ "$mode" = push ] && [ -n "$firewall_lines" ] && [ "$loaded" = '?' ]; then
  nft_failed list
  fail "$refused" "$refused_detail"
fi
printf 'interface %s\n' "$interface_key$kept" &&
  if [ "$1" = "$equal" ] && [ "$file_hash" = "$equal" ]; then
    echo equal
  else
    awk '{ print part, $0 }' part=kernel "$work/kernel" part=file "$work/file"
  fi &&
  printf 'secrets %s %s\nconfig %s %s\nfirewall %s %s %s\n' \
    "$3" "$file_secrets" "$config_hash" "$file_key" "$loaded" "$state" "$saved" &&
  printf 'end %s ok %s %s\n' "$number" "$kernels" "$files"

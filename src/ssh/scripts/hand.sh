#!/bin/sh
# Carries out what a worker asks for on this host, and nothing else; for a user who may run this one command by sudo, or a
# key whose forced command it is. It lies at /usr/local/lib/peerwright/hand, root's, and the scripts that it runs lie
# beside it, each named by the SHA-256 of its text, so that workers of two versions work side by side.
#   hand push SHA256 TIMEOUT INTERFACE CONFIG INSTALLATION NUMBER MODE [KEY]
#   hand retire SHA256 TIMEOUT INTERFACE CONFIG INSTALLATION NUMBER [KEY]
#   hand observe SHA256 TIMEOUT INTERFACE CONFIG
# Without arguments the words are those of SSH_ORIGINAL_COMMAND. Every word has to have its strict form; nothing is ever
# evaluated. Which interfaces may be touched stands in `allowed` beside this file, a line "INTERFACE CONFIG" each; without
# that file it is /etc/wireguard/INTERFACE.conf. Standard input goes to the script, and of the environment nothing does.
# A refusal is told as push.sh and observe.sh tell theirs. POSIX sh with tools of coreutils or of BusyBox.
set -uf
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin IFS=' 
'
export LC_ALL PATH
home=/usr/local/lib/peerwright
longest_seconds=3600
most_parents=8 # between sshd and this script
# As in push.sh: a refusal has the same exit status in all three.
codes='plan_incomplete push_number_refused host_of_other_installation prefix_taken_on_host host_tool_missing
host_config_missing interface_missing wg_refused host_busy host_storage_failed interface_key_changed
nft_refused host_script_outdated host_command_refused'

number='' # of a push, once it is known to be one
fail() {  # CODE DETAIL...
  status=10
  for code in $codes; do
    [ "$code" != "$1" ] || break
    status=$((status + 1))
  done
  printf 'error %s\nend %s%s\n' "$*" "${number:+$number }" "$1"
  exit "$status"
}
refuse() { fail host_command_refused "$*"; }

made_of() { # TEXT CHARACTERS LEAST MOST: whether it has only such characters, and so many
  [ "${#1}" -ge "$3" ] && [ "${#1}" -le "$4" ] || return
  case $1 in *[!$2]*) return 1 ;; esac
}
whole() { # TEXT MOST: digits of a number above zero, so many at most
  made_of "$1" 0-9 1 "$2" && [ "${1#0}" = "$1" ]
}
roots() { # FILE|DIRECTORY: whether it is root's, and nobody else may write to it
  [ ! -L "$1" ] || return
  shape=$(stat -c '%u %a' "$1" 2>/dev/null) || return
  [ "${shape% *}" = 0 ] && [ "$((0${shape#* } & 022))" = 0 ]
}

if [ $# = 0 ]; then
  case ${SSH_ORIGINAL_COMMAND:-} in
    '' | *[!0-9A-Za-z_=+./@:\ -]*) refuse "no words to carry out" ;;
  esac
  # shellcheck disable=SC2086 # it is to be split, and -f is set
  set -- $SSH_ORIGINAL_COMMAND
fi

# The number first: a refusal is told to the push that it is about.
! whole "${7:-}" 18 || [ "$1" = observe ] || number=$7
case "${1:-} $#" in
  'push 8' | 'push 9' | 'retire 7' | 'retire 8' | 'observe 5') ;;
  *) refuse "no such command, or not its number of words" ;;
esac
what=$1 hash=$2 seconds=$3 interface=$4 config=$5
made_of "$hash" 0-9a-f 64 64 || refuse "the hash"
{ whole "$seconds" 4 && [ "$seconds" -le "$longest_seconds" ]; } || refuse "the timeout"
made_of "$interface" 0-9A-Za-z_=+.- 1 15 || refuse "the interface"
case $interface in -* | . | ..) refuse "the interface" ;; esac
made_of "$config" 0-9A-Za-z_=+./@- 2 512 || refuse "the configuration path"
case $config/ in [!/]* | *//* | */../* | */./*) refuse "the configuration path" ;; esac
key='' # of the interface
if [ "$what" != observe ]; then
  [ -n "$number" ] || refuse "the push number"
  made_of "$6" 0-9A-Za-z_- 1 64 || refuse "the installation"
fi
case $what in
  push)
    case $8 in push | reading | look) ;; *) refuse "the mode" ;; esac
    [ $# != 9 ] || key=$9
    ;;
  retire) [ $# != 8 ] || key=$8 ;;
esac
case $what$#/$key in
  push8/ | retire7/ | observe5/) ;;
  */*=) made_of "${key%=}" 0-9A-Za-z+/ 43 43 || refuse "the key" ;;
  *) refuse "the key" ;;
esac
shift 3

for tool in id stat sha256sum env timeout sh; do
  command -v "$tool" >/dev/null 2>&1 || fail host_tool_missing "$tool"
done
[ "$(id -u)" = 0 ] || refuse "this is to be run as root"

roots "$home" || fail host_script_outdated "$home is not root's alone"
if [ -e "$home/allowed" ] || [ -L "$home/allowed" ]; then
  { [ -f "$home/allowed" ] && roots "$home/allowed" && [ -r "$home/allowed" ]; } ||
    refuse "$home/allowed is no file of root's alone"
  found=''
  while read -r allowed_interface allowed_config rest || [ -n "$allowed_interface" ]; do
    [ "$allowed_interface $allowed_config $rest" != "$interface $config " ] || found=1
  done <"$home/allowed"
  [ -n "$found" ] || refuse "$interface $config does not stand in $home/allowed"
elif [ "$config" != "/etc/wireguard/$interface.conf" ]; then
  refuse "$interface $config is to stand in $home/allowed"
fi

script=$home/$what-$hash.sh
[ -f "$script" ] || fail host_script_outdated "$script is missing"
roots "$script" || fail host_script_outdated "$script is not root's alone"
sum=$(sha256sum <"$script") || fail host_script_outdated "$script cannot be read"
[ "${sum%% *}" = "$hash" ] || fail host_script_outdated "$script has another text than its name says"

# Whence the worker comes is for push.sh to know. sudo does not pass it on, but was told of it itself: it is looked for in
# what the processes above this one were started with, which root may read. Where it is not found, nobody knows.
connection_above() {
  pid=$PPID looks=0 found=''
  while [ "$pid" -gt 1 ] && [ "$looks" -lt "$most_parents" ] && [ -r "/proc/$pid/environ" ]; do
    found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n '/^SSH_CONNECTION=/{s/^[^=]*=//p;q;}')
    [ -z "$found" ] || break
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
    pid=${pid:-0} looks=$((looks + 1))
  done
  printf %s "$found"
}
came=${SSH_CONNECTION:-$(connection_above 2>/dev/null)}
made_of "$came" '0-9A-Za-z:.%_ -' 1 200 || came='' # a zone of IPv6 may have any letters

exec env -i PATH="$PATH" ${came:+SSH_CONNECTION="$came"} timeout -k 5 "$seconds" sh "$script" "$@"

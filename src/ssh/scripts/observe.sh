# Looks at a WireGuard interface and its host, and changes nothing, not even for a moment:
#   sh -c SCRIPT peerwright INTERFACE CONFIG
# Standard output is the answer (parse_observation): see wireguard/observation.hpp. POSIX sh with the tools of push.sh;
# what only some hosts have (nft, ip, systemctl) is asked where it is there. No private or preshared key leaves the host.
set -u
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export LC_ALL PATH
interface=$1 config=$2
nft_file=${config%/*}/peerwright-$interface.nft
# As in push.sh: a refusal has the same exit status in both.
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
  printf 'error %s\nend %s\n' "$*" "$1"
  exit "$status"
}

sha256() { sha256sum | sed 's/ .*//'; }
mark() { sed -n '/^[[:space:]]*chain text_[0-9a-f]\{64\} /{s/^.*text_\([0-9a-f]*\) .*/\1/p;q;}'; } # the hash in a text
word() { # TEXT ELSE: the text if it is one word, and the other where it is not
  case $1 in '' | *[!0-9A-Za-z._+@:-]*) printf %s "$2" ;; *) printf %s "$1" ;; esac
}
flag() { # FILE: whether it says 1. Read as a whole: the kernel gives of a setting no second byte
  if [ "$(cat "$1" 2>/dev/null)" = 1 ]; then echo 1; else echo 0; fi
}

for tool in wg awk sed sha256sum date stat cat; do
  command -v "$tool" >/dev/null 2>&1 || fail host_tool_missing "$tool"
done

# What holds keys stays in variables, and is written to pipes only.
if ! dump=$(wg show "$interface" dump 2>&1); then
  case $dump in
    *": No such device"* | *": Protocol not supported"*) fail interface_missing "$interface" ;;
    *) fail wg_refused "wg show" ;;
  esac
fi

up=down ifindex=0
if command -v ip >/dev/null 2>&1; then
  link=$(ip link show dev "$interface" 2>/dev/null) || link=''
  case $link in *[\<,]UP[,\>]*) up=up ;; esac
  case ${link%%:*} in '' | *[!0-9]*) ;; *) ifindex=${link%%:*} ;; esac
elif flags=$(cat "/sys/class/net/$interface/flags" 2>/dev/null); then
  [ "$((flags & 1))" = 0 ] || up=up
fi

# An interface that is up has its socket among the host's, wherever it is implemented.
port=$(printf '%s\n' "$dump" | awk 'NR == 1 { print $3 }')
case $port in '' | *[!0-9]*) port=0 ;; esac
listening=closed
if [ "$port" -gt 0 ]; then
  cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk -v port="$(printf '%04X' "$port")" '
    { n = split($2, address, ":") } n == 2 && address[2] == port { found = 1 } END { exit !found }' && listening=open
fi

active='' enabled=''
if command -v systemctl >/dev/null 2>&1; then
  active=$(systemctl is-active "wg-quick@$interface" 2>/dev/null)
  enabled=$(systemctl is-enabled "wg-quick@$interface" 2>/dev/null)
fi

file='- - -'
if [ -f "$config" ]; then
  owner=$(stat -c %U "$config") mode=$(stat -c %a "$config") hash=$(sha256 <"$config")
  file="$(word "$owner" '?') $(word "$mode" '?') $hash"
fi

# The firewall, as push.sh answers it.
loaded='' state='' saved=''
table=peerwright_$(printf %s "$interface" | sed 's,+,/p,g; s,=,/e,g')
if command -v nft >/dev/null 2>&1; then
  if text=$(nft list table inet "$table" 2>&1); then
    loaded=$(printf '%s\n' "$text" | mark)
    state=$(printf '%s\n' "$text" | sha256)
  else
    case $text in
      Error:*'No such file or directory'* | *' not supported'*) ;;
      *) loaded='?' state='?' ;; # nft does not tell
    esac
  fi
fi
if [ -e "$nft_file" ]; then
  saved=$(sed '/^[[:space:]]*chain text_/d' "$nft_file" | sha256)
  [ "$saved" = "$(mark <"$nft_file")" ] || saved=$(sha256 <"$nft_file")
fi

number=0
[ ! -e "$config.push" ] || read -r rest number rest <"$config.push" || number=''
read -r uptime rest 2>/dev/null </proc/uptime || uptime=''

printf 'now %s\nuptime %s\n' "$(date +%s)" "$(word "$uptime" -)"
printf '%s\n' "$dump" | awk -v up="$up" -v ifindex="$ifindex" 'NR == 1 { print "interface", $2, up, ifindex }'
printf 'port %s %s\n' "$port" "$listening"
printf 'forwarding 4 %s\n' "$(flag /proc/sys/net/ipv4/ip_forward)"
printf 'forwarding 6 %s\n' "$(flag /proc/sys/net/ipv6/conf/all/forwarding)"
printf 'unit %s %s\n' "$(word "$active" unknown)" "$(word "$enabled" unknown)"
printf 'file %s\nfirewall %s %s %s\npush %s\n' "$file" "${loaded:--}" "${state:--}" "${saved:--}" "$(word "$number" 0)"
printf '%s\n' "$dump" | awk 'NR > 1 && NF == 8 { print "peer", $1, $5, $6, $7, $3, $8, $4; peers++ }
  END { printf "end ok %d\n", peers }'

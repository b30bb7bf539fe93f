# What a plan must not do: take a prefix that another key holds, in the kernel without a word, or in the file alone,
# which would have it back at the next boot; touch another interface than the right one, which may have the new key of
# this plan already; or cut the worker off, whose packets go where the longest prefix sends them. Nobody could put
# anything right there any more. Three lines come out of it: the shape of the file, the verdict, and the way of the worker.
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
function want(ips,  ip, i, n) {
  if (!index(ips, ",")) { wanted[ips] = 1; return }
  n = split(ips, ip, ",")
  for (i = 1; i <= n; i++) wanted[ip[i]] = 1
}
function file_peer_ends() {
  if (adds && key != "" && ips != "") {
    if (!(key in file_ips)) file_keys[++filed] = key
    file_ips[key] = file_ips[key] ips
  }
  key = ips = ""
}
function section_begins(header) {
  file_peer_ends()
  if (tolower(header) ~ /\[[ \t]*interface/) { interfaces++; if (peers) late = 1 } else peers++
}
function value_is(name, value) {
  if (name == "publickey") key = value
  else if (name == "allowedips") ips = ips value ","
  else if (name == "privatekey" && !peers) keyed = 1
}
# What the plan does not say of a peer that stands there, addconf would leave. Four words each, for wg set.
function lose() {
  if ($2 != "(none)" && !($1 in gives_secret)) print "peer", $1, "preshared-key /dev/null" > (work "/lost")
  if ($8 != "off" && !($1 in gives_keepalive)) print "peer", $1, "persistent-keepalive off" > (work "/lost")
}
function judge_file(  key, ip, i, j, n) {
  for (j = 1; j <= filed; j++) {
    key = file_keys[j]
    if (key in present || key in touched) continue
    if (!(1 in known)) { known[1]; for (i in wanted) known[bits(i)] }
    n = split(file_ips[key], ip, ",")
    for (i = 1; i < n; i++) if (ip[i] != "" && bits(ip[i]) in known) found = key " " ip[i]
  }
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
  printf "" > (work "/lost")
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
part == 1 {
  plan_line()
  if (/^AllowedIPs = /) {
    want(substr($0, 14))
    stays(planned, covers(substr($0, 14)))
  } else if (/^PublicKey = /) adds_key[planned] = 1
  else if (/^PresharedKey = /) gives_secret[planned] = 1
  else if (/^PersistentKeepalive = /) gives_keepalive[planned] = 1
  else if (client != "" && /^#nft /) garden(substr($0, 6))
  next
}
part == 2 {
  if (as_written() && $5 == "AllowedIPs" && NF == 7) {
    file_peer_ends()
    peers++
    key = $4
    ips = $7 ","
  } else paragraph()
  next
}
NF == 4 && expected != "" && $2 != expected && $2 != fresh { wrong = $2 }
NF == 8 {
  present[$1] = 1
  lone = $4 ~ /^[0-9.]+\/32$/ # as most are
  reach = !lone ? covers($4) : $4 == client "/32" ? length(own) : 0
  if (reach > longest) { longest = reach; carrier = $1 }
  if ($1 in touched) { if ($1 in adds_key) lose(); next }
  if (reach) stays($1, reach)
  if (lone && $4 in wanted) found = $1 " " $4
  n = lone ? 0 : split($4, ip, ",")
  for (i = 1; i <= n; i++) if (ip[i] in wanted) found = $1 " " ip[i]
}
$1 == "~end" { complete = 1 }
END {
  file_peer_ends()
  judge_file()
  if (carrier != carrier_after) blamed = after[carrier] < longest ? carrier : carrier_after
  else if (walled != "" && !(walled in opened)) blamed = carrier
  print (interfaces == 1 && !late ? "begins" : "odd"), (keyed ? "keyed" : "keyless"), (complete ? "complete" : "cut")
  print (wrong != "" ? "interface " wrong : found != "" ? "taken " found : "fine")
  print (carrier == "" ? "none" : blamed == "" ? "stays" : "cut " blamed)
}

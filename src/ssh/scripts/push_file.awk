# What the saved file says of the keys that the answer shows or that are hashed goes into the directory `work`. A value
# that is none is answered as "?".
function is_key(text) {
  return length(text) == 44 && text ~ /^[A-Za-z0-9+\/]+[AEIMQUYcgkosw048]=$/ && text !~ /^A+=$/
}
function section_begins(header) {
  peer_ends()
  if (tolower(header) ~ /\[[ \t]*interface/) { interfaces++; if (peers) late = 1 } else peers++
}
function value_is(name, value) {
  if (name == "publickey") key = value
  else if (name == "allowedips") ips = ips (ips != "" && value != "" ? "," : "") value
  else if (name == "presharedkey") psk = value
  else if (name == "persistentkeepalive") keepalive = tolower(value)
  else if (name == "privatekey" && !peers) print value > (work "/file_key")
}
function peer_ends() {
  if (key != "" && (shown(key) || key in hashed) && (key in hashed || is_key(key))) {
    if (ips == "") ips = "(none)"
    else if (ips !~ /^[0-9A-Fa-f:.,\/]+$/) ips = "?"
    if (keepalive == "" || keepalive == "0") keepalive = "off"
    else if (keepalive != "off" && keepalive !~ /^[0-9]+$/) keepalive = "?"
    if (psk == "" || psk ~ /^A+=$/) psk = "none"
    if (shown(key)) {
      print key, keepalive, ips, (psk == "none" ? psk : "psk") > (work "/file")
      files++
    }
    if (key in hashed) secret[key] = psk
  }
  key = psk = ips = keepalive = ""
}
BEGIN { printf "" > (work "/file"); printf "" > (work "/file_key") }
part == 1 { plan_line(); next }
mode == "push" && as_written() && !($4 in touched || $4 in hashed) { peer_ends(); peers++; next }
{ paragraph() }
END {
  peer_ends()
  hash_lines(work "/file_secrets")
  print (interfaces == 1 && !late ? "begins" : "odd"), files + 0 > (work "/files")
}

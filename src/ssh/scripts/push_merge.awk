# One pass over plan, old file and interface: the kernel lines of the answer, the lines to be hashed, and the new file: the old
# one up to its first [Peer], then the peers that the interface has, in the order of their keys, then those that only the
# file has and the plan does not speak of: an interface that came up empty must not empty the file.
function put(text) { print text > (work "/new"); bytes += length(text) + 1 }
function put_section(text) { put(blank ? text : "\n" text); blank = 0 }
function keep() {
  if (key != "") {
    if (!(key in sections)) {
      sections[key] = section
      file_keys[++filed] = key
      if (comment != "") { comments[key] = comment; extras++ }
    }
    if (endpoint != "") { endpoints[key] = endpoint; extras++ }
  }
  key = endpoint = section = comment = ""
}
# Comments stay with the [Peer] below them, else with the one in which they stand.
function begin(header) { comment = above; section = above header; above = "" }
function take_above(  text) {
  if (above == "") return
  text = substr(above, 1, length(above) - 1)
  if (peers) { comment = comment above; section = section "\n" text } else { put(text); blank = 0 }
  above = ""
}
function peer_line(line) {
  if (line == "") return # awks differ in what they leave of the lines between two paragraphs
  if (line ~ /^[ \t]*#/) { above = above line "\n"; return }
  if (line ~ /^[ \t]*\[/) { keep(); begin(line); return }
  take_above()
  section = section "\n" line
  entry(line)
  if (name == "publickey") key = value
  else if (name == "endpoint") endpoint = line
}
function peers_paragraph(  lines, n, i) {
  if (above == "" && as_written()) {
    keep()
    section = $0
    key = $4
    for (i = 5; i < NF; i += 3) if ($i == "Endpoint") endpoint = "Endpoint = " $(i + 2)
    return
  }
  n = split($0, lines, "\n")
  for (i = 1; i <= n; i++) peer_line(lines[i])
}
BEGIN { printf "" > (work "/new"); printf "" > (work "/kernel"); getline new_key < (work "/key") }
part == 1 { plan_line(); next }
part == 2 && peers { peers_paragraph(); next }
part == 2 {
  if (tolower($0) ~ /^[ \t]*\[[ \t]*peer/) { peers = 1; RS = ""; begin($0); next }
  if (/^[ \t]*#/) { above = above $0 "\n"; next }
  take_above()
  if (new_key != "" && entry($0) && name == "privatekey") $0 = "PrivateKey = " new_key
  put($0)
  blank = NF == 0
  next
}
!dumped {
  dumped = 1
  take_above()
  keep()
  for (key in moved) { endpoints[key] = moved[key]; extras++ }
}
NF == 4 { interface = $2 }
NF == 8 {
  if ($1 in touched) { print kernel_line() > (work "/kernel"); kernels++ }
  if ($1 in hashed) secret[$1] = $2 == "(none)" ? "none" : $2
  text = "[Peer]\nPublicKey = " $1
  if ($2 != "(none)") text = text "\nPresharedKey = " $2
  if ($4 != "(none)") text = text "\nAllowedIPs = " $4
  if ($8 != "off") text = text "\nPersistentKeepalive = " $8
  if (extras) { # few files have any
    if ($1 in comments) text = comments[$1] text
    if ($1 in endpoints) text = text "\n" endpoints[$1]
  }
  present[$1] = 1
  put_section(text)
}
$1 == "~end" { complete = 1 }
END {
  for (i = 1; i <= filed; i++) {
    if (!(file_keys[i] in present || file_keys[i] in touched)) put_section(sections[file_keys[i]])
  }
  hash_lines(work "/kernel_secrets")
  printf "%s %s %d %d\n", (complete ? "complete" : "cut"), interface, kernels, bytes > (work "/counts")
}

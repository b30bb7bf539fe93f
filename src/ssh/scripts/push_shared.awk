# What the readers of a plan, an interface and a saved file share. Plans are as render_push writes them. Of a file,
# paragraphs are read (RS is empty), for most are as this script writes them: a [Peer] and one value a line.
function plan_line() {
  if (/^PublicKey = /) touched[planned = substr($0, 13)] = 1
  else if (/^Endpoint = /) moved[planned] = $0
  else if (/^#remove /) touched[substr($0, 9)] = 1
  else if (/^#hash /) hashed[order[++hashes] = substr($0, 7)] = 1
}
# Whether the answer shows the key.
function shown(key) { return mode != "push" || key in touched }
function hash_lines(file,  i) {
  printf "" > file
  for (i = 1; i <= hashes; i++) if (order[i] in secret) print order[i], secret[order[i]] > file
}
function as_written() { # with its one key first, and no name but these
  return /^\[Peer\]\nPublicKey = [^ \t\r\n#]+(\n(PresharedKey|AllowedIPs|PersistentKeepalive|Endpoint) = [^ \t\r\n#]+)*$/
}
# A line as wg(8) reads it: `name` in lower case, and `value`. Answers whether it is one.
function entry(line,  i) {
  sub(/#.*/, "", line)
  gsub(/[ \t\r]/, "", line)
  i = index(line, "=")
  name = tolower(substr(line, 1, i - 1))
  value = substr(line, i + 1)
  return i
}
function kernel_line() { return $1 " " $8 " " $4 ($2 == "(none)" ? " none" : " psk") }

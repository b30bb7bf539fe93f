# Of a saved file: any other paragraph is taken apart as wg(8) does. Who reads it has section_begins(HEADER) and
# value_is(NAME IN LOWER CASE, VALUE).
function paragraph(  lines, n, i) {
  if (as_written()) {
    section_begins("[Peer]")
    for (i = 2; i < NF; i += 3) value_is(tolower($i), $(i + 2))
    return
  }
  n = split($0, lines, "\n")
  for (i = 1; i <= n; i++) {
    if (lines[i] ~ /^[ \t]*\[/) section_begins(lines[i])
    else if (entry(lines[i])) value_is(name, value)
  }
}

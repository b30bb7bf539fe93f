# Of a reading: what the interface says, line by line on standard output, in any order.
part == 1 { plan_line(); next }
NF == 4 { interface = $2 }
NF == 8 {
  print kernel_line()
  kernels++
  if ($1 in hashed) secret[$1] = $2 == "(none)" ? "none" : $2
}
$1 == "~end" { complete = 1 }
END {
  hash_lines(work "/kernel_secrets")
  print (complete ? "complete" : "cut"), interface, kernels + 0 > (work "/counts")
}

# shellcheck shell=bash
# What the tools share. Source it: . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# Values go to stdout, words for people to stderr. Functions fail by their exit status; `die` ends the script.

PATH=$PATH:/usr/sbin:/sbin # where ip, nft, sshd and setpriv may lie
TOOL_NAME=${TOOL_NAME:-$(basename "$0")}
readonly kPollSeconds=0.1
readonly kLowestPort=10240

note() { printf '%s: %s\n' "$TOOL_NAME" "$*" >&2; }

die() {
  note "$*"
  exit 1
}

# usage_error MESSAGE: a wrong call; the script must define usage().
usage_error() {
  note "$*"
  usage >&2
  exit 2
}

need_root() { [ "$(id -u)" -eq 0 ] || die "needs root (network namespaces): run it with sudo"; }

# need_cmd SET COMMAND...: every command is on PATH, else one line that names the remedy.
need_cmd() {
  local set=$1 command
  shift
  for command in "$@"; do
    command -v "$command" >/dev/null || die "$command is missing: run tools/deps $set"
  done
}

is_number() { [[ $1 =~ ^[0-9]{1,9}$ ]]; }

# sh_quote TEXT: TEXT as one word for a POSIX shell.
sh_quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# export_line NAME VALUE: a line that the caller's eval understands.
export_line() {
  if [[ $2 =~ ^[A-Za-z0-9_./:@%+,=-]*$ ]]; then
    printf 'export %s=%s\n' "$1" "$2"
  else
    printf 'export %s=%s\n' "$1" "$(sh_quote "$2")"
  fi
}

# wait_until SECONDS COMMAND...: polls until COMMAND succeeds; 1 when the deadline passes first.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep "$kPollSeconds"
  done
}

port_is_free() { [ -z "$(ss -Htln "sport = :$1")" ]; }

# free_port: a TCP port that nobody listens on. It lies below the ephemeral range, so that no outgoing connection takes
# it while a killed instance is away, and it is drawn at random, so that instances started together differ.
free_port() {
  local highest port
  read -r highest _ </proc/sys/net/ipv4/ip_local_port_range
  [ "$highest" -gt $((kLowestPort + 1000)) ] || highest=32768
  for _ in {1..100}; do
    port=$((kLowestPort + SRANDOM % (highest - kLowestPort)))
    port_is_free "$port" && echo "$port" && return 0
  done
  die "found no free port below $highest"
}

# pid_is PID TEXT: PID lives, is no zombie, and has TEXT in its command line (a recycled pid is not ours).
pid_is() {
  is_number "${1:-}" && [ -r "/proc/$1/cmdline" ] && [ "$(pid_state "$1")" != Z ] &&
    tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2"
}

pid_gone() { [ ! -d "/proc/$1" ] || [ "$(pid_state "$1")" = Z ]; }

# pid_state PID: the kernel's letter (R, S, T, Z ...), empty for a pid that is gone.
pid_state() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null || true; }

# signal_pids SIGNAL PID...: one that has ended meanwhile is fine.
signal_pids() {
  local signal=$1 pid
  shift
  for pid in "$@"; do kill -s "$signal" "$pid" 2>/dev/null || true; done
}

# An instance is a directory with a marker, so that `down` never removes a directory that `up` didn't make or fill.

# instance_make KIND DIR: prepares DIR, or a new directory when DIR is empty, and prints its absolute path.
instance_make() {
  local kind=$1 dir=$2
  if [ -z "$dir" ]; then
    dir=$(mktemp -d "${TMPDIR:-/tmp}/peerwright-$kind.XXXXXX")
  elif [ -e "$dir" ] && [ ! -e "$dir/.peerwright-$kind" ] && [ -n "$(ls -A "$dir")" ]; then
    die "$dir is not empty and holds no $kind instance: choose another directory"
  fi
  mkdir -p "$dir"
  : >"$dir/.peerwright-$kind"
  (cd "$dir" && pwd -P)
}

# instance_find KIND VARIABLE: the absolute path of the instance that VARIABLE names.
instance_find() {
  local kind=$1 dir=${!2:-}
  [ -n "$dir" ] || die "$2 is not set: it names the directory that \`$TOOL_NAME up\` printed"
  [ -e "$dir/.peerwright-$kind" ] || die "$dir holds no $kind instance"
  (cd "$dir" && pwd -P)
}

instance_remove() {
  [ -e "$2/.peerwright-$1" ] || die "$2 holds no $1 instance: not removed"
  rm -rf -- "$2"
}

# show_log FILE: the end of a log, for a failure's report.
show_log() {
  [ -s "$1" ] || return 0
  note "the end of $1:"
  tail -n 25 "$1" >&2
}

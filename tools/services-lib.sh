# shellcheck shell=bash
# Services that belong to one run of a tool: started together, named in the environment, and taken down together. An
# instance's directory is known before it starts, so that an interrupted start is taken down too. Sourced after lib.sh.

kServiceTools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly kServiceTools

# make_run_directory KIND: prints a new directory. Others cannot list it, but PostgreSQL, a user of its own, can reach its
# part of it.
make_run_directory() {
  local run
  run=$(mktemp -d "${TMPDIR:-/tmp}/peerwright-$1.XXXXXX")
  chmod 711 "$run"
  echo "$run"
}

# start_service RUN kafka|pg|lab ARGUMENT...: what its `up` prints goes to RUN/SERVICE.env. It has a session of its own,
# so that Ctrl-C reaches the caller alone, who then takes down what was begun.
start_service() {
  local run=$1 service=$2 variable=PEERWRIGHT_${2^^}_DIR
  shift 2
  setsid --wait env "$variable=$run/$service" "$kServiceTools/$service" up "$@" \
    >"$run/$service.env" 2>"$run/$service.log" </dev/null ||
    { cat "$run/$service.log" >&2 && return 1; }
}

# stop_services RUN: all that were ever begun there. Fails when one does not go.
stop_services() {
  local run=$1 service status=0
  for service in lab pg kafka; do
    [ -e "$run/$service/.peerwright-$service" ] || continue
    env "PEERWRIGHT_${service^^}_DIR=$run/$service" "$kServiceTools/$service" down || status=1
  done
  return "$status"
}

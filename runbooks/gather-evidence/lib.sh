# shellcheck shell=bash
# What the scripts of this runbook share. Sourced, never run.

set -euo pipefail
umask 077                       # evidence is for the one who gathers it
export LC_ALL=C

# shellcheck disable=SC2034  # for those who source this
case_folder=${INPUT_OUTPUT%/}
# shellcheck disable=SC2034
parts="$case_folder/.part"      # unfinished files; on the same file system, so that a rename finishes them

die() {                         # die MESSAGE…: the step fails with a reason that a person can read
  printf '%s\n' "$*" >&2
  exit 1
}

now() {                         # now, UTC
  date -u +%Y-%m-%dT%H:%M:%SZ
}

digest() {                      # digest FILE: its SHA-256 in hex
  local sum
  sum=$(sha256sum <"$1")
  printf '%s\n' "${sum%% *}"
}

publish() {                     # publish TEMPORARY FINAL: on the disk first, then there at once and whole
  sync -- "$1"
  mv -T -- "$1" "$2"
  sync -- "$(dirname "$2")"
}

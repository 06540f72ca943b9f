# shellcheck shell=bash
# What the scripts of this runbook share. Sourced, never run.
#
# They get everything through the environment: INPUT_… and TARGET_… are set by durun, the rest by the
# step's `env`. Nothing is ever pasted into their text.

set -euo pipefail
umask 077                       # every private key is born readable by its owner only
export LC_ALL=C

die() {                         # die MESSAGE…: the step fails with a reason that a person can read
  printf '%s\n' "$*" >&2
  exit 1
}

flush() {                       # flush PATH…: on the disk, not only in memory, before we go on
  sync -- "$@"
}

service_directory() {           # the folder of this target's service, refused if it could lie outside the root
  [[ $TARGET_DIRECTORY =~ ^[A-Za-z0-9_-][A-Za-z0-9._/-]*$ && /$TARGET_DIRECTORY/ != */../* ]] ||
    die "the inventory gives $TARGET_NAME the directory '$TARGET_DIRECTORY', which is not a plain path below the root"
  printf '%s/%s\n' "${INPUT_ROOT%/}" "$TARGET_DIRECTORY"
}

is_address() {                  # is_address NAME: an IPv4 or IPv6 address, not a host name
  [[ $1 =~ ^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$ || $1 =~ ^[0-9]+(\.[0-9]+){3}$ ]]
}

link_to() {                     # link_to TEXT LINK: point LINK at TEXT in one step; a reader sees the old or the new
  local temporary="$2.$DURUN_RUN_ID.new"
  rm -f -- "$temporary"
  ln -s -- "$1" "$temporary"
  mv -T -- "$temporary" "$2"
}

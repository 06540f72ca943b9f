# shellcheck shell=bash
# What the scripts of this runbook share. Sourced, never run.
#
# They get everything through the environment: INPUT_… and TARGET_… are set by durun, the rest by the step's `env`
# and `secret_files`. A key is a file on tmpfs that is gone when the step ends; none is ever in an argument.

set -euo pipefail
umask 077
export LC_ALL=C

here=$(dirname "${BASH_SOURCE[0]}")

die() {                         # die MESSAGE…: the step fails with a reason that a person can read
  printf '%s\n' "$*" >&2
  exit 1
}

check_public() {                # check_public TEXT: one public key, with nothing in it that a shell would understand
  [[ $1 =~ ^[a-z0-9@.-]+\ [A-Za-z0-9+/]+=*(\ [A-Za-z0-9@._:+-]+)?$ ]] || die "'$1' is no plain public key"
}

connect() {                     # connect COMMAND…: log in with KEY_FILE and with nothing else
  local known="$DURUN_WORK/known_hosts.$DURUN_IDEMPOTENCY_KEY"
  check_public "$TARGET_HOST_KEY"
  printf 'target %s\n' "$TARGET_HOST_KEY" >"$known"
  # No agent, no configuration, no connection that is already open: else another key could be the one that lets us in.
  ssh -F none -T -p "${TARGET_PORT:-22}" -l "$TARGET_USER" -i "$KEY_FILE" \
    -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityAgent=none -o ControlPath=none -o ConnectTimeout=10 \
    -o PreferredAuthentications=publickey -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o LogLevel=ERROR \
    -o HostKeyAlias=target -o StrictHostKeyChecking=yes -o UpdateHostKeys=no \
    -o UserKnownHostsFile="$known" -o GlobalKnownHostsFile=/dev/null \
    -- "$TARGET_HOST" "$@"
}

authorized_keys() {             # authorized_keys find|add|remove: on the other side, with OLD and NEW
  check_public "$OLD"
  [[ -z ${NEW:-} ]] || check_public "$NEW"
  { printf "what='%s' old='%s' new='%s'\n" "$1" "$OLD" "${NEW:-}"; cat "$here/remote.sh"; } | connect sh -s
}

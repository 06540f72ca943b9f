#!/usr/bin/env bash
# Leave a note on the case in $DURUN_EVIDENCE.

set -euo pipefail
export LC_ALL=C

{
  printf 'case: %s\nrun: %s\nhost: %s\ngathered by: %s\n' "$INPUT_CASE" "$DURUN_RUN_ID" "$(uname -n)" "$(id)"
  printf 'ended: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  if command -v chronyc >/dev/null; then
    chronyc -n tracking 2>&1 | sed 's/^/clock: /' || true
  elif command -v timedatectl >/dev/null; then
    timedatectl show 2>&1 | sed 's/^/clock: /' || true
  else
    printf 'clock: not compared with any other\n'
  fi
} >"$DURUN_EVIDENCE/case.txt"

#!/usr/bin/env bash
# Write what is in service now, for every service below the root. Safe to repeat.

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

root=${INPUT_ROOT%/}
[[ -d $root ]] || { echo "nothing was made below $root"; exit 0; }
summary="$root/summary.txt"
{
  printf 'run %s %s\n' "$DURUN_RUN_ID" "$RUN_STATUS"
  while IFS= read -r -d '' current; do
    service=${current%/current}
    not_after=$(openssl x509 -in "$current/certificate.pem" -noout -enddate -dateopt iso_8601)
    printf '%s  %s  valid until %s\n' "${service#"$root"/}" "$(basename "$(readlink -- "$current")")" "${not_after#notAfter=}"
  done < <(find "$root" -type l -name current -print0 | sort -z)
} >"$summary.part"
flush "$summary.part"
mv -T -- "$summary.part" "$summary"
cat "$summary"

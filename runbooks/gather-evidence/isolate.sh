#!/usr/bin/env bash
# isolate.sh check    whether this machine could be taken off the network here and by us
# isolate.sh cut      take it off, but for the addresses in KEEP; safe to repeat
# isolate.sh is-cut   0: it is off; 3: it is not
# isolate.sh undo     give the network back; safe to repeat
#
# One nft table of our own, put in place whole by one transaction: no other rule is looked at or changed.

set -euo pipefail
export LC_ALL=C

table='inet durun_isolation'

there() {
  # shellcheck disable=SC2086  # family and name are two words
  nft list table $table >/dev/null 2>&1
}

allowed() {                     # allowed DIRECTION: a rule for each address to keep; DIRECTION is saddr or daddr
  local address
  for address in ${KEEP-}; do
    if [[ $address == *:* ]]; then printf 'ip6 %s %s accept\n' "$1" "$address"; else printf 'ip %s %s accept\n' "$1" "$address"; fi
  done
}

rules() {
  printf 'table %s\ndelete table %s\ntable %s {\n' "$table" "$table" "$table"
  printf 'chain input { type filter hook input priority -300; policy drop;\niif lo accept\n%s\n}\n' "$(allowed saddr)"
  printf 'chain output { type filter hook output priority -300; policy drop;\noif lo accept\n%s\n}\n' "$(allowed daddr)"
  printf 'chain forward { type filter hook forward priority -300; policy drop; }\n}\n'
}

case ${1-} in
  check)
    command -v nft >/dev/null || { echo "DURUN_REASON=there is no nft here" >>"$DURUN_OUTPUT" && exit 1; }
    nft list tables >/dev/null || { echo "DURUN_REASON=nft may not be used by $(id -un)" >>"$DURUN_OUTPUT" && exit 1; }
    ;;
  cut) rules | nft -f - ;;
  is-cut)
    nft list tables >/dev/null || exit 1
    there || exit 3
    ;;
  undo)
    if there; then
      # shellcheck disable=SC2086
      nft delete table $table
    fi
    ;;
  *) echo "usage: isolate.sh check|cut|is-cut|undo" >&2 && exit 2 ;;
esac

#!/usr/bin/env bash
# The reload hook of the demonstration: a "reload" is one line in the file `reload_log` of the inventory, so that
# anyone can count how often it happened. Copy it for your own applications and name your copy in the inventory.
#
#   HOOK reload   make the application take the new password     (say: install -m 600 "$PASSWORD_FILE" /etc/shop/db-password
#                                                                  && systemctl reload shop)
#   HOOK verify   0: it uses it; 3: it does not; anything else: could not tell
#
# It is given PASSWORD_FILE (for `reload`: the new password, gone when the hook ends), TARGET_NAME with the other
# fields of the inventory, and DURUN_IDEMPOTENCY_KEY, the same for every attempt in this run and for no other.

set -euo pipefail

log=$TARGET_RELOAD_LOG

case ${1:-} in
  reload)
    [[ -s $PASSWORD_FILE ]] || { echo "no password was handed over" >&2; exit 1; }
    printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$TARGET_NAME" "$DURUN_IDEMPOTENCY_KEY" >>"$log"
    sync -- "$log"
    ;;
  verify)
    [[ -d $(dirname "$log") ]] || exit 1
    [[ -e $log ]] || exit 3
    grep -q -F -- " $DURUN_IDEMPOTENCY_KEY" "$log" || { [[ $? == 1 ]] && exit 3; exit 1; }
    ;;
  *)
    echo "usage: $0 reload|verify" >&2
    exit 2
    ;;
esac

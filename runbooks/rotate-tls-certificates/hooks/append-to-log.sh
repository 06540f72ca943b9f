#!/usr/bin/env bash
# The reload hook of the demonstration: a "reload" is one line in the service's reload log, so that anyone can
# count how often it happened. Copy it for your own services and name your copy in the inventory.
#
#   HOOK reload   make the service take the new certificate     (say: nginx -t && systemctl reload nginx)
#   HOOK verify   0: it uses it; 3: it does not; anything else: could not tell     (say: ask it with s_client)
#
# It is given SERVICE_DIRECTORY, VERSION, and TARGET_NAME with the other fields of the inventory.

set -euo pipefail

log="$SERVICE_DIRECTORY/reload.log"

case ${1:-} in
  reload)
    printf '%s %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$TARGET_NAME" "$VERSION" >>"$log"
    sync -- "$log"
    ;;
  verify)
    [[ -d $SERVICE_DIRECTORY ]] || exit 1
    [[ -e $log ]] || exit 3
    grep -q -F -- " $VERSION" "$log" || { [[ $? == 1 ]] && exit 3; exit 1; }
    ;;
  *)
    echo "usage: $0 reload|verify" >&2
    exit 2
    ;;
esac

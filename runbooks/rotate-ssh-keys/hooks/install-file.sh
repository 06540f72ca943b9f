#!/usr/bin/env bash
# A reload hook: the new private key becomes the file `install_as` of the inventory, on this machine.
#
#   HOOK reload   the key's user takes the new key, here by one rename
#   HOOK verify   0: it has it; 3: it has not; anything else: could not tell
#
# It is given KEY_FILE (for `reload`: the new private key, gone when the hook ends), PUBLIC, its public half,
# TARGET_NAME with the other fields of the inventory, and DURUN_IDEMPOTENCY_KEY.

set -euo pipefail
umask 077

case ${1:-} in
  reload)
    draft="$TARGET_INSTALL_AS.$DURUN_IDEMPOTENCY_KEY"
    cat -- "$KEY_FILE" >"$draft"
    sync -- "$draft"
    mv -T -- "$draft" "$TARGET_INSTALL_AS"
    sync -- "$(dirname "$TARGET_INSTALL_AS")"
    ;;
  verify)
    [[ -d $(dirname "$TARGET_INSTALL_AS") ]] || exit 1
    [[ -e $TARGET_INSTALL_AS ]] || exit 3
    there=$(ssh-keygen -y -P '' -f "$TARGET_INSTALL_AS") || exit 1
    [[ $(cut -d ' ' -f 1,2 <<<"$there") == "$(cut -d ' ' -f 1,2 <<<"$PUBLIC")" ]] || exit 3
    ;;
  *)
    echo "usage: $0 reload|verify" >&2
    exit 2
    ;;
esac

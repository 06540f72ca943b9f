#!/usr/bin/env bash
# account.sh find      log in with KEY_FILE and see that it is in authorized_keys; gives its public half as an output
# account.sh add       put NEW beside OLD
# account.sh prove     log in with KEY_FILE
# account.sh remove    take OLD out, if NEW is in
#
# Every one of them may be repeated. ssh's own exit code, 255, is "could not connect".

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

case ${1:-} in
  find)
    # With an empty passphrase, for a key that wants one could not be used by anything but a person.
    OLD=$(ssh-keygen -y -P '' -f "$KEY_FILE") || die "the keyring's key can't be read: is it protected by a passphrase?"
    OLD=$(cut -d ' ' -f 1,2 <<<"$OLD")
    authorized_keys find
    printf 'public=%s\n' "$OLD" >>"$DURUN_OUTPUT"
    ;;
  add | remove) authorized_keys "$1" ;;
  prove) connect true ;;
  *) die "usage: $0 find|add|prove|remove" ;;
esac

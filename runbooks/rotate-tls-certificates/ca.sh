#!/usr/bin/env bash
# Make the internal CA unless there is one. Safe to repeat: the CA appears whole, by one rename, or not at all.

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

ca=${INPUT_CA_DIRECTORY:-}
ca=${ca:-${INPUT_ROOT%/}/ca}

if [[ ! -e $ca ]]; then
  part="$ca.$DURUN_RUN_ID.part"
  rm -rf -- "$part"
  mkdir -p -- "$part"
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$part/ca.key"
  openssl req -x509 -new -key "$part/ca.key" -sha384 -days 3650 -out "$part/ca.crt" \
    -subj "/CN=Internal CA $(date -u +%Y-%m-%d)" \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
    -addext 'keyUsage=critical,keyCertSign,cRLSign'
  chmod 644 "$part/ca.crt"
  flush "$part"/* "$part"
  # Refused by the kernel if another run was quicker: then its CA is the one that we use.
  mv -T -- "$part" "$ca" 2>/dev/null || rm -rf -- "$part"
  flush "$(dirname "$ca")"
fi

[[ -r $ca/ca.key && -r $ca/ca.crt ]] || die "no CA in $ca: it needs ca.key and ca.crt, readable by this user"
openssl verify -CAfile "$ca/ca.crt" "$ca/ca.crt" >&2 || die "the CA in $ca is not valid (expired?)"
printf 'directory=%s\n' "$ca" >>"$DURUN_OUTPUT"

#!/usr/bin/env bash
# Make the key and the certificate of one service in a new version folder.
#
# The folder's name and the serial number are fixed for this run and service, and the folder appears whole by
# one rename. So a repeat after a crash either finds it finished, or starts it afresh; never a second certificate.

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

[[ $TARGET_COMMON_NAME =~ ^[A-Za-z0-9*._-]+$ ]] || die "'$TARGET_COMMON_NAME' is no host name (common_name of $TARGET_NAME)"
number=${SERIAL//-/}
[[ $number =~ ^[0-9a-f]{32}$ ]] || die "'$SERIAL' is no serial number"
stamp=${STARTED_AT%Z}           # to the millisecond: of two rotations in one second, install.sh must know the newer
version="${stamp//[-:]/}-${number:0:16}"
versions="$(service_directory)/versions"
done_folder="$versions/$version"

make_key() {                    # make_key FILE
  case $INPUT_KEY_TYPE in
    ec-p256) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" ;;
    ec-p384) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$1" ;;
    ed25519) openssl genpkey -algorithm ED25519 -out "$1" ;;
    rsa-*) openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:${INPUT_KEY_TYPE#rsa-}" -out "$1" ;;
    *) die "unknown key type '$INPUT_KEY_TYPE'" ;;
  esac
}

extensions() {                  # the certificate's extensions, as openssl wants them
  local name separator=
  printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'extendedKeyUsage=serverAuth' \
    'keyUsage=critical,digitalSignature' 'authorityKeyIdentifier=keyid' 'subjectKeyIdentifier=hash'
  printf 'subjectAltName='
  for name in $NAMES; do
    if is_address "$name"; then
      printf '%sIP:%s' "$separator" "$name"
    else
      [[ $name =~ ^[A-Za-z0-9*._-]+$ ]] || die "'$name' is neither a host name nor an address (names of $TARGET_NAME)"
      printf '%sDNS:%s' "$separator" "$name"
    fi
    separator=,
  done
  printf '\n'
}

if [[ ! -d $done_folder ]]; then
  part="$versions/.$version.part"
  rm -rf -- "$part"
  mkdir -p -- "$part"
  make_key "$part/key.pem"
  extensions >"$part/extensions.cnf"
  openssl req -new -key "$part/key.pem" -subj "/CN=$TARGET_COMMON_NAME" -out "$part/request.csr"
  openssl x509 -req -in "$part/request.csr" -CA "$CA_DIRECTORY/ca.crt" -CAkey "$CA_DIRECTORY/ca.key" \
    -set_serial "0x$number" -days "$INPUT_DAYS" -sha384 -extfile "$part/extensions.cnf" -out "$part/certificate.pem"
  cat "$part/certificate.pem" "$CA_DIRECTORY/ca.crt" >"$part/fullchain.pem"
  rm -- "$part/extensions.cnf" "$part/request.csr"
  chmod 644 "$part/certificate.pem" "$part/fullchain.pem"
  flush "$part"/* "$part"
  mv -T -- "$part" "$done_folder"
  flush "$versions"
fi

not_after=$(openssl x509 -in "$done_folder/certificate.pem" -noout -enddate -dateopt iso_8601)
{
  printf 'version=%s\n' "$version"
  printf 'not_after=%s\n' "${not_after#notAfter=}"
} >>"$DURUN_OUTPUT"

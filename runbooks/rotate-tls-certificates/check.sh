#!/usr/bin/env bash
# Look hard at the new certificate before anyone sees it. Reads only.

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

folder="$(service_directory)/versions/$VERSION"
certificate="$folder/certificate.pem"

openssl verify -CAfile "$CA_DIRECTORY/ca.crt" -purpose sslserver "$certificate"

[[ $(openssl pkey -in "$folder/key.pem" -pubout) == "$(openssl x509 -in "$certificate" -noout -pubkey)" ]] ||
  die "the key does not belong to the certificate ($folder)"

for name in $NAMES; do
  option=-verify_hostname
  if is_address "$name"; then option=-verify_ip; fi
  openssl verify -CAfile "$CA_DIRECTORY/ca.crt" "$option" "${name/#\*/any}" "$certificate" >/dev/null ||
    die "the certificate does not hold for $name"
done

# A run that is resumed weeks later must not install what is half worn out.
openssl x509 -in "$certificate" -noout -checkend $((INPUT_DAYS * 43200)) >/dev/null ||
  die "less than half of the certificate's life is left: start a new rotation"

[[ $(stat -c %a "$folder/key.pem") == 600 ]] || die "$folder/key.pem is not 0600"

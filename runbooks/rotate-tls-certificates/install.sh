#!/usr/bin/env bash
# install.sh          put the new version into service: one rename of the link `current`, so that key and
#                     certificate change together; `previous` keeps what was there
# install.sh verify   0: the new version is in service; 3: it is not; else: could not tell

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

service=$(service_directory)
[[ -d $service/versions/$VERSION ]] || die "no version $VERSION in $service/versions"
new="versions/$VERSION"
now=
if [[ -L $service/current ]]; then now=$(readlink -- "$service/current"); fi

if [[ ${1:-} == verify ]]; then
  [[ $now == "$new" ]] || exit 3
  exit 0
fi

[[ $now == "$new" ]] && exit 0
# Versions begin with the start of their run: one that another run installed meanwhile is not taken back.
[[ ! ${now#versions/} > $VERSION ]] || die "a newer version is in service: ${now#versions/}"

if [[ -n $now ]]; then link_to "$now" "$service/previous"; fi
link_to "$new" "$service/current"
flush "$service"

#!/usr/bin/env bash
# Write SHA256SUMS over all that was gathered, after a look whether anything changed since it was taken.
# Safe to repeat. Check it with: cd CASE && sha256sum -c SHA256SUMS

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

cd -- "$case_folder"
rm -rf -- "$parts"

changed=()
compare() {                     # compare NOTE FILE: is FILE what its note says it was?
  local said
  said=$(sed -n 's/^sha256: //p' "$1")
  [[ -z $said || ( -f $2 && $(digest "$2") == "$said" ) ]] || changed+=("$2")
}
for meta in ./*.meta; do
  [[ -e $meta ]] && compare "$meta" "${meta%.meta}.txt"
done
while IFS= read -r -d '' note; do
  copy="./files${note#./files-notes}"
  compare "$note" "${copy%.txt}"
done < <(find . -path './files-notes/*' -type f -print0)
((${#changed[@]} == 0)) || die "changed since it was taken: ${changed[*]}"

find . -type f ! -path ./SHA256SUMS -exec chmod 400 {} +
mkdir -- "$parts"
find . -type f ! -path ./SHA256SUMS ! -path './.part/*' -print0 | sort -z | xargs -0 -r sha256sum >"$parts/sums"
chmod 400 "$parts/sums"
publish "$parts/sums" ./SHA256SUMS
rmdir -- "$parts"
sha256sum --quiet -c SHA256SUMS
{
  printf 'files=%s\n' "$(wc -l <SHA256SUMS)"
  printf 'manifest=%s\n' "$case_folder/SHA256SUMS"
  printf 'sha256=%s\n' "$(digest SHA256SUMS)"
} >>"$DURUN_OUTPUT"

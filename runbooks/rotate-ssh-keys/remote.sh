# shellcheck shell=sh disable=SC2154
# What happens on the other side, in its `sh`, with what=find|add|remove, old='TYPE KEY', new='TYPE KEY COMMENT' before it.
# It comes by standard input and does nothing before its last line has arrived: half of it, should the line break, is
# no half of a change. Each repeat finds what the one before it did.

given='function given(line, key,    at, from, before) {    # where the key is, 0 if it is not; options may stand before it
  if (line ~ /^[ \t]*#/) return 0
  for (from = 1; (at = index(substr(line " ", from), key " ")) > 0; from += at) {
    before = substr(line, 1, from + at - 2)
    gsub(/\\"/, "", before)
    if (before ~ /(^|[ \t])$/ && gsub(/"/, "", before) % 2 == 0) return from + at - 1       # not in the text of an option
  }
  return 0
}'

has() {                         # has 'TYPE KEY': whether a line gives this key
  awk -v key="$1" "$given"' given($0, key) { found = 1 } END { exit !found }' "$file"
}

add() {                         # the new one after the old one, with the same options
  awk -v key="$old" -v new="$new" "$given"'
    { print }
    !done && (at = given($0, key)) > 0 { print substr($0, 1, at - 1) new; done = 1 }' "$file"
}

remove() {                      # every line with the old one
  awk -v key="$old" "$given"' !given($0, key) { print }' "$file"
}

replace() {                     # replace COMMAND: the file by what the command prints, whole or not at all
  draft="$file.durun.$$"
  trap 'rm -f "$draft"' EXIT
  cp -p "$file" "$draft"
  "$1" >"$draft"
  sync "$draft"
  mv -f "$draft" "$file"
  sync "$(dirname "$file")"
}

main() {
  set -eu
  file=$(readlink -f "$HOME/.ssh/authorized_keys")
  # One at a time: else one that was left behind by a lost connection could bring back what was taken out since.
  if command -v flock >/dev/null; then
    exec 9>>"$HOME/.ssh/.authorized_keys.lock"
    flock -w 10 9
  fi
  new_key=${new% *}
  if [ "$what" = add ] && has "$new_key"; then return 0; fi
  if [ "$what" = remove ]; then
    has "$new_key" || { echo "the new key is not in $file: nothing is taken out" >&2; return 1; }
    has "$old" || return 0
  fi
  has "$old" || { echo "the present key is not in $file" >&2; return 1; }
  [ "$what" = find ] || replace "$what"
}

main

#!/usr/bin/env bash
# copy-file.sh          copy one file, with a note on its owner, mode and times; a missing one is noted as missing
# copy-file.sh verify   0: this file was dealt with; 3: it was not

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

path=$TARGET
[[ $path == /* && $path/ != */../* ]] || die "'$path' is not an absolute path"
copy="$case_folder/files$path"
note="$case_folder/files-notes$path.txt"

if [[ ${1:-} == verify ]]; then
  [[ -r $case_folder/case.txt ]] || exit 1
  [[ -e $note ]] || exit 3
  exit 0
fi

# The note is written last: where there is one, the file was dealt with.
mkdir -p -- "$parts" "$(dirname "$copy")" "$(dirname "$note")"
problem=
missing=
{
  printf 'path: %s\ntaken: %s\n' "$path" "$(now)"
  if [[ ! -e $path && ! -L $path ]]; then
    printf 'missing: yes\n'
    missing=yes
  elif [[ ! -f $path ]]; then
    printf 'not a file: %s\n' "$(stat -c %F -- "$path")"
    problem="$path is not a regular file"
  elif ! cp -L --preserve=timestamps -- "$path" "$parts/copy" 2>/dev/null; then
    rm -f -- "$parts/copy"
    printf 'not readable by: %s\n' "$(id -un)"
    problem="$path is not readable by $(id -un)"
  else
    stat -L -c $'mode: %A\nowner: %U:%G\nsize: %s\nmodified: %y\nchanged: %z' -- "$path"
    if [[ -L $path ]]; then printf 'a link to: %s\n' "$(readlink -f -- "$path")"; fi
    printf 'sha256: %s\n' "$(digest "$parts/copy")"
    publish "$parts/copy" "$copy"
  fi
} >"$parts/note"
publish "$parts/note" "$note"
[[ -z $missing ]] || printf '%s is missing on this machine\n' "$path"
[[ -z $problem ]] || die "$problem"

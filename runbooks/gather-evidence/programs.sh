#!/usr/bin/env bash
# Leave in $DURUN_EVIDENCE each program that runs though its file was deleted: once, however many processes run it.

set -euo pipefail
export LC_ALL=C

declare -A taken=()
for folder in /proc/[0-9]*; do
  # A process may end while we look, or not be ours to read.
  target=$(readlink "$folder/exe" 2>/dev/null) || continue
  [[ $target == *' (deleted)' ]] || continue
  inode=$(stat -L -c %d-%i "$folder/exe" 2>/dev/null) || continue
  if [[ -z ${taken[$inode]-} ]]; then
    cat -- "$folder/exe" >"$DURUN_EVIDENCE/${folder#/proc/}.program" 2>/dev/null || continue
    taken[$inode]=${folder#/proc/}.program
  fi
  printf '%s\t%s\t%s\n' "${folder#/proc/}" "$target" "${taken[$inode]}" >>"$DURUN_EVIDENCE/programs.tsv"
done
printf '%s programs run whose files were deleted\n' "${#taken[@]}"

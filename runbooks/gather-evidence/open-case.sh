#!/usr/bin/env bash
# Make the case folder. It belongs to one run: a folder with anything else in it is refused. Safe to repeat.

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

mkdir -p -- "$parts"
if [[ -e $case_folder/case.txt ]]; then
  grep -q -x -F -- "run: $DURUN_RUN_ID" "$case_folder/case.txt" || die "$case_folder is the case folder of another run"
  exit 0
fi
[[ -z $(find "$case_folder" -mindepth 1 -maxdepth 1 ! -name .part -print -quit) ]] || die "$case_folder is not empty"

{
  printf 'run: %s\n' "$DURUN_RUN_ID"
  printf 'case: %s\n' "$INPUT_CASE"
  printf 'host: %s\n' "$(uname -n)"
  printf 'gathered by: %s\n' "$(id)"
  printf 'opened: %s\n' "$(now)"
} >"$parts/case"
publish "$parts/case" "$case_folder/case.txt"

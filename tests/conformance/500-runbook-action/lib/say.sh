#!/bin/sh
out=$1
shift
printf '%s\n' "$@" >>"$out"
[ ! -e "$out.bad" ]

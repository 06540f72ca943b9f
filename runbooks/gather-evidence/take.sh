#!/usr/bin/env bash
# take.sh          take one item of evidence: ITEM.txt, and ITEM.meta (how, when, digest)
# take.sh verify   0: the item was taken; 3: it was not. What was taken is never taken again.
#
# NEEDS lists what the item can be taken with, best first: a command, or a path. Everything is only read.

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$0")/lib.sh"

item=$TARGET_NAME
final="$case_folder/$item.txt"

chosen() {                      # the first of NEEDS that is on this machine; nothing if none is
  local need
  for need in $NEEDS; do
    if [[ $need == /* && -r $need ]] || { [[ $need != /* ]] && command -v "$need" >/dev/null; }; then
      printf '%s\n' "$need"
      return
    fi
  done
}

process_table() {               # from /proc alone: pid, parent, uid, state, command line
  local folder status cmdline
  printf 'PID\tPPID\tUID\tSTATE\tCOMMAND\n'
  for folder in /proc/[0-9]*; do
    # A process may end while we look: then it is not in the list.
    status=$(awk -F '[:\t ]+' '$1 ~ /^(Name|State|PPid|Uid)$/ {v[$1] = $2}
      END {printf "%s\t%s\t%s\t[%s]", v["PPid"], v["Uid"], v["State"], v["Name"]}' "$folder/status" 2>/dev/null) || continue
    cmdline=$(tr '\0' ' ' 2>/dev/null <"$folder/cmdline") || continue
    printf '%s\t%s %s\n' "${folder#/proc/}" "$status" "$cmdline"
  done
}

executables() {                 # which file each process runs; "(deleted)" is worth a look
  local folder
  for folder in /proc/[0-9]*; do
    printf '%s\t%s\n' "${folder#/proc/}" "$(readlink "$folder/exe" 2>/dev/null || echo '? (not ours to read)')"
  done
}

each_file() {                   # each_file FILE…: every one that can be read, under its name
  local file
  for file in "$@"; do
    [[ -r $file ]] || continue
    printf '== %s\n' "$file"
    cat -- "$file"
  done
}

collect() {                     # collect WITH: the item, on stdout
  case $item/$1 in
    010-time/date) date -u '+%Y-%m-%dT%H:%M:%S.%NZ' && date '+local %Y-%m-%dT%H:%M:%S%z' ;;
    020-uptime/*) each_file /proc/uptime /proc/loadavg ;;
    030-routes/ip) ip route show table all && ip -6 route show table all ;;
    030-routes/*) each_file /proc/net/route /proc/net/ipv6_route ;;
    040-neighbours/ip) ip neighbour show ;;
    040-neighbours/*) each_file /proc/net/arp ;;
    050-sockets/ss) ss -H -n -a -p -t -u -w ;;
    050-sockets/*) each_file /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 /proc/net/raw ;;
    060-processes/ps) ps -e -ww -o pid,ppid,user,lstart,stat,args ;;
    060-processes/*) process_table ;;
    070-executables/*) executables ;;
    080-kernel/*) each_file /proc/version /proc/cmdline /proc/modules /proc/meminfo ;;
    090-sessions/who) who -a ;;
    100-mounts/*) each_file /proc/self/mountinfo ;;
    110-temporary-files/find) find /tmp /var/tmp /dev/shm -xdev -printf '%T+\t%m\t%u\t%s\t%p\n' ;;
    120-logins/last) last -F -w -n 200 ;;
    120-logins/*) od -A d -t x1z "$1" ;;
    130-accounts/getent) getent passwd && getent group ;;
    130-accounts/*) each_file /etc/passwd /etc/group ;;
    140-machine/uname) uname -a && each_file /etc/os-release /etc/timezone /etc/machine-id ;;
    150-packages/dpkg-query) dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${db:Status-Abbrev}\n' ;;
    150-packages/rpm) rpm -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\n' ;;
    *) die "take.sh does not know how to take $item with $1" ;;
  esac
}

if [[ ${1:-} == verify ]]; then
  [[ -r $case_folder/case.txt ]] || exit 1
  [[ -e $final ]] || exit 3
  exit 0
fi

mkdir -p -- "$parts"
begun=$(now)
with=$(chosen)
code=0
if [[ -n $with ]]; then
  collect "$with" >"$parts/out" 2>"$parts/stderr" || code=$?
else
  printf 'not taken: this machine has none of: %s\n' "$NEEDS" >"$parts/out"
  : >"$parts/stderr"
fi
{
  printf 'item: %s\nabout: %s\nwith: %s\n' "$item" "$TARGET_ABOUT" "${with:-nothing}"
  printf 'begun: %s\nended: %s\nexit code: %s\nsha256: %s\n' "$begun" "$(now)" "$code" "$(digest "$parts/out")"
  sed 's/^/stderr: /' "$parts/stderr"
} >"$parts/meta"
rm -- "$parts/stderr"
publish "$parts/meta" "$case_folder/$item.meta"
publish "$parts/out" "$final"
[[ $code == 0 || -s $final ]] || die "$with ended with $code and gave nothing; see $case_folder/$item.meta"

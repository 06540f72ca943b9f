#!/usr/bin/env bash
# Take one item of evidence: it goes to stdout as it is read. NEEDS lists what it can be taken with, best first: a
# command, or a path. Everything is only read.

set -euo pipefail
export LC_ALL=C

item=$TARGET_NAME

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

open_files() {                  # pid, descriptor, what it is
  find /proc/[0-9]*/fd -mindepth 1 -maxdepth 1 -printf '%h\t%f\t%l\n' 2>/dev/null || true
}

each_file() {                   # each_file FILE…: every one that can be read, under its name
  local file
  for file in "$@"; do
    [[ -r $file ]] || continue
    printf '== %s\n' "$file"
    cat -- "$file"
  done
}

with=$(chosen)
if [[ -z $with ]]; then
  printf 'not taken: this machine has none of: %s\n' "$NEEDS"
  exit 0
fi
printf 'durun: %s, with %s\n' "$TARGET_ABOUT" "$with" >&2
case $item/$with in
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
  075-open-files/*) open_files ;;
  080-kernel/*) each_file /proc/version /proc/cmdline /proc/modules /proc/meminfo ;;
  085-firewall/nft) nft list ruleset ;;
  085-firewall/*) iptables-save ;;
  090-sessions/who) who -a ;;
  100-mounts/*) each_file /proc/self/mountinfo ;;
  # Folders that we may not enter are said on stderr; what is in the others counts.
  110-temporary-files/find) find /tmp /var/tmp /dev/shm -xdev -printf '%T+\t%m\t%u\t%s\t%p\n' || true ;;
  120-logins/last) last -F -w -n 200 ;;
  120-logins/*) od -A d -t x1z "$with" ;;
  130-accounts/getent) getent passwd && getent group ;;
  130-accounts/*) each_file /etc/passwd /etc/group ;;
  140-machine/uname) uname -a && each_file /etc/os-release /etc/timezone /etc/machine-id ;;
  150-packages/dpkg-query) dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${db:Status-Abbrev}\n' ;;
  150-packages/rpm) rpm -qa --qf '%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\n' ;;
  *) printf 'take.sh does not know how to take %s with %s\n' "$item" "$with" >&2 && exit 1 ;;
esac

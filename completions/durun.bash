# bash completion of durun. Made by `durun completion bash`.
_durun() {
    local line="${COMP_LINE:0:COMP_POINT}" words word value about cur before
    local -a found=() said=()
    read -ra words <<<"$line"
    case $line in *[[:space:]]) words+=('') ;; esac
    cur=${words[-1]}
    while IFS=$'\t' read -r value about; do
        case $value in
            :files) compopt -o filenames 2>/dev/null; mapfile -t -O "${#found[@]}" found < <(compgen -f -- "$cur") ;;
            :runbooks)
                compopt -o filenames 2>/dev/null
                mapfile -t -O "${#found[@]}" found < <(compgen -d -- "$cur")
                mapfile -t -O "${#found[@]}" found < <(compgen -f -X '!*.@(yaml|yml)' -- "$cur") ;;
            *) found+=("$value"); said[${#found[@]} - 1]=$about ;;
        esac
    done < <(command durun __complete "${words[@]:1}" 2>/dev/null)
    COMPREPLY=()
    before=
    case $cur in *[:=]*) before=${cur%"${cur##*[:=]}"} ;; esac    # bash itself takes these for the ends of words
    for word in "${!found[@]}"; do
        value=${found[word]#"$before"}
        if [ "${#found[@]}" -gt 1 ] && [ -n "${said[word]}" ] && [ "${COMP_TYPE:-9}" -ne 37 ]; then
            COMPREPLY+=("$value  (${said[word]})")
        else
            COMPREPLY+=("$value")
        fi
    done
    if [ "${#found[@]}" -eq 1 ] && [ -n "${said[0]+x}" ]; then COMPREPLY=("$(printf %q "${COMPREPLY[0]}")"); fi
}
shopt -q extglob || shopt -s extglob
complete -o nosort -F _durun durun

"""What each shell runs for a TAB. The files in `completions/` are these texts; all else is `durun.cli.completing`.

A line of `durun __complete` is a word, a tab, and what it is; `:files` and `:runbooks` stand for files.
"""

from __future__ import annotations

from typing import NamedTuple


class Shell(NamedTuple):
    """The script, and the name of its file in `completions/`."""

    file: str
    script: str


_BASH = r"""# bash completion of durun. Made by `durun completion bash`.
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
"""

_ZSH = r"""#compdef durun
# zsh completion of durun. Made by `durun completion zsh`.
_durun() {
    local value about
    local -a found
    while IFS=$'\t' read -r value about; do
        case $value in
            :files) _files ;;
            :runbooks) _files -g '*.(yaml|yml)(-.)' ;;
            *) found+=("${value//:/\\:}${about:+:$about}") ;;
        esac
    done < <(command durun __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#found )) && _describe -V durun found
}
if [ "$funcstack[1]" = _durun ]; then
    _durun "$@"
else
    compdef _durun durun
fi
"""

_FISH = r"""# fish completion of durun. Made by `durun completion fish`.
function __durun_complete
    set -l words (commandline -opc) "$(commandline -ct)"
    for line in (command durun __complete $words[2..] 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$(commandline -ct)"
            case ':runbooks'
                __fish_complete_path "$(commandline -ct)" | string match -re '(/|\.ya?ml)(\t|$)'
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c durun -f -k -a '(__durun_complete)'
"""

SHELLS = {"bash": Shell("durun.bash", _BASH), "zsh": Shell("_durun", _ZSH), "fish": Shell("durun.fish", _FISH)}

# fish completion of durun. Made by `durun completion fish`.
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

# Completion of dlx for fish; in ~/.config/fish/config.fish: dlx completion fish | source

function __dlx_complete
    set -l typed (commandline -opc)
    set -l found ($typed[1] completion reply $typed[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c dlx -e
complete -c dlx -f -a '(__dlx_complete)'

#compdef dlx
# Completion of dlx for zsh; in ~/.zshrc: eval "$(dlx completion zsh)"

_dlx() {
    local line word
    local -a typed=("${(@Q)words[1,CURRENT-1]}" "$PREFIX") whole=() open=() whole_shown=() open_shown=()
    for line in "${(@f)$("${typed[1]}" completion reply "${(@)typed[2,-1]}" 2>/dev/null)}"; do
        word="${line%%$'\t'*}"
        [[ -z $word ]] && continue
        if [[ $word == *[=.] ]]; then
            open+=("$word")
            open_shown+=("${${line/$'\t'/  }%  }")
        else
            whole+=("$word")
            whole_shown+=("${${line/$'\t'/  }%  }")
        fi
    done
    if (( $#whole + $#open == 0 )); then
        _files
        return
    fi
    (( $#open )) && compadd -Q -S '' -l -d open_shown -a open
    (( $#whole )) && compadd -Q -l -d whole_shown -a whole
}

if [[ ${funcstack[1]} == _dlx ]]; then
    _dlx "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _dlx dlx
fi

# Completion of dlx for bash; in ~/.bashrc: eval "$(dlx completion bash)"

_dlx() {
    local line="${COMP_LINE:0:COMP_POINT}" current candidate prefix="" mark
    local -a typed=()
    read -ra typed <<<"${line//[\'\"]/}"
    [[ $line == *[[:space:]] ]] && typed+=("")
    current="${typed[${#typed[@]}-1]}"
    # bash replaces only what stands behind the last of these marks.
    for mark in = :; do
        if [[ $COMP_WORDBREAKS == *"$mark"* && $current == *"$mark"* ]]; then
            candidate="${current%"$mark"*}$mark"
            [[ ${#candidate} -gt ${#prefix} ]] && prefix="$candidate"
        fi
    done
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        [[ $candidate == *[=.] ]] || candidate+=" "
        COMPREPLY+=("${candidate#"$prefix"}")
    done < <("${typed[0]}" completion reply "${typed[@]:1}" 2>/dev/null)
}

complete -o bashdefault -o default -o nospace -F _dlx dlx

# Completion of batonctl for bash: commands, options, and the names of services and keys, for which it asks
# batonctl itself. It needs nothing else, bash-completion included.

# The texts of one field of all lines of one type, of a reply in JSON. A name of a service has no character
# that JSON would escape.
_batonctl_field() { # TYPE FIELD
    local line
    while IFS= read -r line; do
        [[ $line == '{"v":1,"type":"'"$1"'",'* && $line =~ \"$2\":\"([A-Za-z0-9._-]*)\" ]] &&
            printf '%s\n' "${BASH_REMATCH[1]}"
    done
}

# The first words of the lines that `batonctl WORD...` prints, but for titles.
_batonctl_first() { # PATTERN-OF-LINES WORD...
    local line pattern=$1
    shift
    "$@" 2>/dev/null | while IFS= read -r line; do
        [[ ! $line =~ $pattern ]] || printf '%s\n' "${BASH_REMATCH[1]}"
    done
}

# What has been typed before the word that is to be completed. `--control=PATH` comes as three words, since
# bash parts them at `=`. Sets `command`, how many words stand behind it (`count`), `place`, and in `option`
# the one whose value is to be completed.
_batonctl_parse() {
    local i word
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --control | --handlers | --timeout)
            ((++i))
            [[ ${COMP_WORDS[i]-} != = || $i -eq $COMP_CWORD ]] || ((++i))
            if ((i >= COMP_CWORD)); then
                option=$word
            elif [[ $word == --control ]]; then
                place=(--control "${COMP_WORDS[i]}")
            fi
            ;;
        -*) ;;
        *)
            [[ -z $command ]] || ((++count))
            command=${command:-$word}
            ;;
        esac
    done
}

_batonctl() {
    local word=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} command='' option='' place=() count=0 words=''
    COMPREPLY=()
    [[ $word != = ]] || word=''
    _batonctl_parse
    if [[ $option == --timeout ]]; then
        return
    elif [[ -z $option && $word == -* ]]; then
        words='--control --handlers --json --wait --timeout --version --help'
    elif [[ $option == --control || $option == --handlers || $command:$count == check:0 ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        compopt -o filenames 2>/dev/null
        return
    fi
    case ${words:+-}$command:$count in
    :0)
        words='status services connections events explain reload restart drain enable disable kill stop log-level
            log-reopen keys check'
        ;;
    drain:0 | enable:0 | disable:0 | connections:0 | explain:0)
        words=$("$program" "${place[@]}" --timeout 1 --json services 2>/dev/null | _batonctl_field service service)
        ;;
    kill:0) words=$(_batonctl_first '^ *([0-9]+) ' "$program" "${place[@]}" --timeout 1 connections) ;;
    log-level:0) words='error warning info debug' ;;
    keys:0) words=$(_batonctl_first '^  ([^ ]+) ' "$program" keys) ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _batonctl batonctl

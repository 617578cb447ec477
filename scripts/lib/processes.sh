# Processes that scripts leave running and find again, and ports for them. Sourced by those scripts.
# shellcheck shell=bash

# Prints when a process started, in clock ticks since the machine did; nothing if there is none.
# Together with its id this names one process for good. A dead one not yet reaped counts as gone.
start_time() {
    local stat fields
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    # The program's name, in parentheses, may hold spaces.
    read -r -a fields <<<"${stat##*) }"
    [ "${fields[0]}" = Z ] || echo "${fields[19]}"
}

# running FILE: prints the process id in a pid file if that very process still runs.
running() {
    local pid started
    { read -r pid started <"$1"; } 2>/dev/null || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# Prints ports that nothing listens on. Below the range that the kernel hands out for outgoing
# connections, so that none of those takes the port of a broker that was killed.
free_ports() {
    local wanted=$1 busy port
    busy=$(awk 'FNR > 1 { split($2, at, ":"); print at[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    while [ "$wanted" -gt 0 ]; do
        port=$((15000 + (RANDOM << 15 | RANDOM) % 17000))
        if ! grep -qi "^$(printf '%04X' "$port")\$" <<<"$busy"; then
            echo "$port"
            busy+=$'\n'$(printf '%04X' "$port")
            wanted=$((wanted - 1))
        fi
    done
}

# What the `run` scripts of examples share: the programs, starting and ending them, waiting. Sourced
# by those scripts after they have set `root`; sets up `work`, a folder that goes when they end.
# shellcheck shell=bash

# shellcheck source=scripts/lib/prerequisites.sh
source "$root/scripts/lib/prerequisites.sh"

target=${CARGO_TARGET_DIR:-$root/target}
work=$(mktemp -d)
started=() kafka_dir=''
# What agents keep beside their outputs is for those that stay.
export STATE_DIRECTORY='' RUNTIME_DIRECTORY=''

# Sets `agent` and `sink` to the programs, which $METRIC_AGENT and $METRIC_SINK may name; else they
# are built.
find_programs() {
    agent=${METRIC_AGENT:-$target/debug/metric-agent} sink=${METRIC_SINK:-$target/debug/metric-sink}
    if [ -z "${METRIC_AGENT:-}" ] || [ -z "${METRIC_SINK:-}" ]; then
        need_rust "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")"
        need_c_toolchain
        (cd "$root" && CARGO_TARGET_DIR=$target cargo build --locked --bins >&2)
    fi
}

# start_kafka OPTIONS...: starts a cluster that ends with this script; sets `brokers`, as
# configuration files want them.
start_kafka() {
    kafka_dir=$work/kafka
    say "Starting Apache Kafka ..."
    brokers=$("$root/scripts/kafka" start --dir "$kafka_dir" --parent $$ "$@")
}

kafka() { "$root/scripts/kafka" "$@" --dir "$kafka_dir"; }

# launch NAME PROGRAM...: starts a program that logs to NAME.log in the work folder, in a session of
# its own, so that Ctrl-C is for the script. Sets `launched`.
launch() {
    local name=$1
    shift
    setsid "$@" >"$work/$name.log" 2>&1 </dev/null &
    launched=$!
    started+=("$launched")
}

# end PID: asks a program to end and waits until it has.
end() {
    kill -TERM "$1" 2>/dev/null || true
    wait "$1" || say "a program ended with status $?"
}

# wait_until SECONDS WHAT COMMAND...: until the command succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 5 "$work"/*.log >&2
            fail "waited in vain for $what; logs are in $work, which stays"
        fi
        sleep 0.2
    done
}

# Ends whatever the script has started. The logs of a script that failed stay.
clean_up() {
    local status=$? pid
    trap '' INT TERM HUP
    trap - EXIT
    for pid in "${started[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${started[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    [ -z "$kafka_dir" ] || "$root/scripts/kafka" remove --dir "$kafka_dir" 2>/dev/null || true
    [ $status -ne 0 ] || rm -rf "$work"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

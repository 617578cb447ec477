# The brokers of a cluster: their folders, processes and ports. Part of scripts/kafka, whose
# variables `dir`, `target`, `root` and options it reads.
# shellcheck shell=bash disable=SC2154

pom=$root/scripts/lib/kafka/pom.xml

# How long a broker may take to answer; a busy machine takes ten times what an idle one does.
start_limit_s=120
stop_limit_s=20

TOOL_OPTIONS=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    -Dlog4j2.configurationFile="$root/scripts/lib/kafka/log4j2-tools.properties")

# Prints a property of the list of what is fetched.
version_of() {
    sed -n "s:.*<$1.version>\(.*\)</$1.version>.*:\1:p" "$pom"
}

# fill_folder FOLDER WHAT ARGUMENTS...: has Maven fill a folder, if that is not there yet; the folder
# follows the arguments.
fill_folder() {
    local folder=$1 what=$2 fresh
    shift 2
    [ ! -d "$folder" ] || return 0
    mkdir -p "$target/kafka"
    # Of several that start at once one fetches, the others wait for it.
    exec 9>"$target/kafka/.fetching"
    flock 9
    if [ ! -d "$folder" ]; then
        need_maven
        say "Fetching $what from Maven Central"
        fresh=$(mktemp -d "$target/kafka/.fetching-XXXXXX")
        if ! mvn -B -q -f "$pom" "$@$fresh" >"$target/kafka/maven.log" 2>&1; then
            tail -n 20 "$target/kafka/maven.log" >&2
            rm -rf "$fresh"
            fail "Maven could not fetch $what; its whole output is in $target/kafka/maven.log"
        fi
        # Renamed as a whole, so that half of it is never taken for all.
        chmod 755 "$fresh"
        mv "$fresh" "$folder"
    fi
    exec 9>&-
}

# Sets JAVA and `jars`, the folder of Kafka's jars, fetching them when they are not there.
prepare_kafka() {
    local version
    need_java
    version=$(version_of kafka)
    jars=$target/kafka/$version
    fill_folder "$jars" "Apache Kafka $version" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory=
}

# Sets `jolokia`, the file that makes any Java program tell its beans over HTTP, fetching it when it
# is not there.
prepare_jolokia() {
    local version
    version=$(version_of jolokia)
    fill_folder "$target/kafka/jolokia-$version" "Jolokia $version" dependency:copy \
        "-Dartifact=org.jolokia:jolokia-agent-jvm:$version:jar:javaagent" -DoutputDirectory=
    jolokia=$target/kafka/jolokia-$version/jolokia-agent-jvm-$version-javaagent.jar
}

broker_ids() { seq "$(cat "$dir/brokers" 2>/dev/null || echo 0)"; }

# Writes broker-N/server.properties for all brokers, and the files with their addresses.
write_properties() {
    local ports=() all id at=0 kind kinds=(PLAINTEXT) listeners maps voters='' addresses
    [ -z "$security" ] || kinds+=(SASL TLS SASL_TLS)
    mapfile -t all < <(free_ports $((brokers * (${#kinds[@]} + 2))))
    [ -z "$with_jolokia" ] || : >"$dir/jolokia"
    for id in $(seq "$brokers"); do
        voters+="${voters:+,}$id@127.0.0.1:${all[at]}"
        ports[id]=${all[at]}
        [ -z "$with_jolokia" ] || echo "http://127.0.0.1:${all[at + 1]}/jolokia" >>"$dir/jolokia"
        at=$((at + 2))
    done
    declare -A port_of
    for kind in "${kinds[@]}"; do
        addresses=
        for id in $(seq "$brokers"); do
            port_of[$kind$id]=${all[at]}
            [ "$kind" != PLAINTEXT ] || [ -z "$port" ] || port_of[$kind$id]=$((port + id - 1))
            addresses+="${addresses:+,}127.0.0.1:${port_of[$kind$id]}"
            at=$((at + 1))
        done
        kind=${kind//_/-}
        echo "$addresses" >"$dir/addresses-${kind,,}"
    done
    maps=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,SASL_TLS:SASL_SSL
    for id in $(seq "$brokers"); do
        mkdir -p "$dir/broker-$id"
        listeners=
        for kind in "${kinds[@]}"; do
            listeners+="$kind://127.0.0.1:${port_of[$kind$id]},"
        done
        {
            # Of a property given twice Java takes the last: what is asked for stands last.
            cat <<END
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=${listeners}CONTROLLER://127.0.0.1:${ports[id]}
advertised.listeners=${listeners%,}
listener.security.protocol.map=$maps
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/broker-$id/data
num.partitions=5
default.replication.factor=$brokers
offsets.topic.replication.factor=$brokers
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=$brokers
transaction.state.log.min.isr=$((brokers / 2 + 1))
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=$brokers
share.coordinator.state.topic.min.isr=$((brokers / 2 + 1))
min.insync.replicas=$((brokers / 2 + 1))
# Members of a group get their partitions as soon as they ask, and tests may let them time out.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A broker that was killed is let back in after this.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Enough for the few topics of a test, and small in the heap.
log.cleaner.dedupe.buffer.size=4194304
END
            [ -z "$security" ] || security_properties
            [ ${#properties[@]} -eq 0 ] || printf '%s\n' "${properties[@]}"
        } >"$dir/broker-$id/server.properties"
    done
}

# Formats the brokers' data folders, all at once.
format_storage() {
    local id pids=() pid failed='' scram=()
    [ -z "$security" ] || mapfile -t scram < <(scram_arguments)
    for id in $(seq "$brokers"); do
        "$JAVA" "${TOOL_OPTIONS[@]}" -cp "$jars/*" kafka.tools.StorageTool format \
            --cluster-id "$1" --config "$dir/broker-$id/server.properties" "${scram[@]}" \
            >"$dir/broker-$id/format.log" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=yes
    done
    [ -z "$failed" ] || fail "the data folders could not be made: $(tail -n 5 "$dir"/broker-*/format.log)"
}

# Starts the process of a broker and leaves it running.
launch_broker() {
    local here=$dir/broker-$1 pid agent=() port
    rm -f "$here/server.log"
    if [ -e "$dir/jolokia" ]; then
        prepare_jolokia
        port=$(sed -n "$1s:.*\:\([0-9]*\)/.*:\1:p" "$dir/jolokia")
        agent=("-javaagent:$jolokia=host=127.0.0.1,port=$port")
    fi
    # In a session of its own: Ctrl-C at the terminal is for the one who runs the cluster.
    setsid "$JAVA" "${agent[@]}" "-Xmx$(cat "$dir/heap")" -XX:+UseG1GC -XX:+ExitOnOutOfMemoryError \
        -Djava.awt.headless=true -Dkafka.logs.dir="$here" \
        -Dlog4j2.configurationFile="$root/scripts/lib/kafka/log4j2.properties" \
        -cp "$jars/*" kafka.Kafka "$here/server.properties" >"$here/output.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid $(start_time "$pid")" >"$here/pid"
}

# Waits until broker N answers; 1 if it ended instead, 2 if it takes too long.
await_broker() {
    local here=$dir/broker-$1 address deadline=$((SECONDS + start_limit_s))
    address=$(sed -n 's:^listeners=PLAINTEXT\://\([^,]*\),.*:\1:p' "$here/server.properties")
    # The port answers early; the log says when the broker has joined the cluster.
    until grep -q 'Kafka Server started' "$here/server.log" 2>/dev/null && kafka_answers "$address"; do
        running "$here/pid" >/dev/null || return 1
        [ "$SECONDS" -lt "$deadline" ] || return 2
        sleep 0.1
    done
}

# Shows why a broker did not start.
show_failure() {
    tail -n 15 "$dir/broker-$1/output.log" >&2 || true
    grep -E 'ERROR|FATAL' "$dir/broker-$1/server.log" 2>/dev/null | tail -n 15 >&2 || true
}

# Launches all brokers and waits until they answer; fails as await_broker does.
launch_all() {
    local id
    for id in $(broker_ids); do
        launch_broker "$id"
    done
    # Before the wait, so that nothing is left behind if this script is killed in it.
    launch_watch
    for id in $(broker_ids); do
        await_broker "$id" || return
    done
    publish_addresses
}

# Kills what was launched and ends the script, for the reason that await_broker gave.
give_up() {
    local id
    for id in $(broker_ids); do
        kill_broker "$id"
        show_failure "$id"
    done
    end_watch
    [ "$1" -eq 1 ] || fail "the brokers did not answer within $start_limit_s s; see $dir"
    fail "a broker ended while starting; see $dir"
}

refuse_if_running() {
    local id
    for id in $(broker_ids); do
        ! running "$dir/broker-$id/pid" >/dev/null ||
            fail "a cluster already runs in $dir; 'scripts/kafka stop --dir $dir' ends it"
    done
}

restart_cluster() {
    local result=0
    refuse_if_running
    launch_all || result=$?
    [ $result -eq 0 ] || give_up $result
}

create_cluster() {
    local id attempt cluster result
    refuse_if_running
    # Only what an earlier start left is written over: a wrong --dir must cost nobody their files.
    if [ -e "$dir" ] && [ ! -e "$dir/brokers" ] && [ -n "$(ls -A "$dir")" ]; then
        fail "$dir is not empty and no cluster's folder"
    fi
    # 22 characters of base 64, as Kafka wants them; with letters for its two signs, because an id
    # that begins with a dash would be taken for an option.
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c 1-22)
    for attempt in 1 2 3; do
        rm -rf "$dir"/broker-* "$dir"/bootstrap* "$dir"/addresses-* "$dir/jolokia"
        mkdir -p "$dir"
        echo "$brokers" >"$dir/brokers"
        echo "$heap" >"$dir/heap"
        [ -z "$security" ] || make_certificates
        write_properties
        format_storage "$cluster"
        result=0
        launch_all || result=$?
        if [ $result -eq 0 ]; then
            echo "$cluster" >"$dir/cluster-id"
            return
        fi
        # Between the look for a free port and its use somebody else may have taken it.
        [ -z "$port" ] && grep -qs 'Address already in use' "$dir"/broker-*/server.log || break
        for id in $(broker_ids); do
            kill_broker "$id"
        done
        say "A port was taken in the meantime (attempt $attempt), trying others"
    done
    give_up $result
}

# Makes the files that say where the brokers are, each complete from its first moment.
publish_addresses() {
    local file name
    for file in "$dir"/addresses-*; do
        name=bootstrap${file##*/addresses}
        cp "$file" "$dir/.address"
        mv "$dir/.address" "$dir/${name%-plaintext}"
    done
}

command_start_broker() {
    ! running "$dir/broker-$1/pid" >/dev/null || fail "broker $1 already runs"
    prepare_kafka
    launch_broker "$1"
    local result=0
    await_broker "$1" || result=$?
    if [ $result -ne 0 ]; then
        show_failure "$1"
        kill_broker "$1"
        fail "broker $1 did not start; see $dir/broker-$1"
    fi
    publish_addresses
}

signal_broker() {
    local pid
    pid=$(running "$dir/broker-$2/pid") || fail "broker $2 does not run"
    kill "-$1" "$pid"
}

# Ends a broker at once, if it runs, and returns when it is gone.
kill_broker() {
    local pid
    while pid=$(running "$dir/broker-$1/pid"); do
        kill -KILL "$pid" 2>/dev/null || true
        sleep 0.02
    done
    rm -f "$dir/broker-$1/pid"
}

# Asks a broker to end; kills it if it does not.
stop_broker() {
    local pid deadline=$((SECONDS + stop_limit_s))
    if pid=$(running "$dir/broker-$1/pid"); then
        kill -TERM "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true
        while running "$dir/broker-$1/pid" >/dev/null && [ "$SECONDS" -lt "$deadline" ]; do
            sleep 0.1
        done
    fi
    kill_broker "$1"
}

# Stops the brokers all at once: the last of them has nobody left to hand its partitions to, and
# would wait for minutes.
stop_cluster() {
    local id
    [ -e "$dir/brokers" ] || return 0
    end_watch
    rm -f "$dir"/bootstrap*
    for id in $(broker_ids); do
        stop_broker "$id" &
    done
    wait
}

remove_cluster() {
    local id
    [ -e "$dir/brokers" ] || fail "there is no cluster in $dir"
    end_watch
    for id in $(broker_ids); do
        kill_broker "$id"
    done
    rm -rf "$dir"
}

show_status() {
    local id pid state
    [ -e "$dir/brokers" ] || fail "there is no cluster in $dir"
    for id in $(broker_ids); do
        state=stopped
        if pid=$(running "$dir/broker-$id/pid"); then
            state="running, process $pid"
            [[ $(cut -d' ' -f3 "/proc/$pid/stat") != T ]] || state="paused, process $pid"
        fi
        echo "broker $id: $(sed -n 's/^advertised.listeners=//p' "$dir/broker-$id/server.properties"): $state"
    done
}

# Starts a process that ends the cluster when the one that asked for it is gone.
launch_watch() {
    [ -n "$parent" ] || return 0
    ! running "$dir/watch" >/dev/null || return 0
    setsid "$root/scripts/kafka" watch-parent --dir "$dir" "$parent" "$(start_time "$parent")" \
        >/dev/null 2>&1 </dev/null &
    local pid=$!
    echo "$pid $(start_time "$pid")" >"$dir/watch"
}

end_watch() {
    local pid
    ! pid=$(running "$dir/watch") || kill -TERM "$pid" 2>/dev/null || true
    rm -f "$dir/watch"
}

watch_parent() {
    local parent=$1 started=$2 id
    while [ -n "$started" ] && [ "$(start_time "$parent")" = "$started" ]; do
        [ -e "$dir/watch" ] || exit 0
        sleep 0.5
    done
    # Not by remove_cluster: that would end this process first.
    for id in $(broker_ids); do
        kill_broker "$id"
    done
    rm -rf "$dir"
}

# Asks whether a Kafka broker answers at an address, without any program but bash.
# shellcheck shell=bash

# kafka_answers HOST:PORT: sends an ApiVersions request, which every broker answers before any
# login, and checks that an answer with the same correlation id comes back.
kafka_answers() {
    local host=${1%:*} port=${1##*:} answer
    # Length 10, API 18 version 0, correlation id "mtr2", no client id.
    answer=$(timeout 3 bash -c '
        exec 3<>"/dev/tcp/$0/$1" || exit 1
        printf "\0\0\0\x0a\0\x12\0\0mtr2\xff\xff" >&3
        head -c 8 <&3 | tail -c 4' "$host" "$port" 2>/dev/null | tr -d '\0')
    [ "$answer" = mtr2 ]
}

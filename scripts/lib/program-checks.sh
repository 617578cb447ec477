# What scripts/package checks of the programs before they go into packages: where they run, and how
# big they are. Sourced by it and by tests; every function ends the script if something is wrong.
# shellcheck shell=bash

# Libraries that a program may need, all of them parts of glibc.
glibc_libraries=(libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libresolv.so.2)

# versions_needed PROGRAM: the versions of glibc whose symbols it needs, as GLIBC_2.14, lowest first.
versions_needed() {
    LC_ALL=C readelf --wide --version-info "$1" | sed -n 's/.*Name: \(GLIBC_[^ ]*\) .*/\1/p' | sort -Vu
}

# symbols_needed PROGRAM VERSION: the names of what it needs of that version.
symbols_needed() {
    LC_ALL=C readelf --wide --dyn-syms "$1" | awk -v version="$2" '
        $7 == "UND" { split($8, part, "@+"); if (part[2] == version) print part[1] }' | sort -u
}

# check_glibc VERSION PROGRAM...: that the programs run with a glibc VERSION, such as 2.26.
check_glibc() {
    local newest=GLIBC_$1 program version symbols faults=''
    shift
    for program in "$@"; do
        LC_ALL=C readelf --file-header "$program" >/dev/null || fail "$program is not a program for Linux"
        while read -r version; do
            # What has no number, such as GLIBC_ABI_DT_RELR, came with some version after these.
            if ! [[ $version =~ ^GLIBC_2\.[0-9.]+$ ]] ||
                [ "$(printf '%s\n' "$version" "$newest" | sort -V | tail -n 1)" != "$newest" ]; then
                symbols=$(symbols_needed "$program" "$version" | xargs)
                faults+=$'\n'"  ${program##*/} needs $version${symbols:+ for $symbols}"
            fi
        done < <(versions_needed "$program")
    done
    [ -z "$faults" ] || fail "the programs do not run with glibc ${newest#GLIBC_}:$faults"
}

# check_libraries PROGRAM...: that they need no library but glibc.
check_libraries() {
    local program library
    for program in "$@"; do
        while read -r library; do
            [[ " ${glibc_libraries[*]} ld-linux-x86-64.so.2 " == *" $library "* ]] ||
                fail "${program##*/} needs $library, which not every host has"
        done < <(LC_ALL=C readelf --wide --dynamic "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
    done
}

# check_size MIB PROGRAM: that it has at most so many mebibytes.
check_size() {
    local bytes
    bytes=$(stat -c %s "$2")
    [ "$bytes" -le $(($1 * 1024 * 1024)) ] || fail "${2##*/} has $bytes bytes, more than $1 MiB"
}

# tell_program PROGRAM: its size, and the oldest glibc it runs with.
tell_program() {
    local oldest
    oldest=$(versions_needed "$1" | tail -n 1)
    say "${1##*/}: $(stat -c %s "$1") bytes, needs symbols up to ${oldest:-none of glibc}"
}

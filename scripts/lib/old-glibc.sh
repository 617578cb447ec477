# How scripts/package builds programs for hosts whose glibc is older than that of this machine: with
# the usual compiler and linker, which are shown headers and libraries of that glibc in a folder (a
# sysroot). Zig's compiler brings them for every glibc there was: its own headers for the older ones
# too, and libraries that hold names with their versions and no code. Sourced; every function ends
# the script if something is wrong.
# shellcheck shell=bash

# make_sysroot VERSION FOLDER: makes FOLDER, unless it is there; FOLDER/cc then compiles and links
# for glibc VERSION.
make_sysroot() {
    local version=$1 folder=$2
    local zig=${folder%/*}/zig
    [ ! -x "$folder/cc" ] || return 0
    [ "$(uname -sm)" = "Linux x86_64" ] ||
        fail "only on x86_64 are programs built for another glibc than the machine's own; here: --glibc host"
    if [ ! -x "$zig/ziglang/zig" ]; then
        need_pip
        say "fetching the headers and libraries of glibc"
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
            --target "$zig" --requirement scripts/lib/package-requirements.txt >&2 ||
            fail "pip could not install what scripts/lib/package-requirements.txt names"
    fi
    rm -rf "$folder"
    mkdir -p "$folder/usr/include" "$folder/usr/lib"
    copy_libraries "$zig/ziglang/zig" "$version" "$folder"
    copy_headers "$zig/ziglang/lib/libc/include" "$version" "$folder"
    # What is in a sysroot's folder for libraries is found after the machine's own, unless these two
    # say otherwise. Written last: a folder that has it is whole.
    cat >"$work/cc" <<END
#!/bin/sh
exec cc --sysroot="$folder" -B"$folder/usr/lib/" -L"$folder/usr/lib" "\$@"
END
    chmod +x "$work/cc"
    mv "$work/cc" "$folder/cc"
}

# copy_libraries ZIG VERSION FOLDER: Zig makes them when it links a program, and they stay in its cache.
copy_libraries() {
    local lib=$3/usr/lib cache=$work/zig-cache name
    echo 'int main(void) { return 0; }' >"$work/empty.c"
    for name in -pie -no-pie; do
        ZIG_GLOBAL_CACHE_DIR=$cache ZIG_LOCAL_CACHE_DIR=$cache "$1" cc -target "x86_64-linux-gnu.$2" -O2 -fPIE "$name" \
            -lunwind "$work/empty.c" -o "$work/empty" || fail "zig knows nothing of a glibc $2"
    done
    find "$cache" \( -name '*crt1.o' -o -name '*.so.*' -o -name 'libc_nonshared.a' \) -exec cp {} "$lib/" \;
    mv "$lib/libld.so.2" "$lib/ld-linux-x86-64.so.2"
    for name in "${glibc_libraries[@]}"; do
        if [ -e "$lib/$name" ]; then
            ln -s "$name" "$lib/${name%.so.*}.so"
        else
            # From 2.34 on most of them are part of libc, and compilers name them still.
            ar rc "$lib/${name%.so.*}.a"
        fi
    done
    # A function of libc that is not in its library is in the archive beside it.
    rm "$lib/libc.so"
    echo "GROUP ( libc.so.6 libc_nonshared.a AS_NEEDED ( ld-linux-x86-64.so.2 ) )" >"$lib/libc.so"
    # Rust unwinds by this library; the machine's own needs the machine's glibc.
    find "$cache" -name libunwind.a -exec cp {} "$lib/libgcc_s.a" \;
    # Zig has nothing in these two, and compilers want them.
    for name in crti crtn; do
        cc -c -x c /dev/null -o "$lib/$name.o"
    done
    for name in crt1.o Scrt1.o libc.so.6 libc_nonshared.a libgcc_s.a; do
        [ -s "$lib/$name" ] || fail "zig did not make its $name, or made it elsewhere"
    done
}

# copy_headers ZIG'S VERSION FOLDER: the later ones take the place of the earlier ones.
copy_headers() {
    local include=$3/usr/include part
    for part in any-linux-any x86-linux-any generic-glibc x86-linux-gnu; do
        cp -r "$1/$part/." "$include/"
    done
    # They hide what came later than the version, which Zig tells them on each command line.
    sed -i "1i #define __GLIBC_MINOR__ ${2#2.}" "$include/features.h"
}

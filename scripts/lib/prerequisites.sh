# What the scripts need beside Rust: finds it, installs it where that is possible, or says exactly
# what to install. Sourced by the scripts; every function ends the script if its need stays unmet.
# shellcheck shell=bash

# For the patterns in `install`.
shopt -s extglob

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "error: $*"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Prints how to run the package manager as root, or nothing.
package_manager() {
    local sudo=
    if [ "$(id -u)" -ne 0 ]; then
        have sudo && sudo -n true 2>/dev/null || return 0
        sudo="sudo -n "
    fi
    if have apt-get; then
        echo "${sudo}apt-get"
    elif have dnf; then
        echo "${sudo}dnf"
    fi
}

# Tells whether the package manager knows a package.
package_exists() {
    if have apt-get; then
        [ -n "$(apt-cache search --names-only "^$1\$" 2>/dev/null)" ]
    else
        dnf -q list "$1" >/dev/null 2>&1
    fi
}

# install WHAT "APT PACKAGES" "DNF PACKAGES": a word of the form a|b|c stands for the first of them
# that there is.
install() {
    local what=$1 words=$2 manager word choice packages=() log
    have apt-get || words=$3
    manager=$(package_manager)
    if [ -z "$manager" ]; then
        fail "missing: $what. As root:" \
            "apt-get install ${2//|*([! ])/}  (Debian, Ubuntu)  or  dnf install ${3//|*([! ])/}  (Fedora, RHEL)"
    fi
    log=$(mktemp)
    if [[ $manager == *apt-get ]]; then
        DEBIAN_FRONTEND=noninteractive $manager -q update >"$log" 2>&1 ||
            say "warning: '$manager update' failed, going on with the lists that are there"
    fi
    for word in $words; do
        for choice in ${word//|/ }; do
            # The last choice is taken unseen, so that an error names something.
            if [ "$choice" = "${word##*|}" ] || package_exists "$choice"; then
                packages+=("$choice")
                break
            fi
        done
    done
    say "missing: $what; installing: ${packages[*]}"
    if ! DEBIAN_FRONTEND=noninteractive $manager install -y "${packages[@]}" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "'$manager install ${packages[*]}' failed"
    fi
    rm -f "$log"
}

need_rust() {
    if ! have cargo && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    have cargo || fail "missing: Rust $1 or newer. Install it from https://rustup.rs"
    local version oldest
    version=$(rustc --version | cut -d' ' -f2)
    oldest=$(printf '%s\n%s\n' "${version%%-*}" "$1" | sort -V | head -n 1)
    [ "$oldest" = "$1" ] || fail "Rust $1 or newer is needed, found $version. With rustup: rustup update"
}

# The formatter and the linter, which a minimal toolchain lacks.
need_rust_parts() {
    local part
    for part in rustfmt clippy; do
        if ! cargo "${part/rustfmt/fmt}" --version >/dev/null 2>&1; then
            have rustup || fail "missing: $part; install it beside cargo $(cargo --version | cut -d' ' -f2)"
            rustup component add "$part" >&2 || fail "'rustup component add $part' failed"
        fi
    done
}

# spare_bookkeeping TARGET: where nobody has developed yet, which a target folder without
# incremental builds tells, cargo need not note down what the next build could take over: it
# takes a tenth of the compiler's time, and a gigabyte.
spare_bookkeeping() {
    [ -n "${CARGO_INCREMENTAL:-}" ] || [ -n "$(ls -A "$1/debug/incremental" 2>/dev/null)" ] ||
        export CARGO_INCREMENTAL=0
}

has_openssl() { pkg-config --exists 'openssl >= 3.0' 2>/dev/null; }

# Compiling OpenSSL is two fifths of a first build. Where the system has one, with its headers, or
# lets them be installed, what is built for this machine links to that; what is built for others has
# its own, see scripts/package. Sets OPENSSL_NO_VENDOR to 1 or 0, which openssl-sys reads, unless it
# is set.
take_host_openssl() {
    local built=${CARGO_TARGET_DIR:-${root:-.}/target}/debug/build
    [ -z "${OPENSSL_NO_VENDOR:-}" ] || return 0
    # Once one was compiled, there is nothing to be won any more.
    if ! has_openssl && [ -n "$(package_manager)" ] && ! compgen -G "$built/openssl-sys-*" >/dev/null; then
        (install "the headers of OpenSSL" "libssl-dev pkg-config" "openssl-devel pkgconf-pkg-config") ||
            say "going on without them: OpenSSL is compiled as well, which takes two minutes more"
    fi
    OPENSSL_NO_VENDOR=0
    ! has_openssl || OPENSSL_NO_VENDOR=1
    export OPENSSL_NO_VENDOR
}

# What the Kafka client library and the TLS library in it are built with: a C and a C++ compiler and
# make. Without the headers of an OpenSSL on this machine it is compiled as well, for which Perl has
# to be there, with the modules that OpenSSL's Configure loads.
need_c_toolchain() {
    take_host_openssl
    local missing=() apt='' dnf='' module
    if ! have cc || ! echo 'int main(void){return 0;}' | cc -x c -o /dev/null - 2>/dev/null; then
        missing+=("a C compiler") apt+=" gcc libc6-dev" dnf+=" gcc glibc-devel"
    fi
    if ! have c++; then
        missing+=("a C++ compiler") apt+=" g++" dnf+=" gcc-c++"
    fi
    if ! have make; then
        missing+=("make") apt+=" make" dnf+=" make"
    fi
    if [ "$OPENSSL_NO_VENDOR" = 1 ]; then
        :
    elif ! have perl; then
        missing+=("perl") apt+=" perl"
        dnf+=" perl-interpreter perl-FindBin perl-IPC-Cmd perl-File-Compare perl-File-Copy perl-Time-Piece"
    else
        for module in FindBin IPC::Cmd File::Compare File::Copy Time::Piece; do
            if ! perl -M"$module" -e 1 2>/dev/null; then
                missing+=("perl's $module") apt+=" perl" dnf+=" perl-${module//::/-}"
            fi
        done
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        local list
        list=$(printf ', %s' "${missing[@]}")
        install "${list#, }" "${apt# }" "${dnf# }"
    fi
}

# Prints the version of a JDK by the path of its java, such as 17; nothing if it does not run.
java_version() {
    "$1" -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1
}

find_java() {
    local candidate version
    for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" \
        /usr/lib/jvm/*/bin/java; do
        # With its compiler beside it: that tells a JDK from what only runs programs.
        if [ -x "$candidate" ] && [ -x "$(dirname "$(readlink -f "$candidate")")/javac" ]; then
            version=$(java_version "$candidate")
            if [ "${version:-0}" -ge 17 ]; then
                JAVA=$(readlink -f "$candidate")
                return 0
            fi
        fi
    done
    return 1
}

# Sets JAVA to the java of a JDK 17 or newer.
need_java() {
    find_java && return
    install "a JDK 17 or newer" \
        "openjdk-21-jdk-headless|openjdk-25-jdk-headless|openjdk-17-jdk-headless" \
        "java-21-openjdk-devel|java-25-openjdk-devel|java-17-openjdk-devel"
    find_java || fail "the JDK that was installed is not to be found; set JAVA_HOME"
}

need_maven() {
    have mvn || install "Maven" maven maven
}

need_pip() {
    have python3 && python3 -m pip --version >/dev/null 2>&1 || install "pip, for Python 3" "python3 python3-pip" "python3 python3-pip"
}

# What scripts/package checks of the packages before it hands them out. Sourced by it; every function
# ends the script if something is wrong.
# shellcheck shell=bash

# What both packages hold, with modes; folders aside.
package_contents() {
    cat <<'END'
-rw-r--r-- /etc/default/metric-agent
-rw-r--r-- /etc/default/metric-sink
-rw-r--r-- /etc/logrotate.d/metric-agent
-rw-r--r-- /etc/metric-sink/metric-sink.toml
-rwxr-xr-x /usr/bin/metric-agent
-rwxr-xr-x /usr/bin/metric-sink
-rwxr-xr-x /usr/lib/metric-agent/set-up-host
-rwxr-xr-x /usr/lib/metric-agent/tear-down-host
-rw-r--r-- /usr/lib/systemd/system/metric-agent.service
-rw-r--r-- /usr/lib/systemd/system/metric-sink.service
-rw-r--r-- /usr/share/doc/metric-agent/README.md
-rw-r--r-- /usr/share/doc/metric-agent/copyright
-rw-r--r-- /usr/share/metric-agent/telegraf.conf
END
}

same_contents() {
    diff -u --label "what $1 is to hold" --label "what it holds" <(package_contents | sort -k 2) "$2" >&2 ||
        fail "$1 does not hold what it should"
}

# check_contents DEB RPM
check_contents() {
    dpkg-deb --contents "$1" | awk '!/^d/ { sub(/^\./, "", $6); print $1, $6 }' | sort -k 2 >"$work/held"
    same_contents "$(basename "$1")" "$work/held"
    if dpkg-deb --contents "$1" | awk '$2 != "root/root" && $2 != "0/0" { print; found = 1 } END { exit !found }' >&2; then
        fail "these belong to somebody else than root"
    fi
    dpkg-deb --extract "$1" "$work/unpacked"
    mkdir "$work/control"
    dpkg-deb --control "$1" "$work/control"
    local script
    for script in postinst prerm postrm; do
        [ -x "$work/control/$script" ] || fail "$(basename "$1") lacks its $script"
    done
    diff <(cd "$work/unpacked" && find etc -type f | sed 's|^|/|' | sort) <(sort "$work/control/conffiles") >&2 ||
        fail "$(basename "$1"): what is below /etc is not what an upgrade keeps"
    if have rpm; then
        rpm -qp --queryformat '[%{FILEMODES:perms} %{FILENAMES}\n]' "$2" 2>/dev/null | grep -v '^d' | sort -k 2 >"$work/held"
        same_contents "$(basename "$2")" "$work/held"
        diff <(sort "$work/control/conffiles") <(rpm -qpc "$2" 2>/dev/null | sort) >&2 ||
            fail "$(basename "$2"): an upgrade does not keep what that of the .deb keeps"
        for script in postinstall preuninstall postuninstall; do
            rpm -qp --scripts "$2" 2>/dev/null | grep -q "^$script scriptlet" || fail "$(basename "$2") lacks its $script"
        done
    else
        say "NOT DONE: rpm is not installed; what the .rpm holds was not looked at"
    fi
}

check_scripts() {
    local script
    for script in packaging/set-up-host packaging/tear-down-host packaging/deb/* packaging/rpm/*; do
        sh -n "$script" || fail "$script is wrong"
    done
    if have shellcheck; then
        shellcheck -s sh packaging/set-up-host packaging/tear-down-host packaging/deb/* packaging/rpm/*
    else
        say "NOT DONE: shellcheck is not installed; the packages' scripts were checked for syntax, no more"
    fi
}

# check_set_up ROOT: that a host gets all it needs, and that nothing which is there is touched.
check_set_up() {
    local first=$work/first second=$work/second
    local conf=etc/telegraf/telegraf.conf state=var/lib/telegraf/statefile
    cp -r "$1" "$first"
    cp -r "$1" "$second"
    DESTDIR=$first packaging/set-up-host first-install
    cmp -s "$first/$conf" telegraf.conf.example || fail "a first configuration is not put in place"
    [ "$(stat -c %a "$first/$conf" "$first/$state" "$first/var/lib/telegraf" "$first/var/lib/metric-sink" | xargs)" = "644 660 770 750" ] ||
        fail "modes of what the installation makes are wrong"
    [ -d "$first/etc/telegraf/telegraf.d" ] && [ -d "$first/var/log/telegraf" ] || fail "folders are missing"

    mkdir -p "$second/etc/telegraf" "$second/var/lib/telegraf"
    echo mine | tee "$second/$conf" >"$second/$state"
    chmod 600 "$second/$conf"
    chmod 700 "$second/var/lib/telegraf"
    for occasion in first-install upgrade; do
        DESTDIR=$second packaging/set-up-host $occasion
        [ "$(cat "$second/$conf" "$second/$state" | xargs)" = "mine mine" ] || fail "the host's own files are overwritten"
        [ "$(stat -c %a "$second/$conf" "$second/var/lib/telegraf" | xargs)" = "600 700" ] || fail "the host's own modes are changed"
    done
}

# check_units ROOT
check_units() {
    if ! have systemd-analyze; then
        say "NOT DONE: systemd-analyze is not installed; the units were not checked"
        return
    fi
    local said
    mkdir "$work/units"
    # The programs are where they were unpacked.
    for unit in metric-agent metric-sink; do
        sed "s|^ExecStart=|ExecStart=$1|" "$1/usr/lib/systemd/system/$unit.service" >"$work/units/$unit.service"
    done
    # It judges units of this machine, too; and releases before 254 do not know this key.
    said=$(systemd-analyze verify --man=no "$work"/units/*.service 2>&1 | grep -F "metric-" | grep -v ImportCredential || true)
    if [ -n "$said" ]; then
        say "$said"
        fail "the units are wrong"
    fi
}

//! Which distribution this is.
//!
//! # References
//! os-release(5), and the files that distributions had before it. Which file is asked first decides
//! the answer, so the order is the one that Telegraf's library (gopsutil) asks them in: a machine
//! must not change its name when its agent is changed.

use crate::system::{Host, Root};

/// The distribution, its kin and its version; empty where nothing tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) name: String,
    pub(super) family: &'static str,
    pub(super) version: String,
}

/// Reads the files below `/etc` that tell.
pub(super) fn read(host: &Host) -> Platform {
    let (name, version) = name_and_version(host);
    let name = name.trim_matches('"').to_owned();
    let family = family(&name);
    Platform { name, family, version }
}

fn name_and_version(host: &Host) -> (String, String) {
    let file = |name: &str| significant(host, name);
    let lsb = Lsb::read(host);
    for name in ["oracle-release", "enterprise-release"] {
        if let Some(text) = file(name) {
            return ("oracle".into(), redhat_version(&text));
        }
    }
    if let Some(text) = file("slackware-version") {
        let version = text.replace('\n', "").to_lowercase().replacen("slackware ", "", 1);
        return ("slackware".into(), version);
    }
    if let Some(text) = file("debian_version") {
        return debian(lsb, &text);
    }
    for name in ["neokylin-release", "redhat-release", "system-release"] {
        if let Some(text) = file(name) {
            return (redhat_name(&text), redhat_version(&text));
        }
    }
    if let Some(text) = file("gentoo-release") {
        return ("gentoo".into(), redhat_version(&text));
    }
    if let Some(text) = file("SuSE-release") {
        let name = if text.to_lowercase().contains("opensuse") { "opensuse" } else { "suse" };
        return (name.into(), suse_version(&text));
    }
    if file("arch-release").is_some() {
        return ("arch".into(), lsb.release);
    }
    if let Some(text) = file("alpine-release") {
        return ("alpine".into(), first_line(&text));
    }
    if let Some(text) = file("os-release") {
        return os_release(&text);
    }
    let name = match lsb.id.as_str() {
        "RedHat" => "redhat".into(),
        "Amazon" => "amazon".into(),
        "ScientificSL" => "scientific".into(),
        "XenServer" => "xenserver".into(),
        id => id.to_lowercase(),
    };
    (name, lsb.release)
}

/// The text of a file below `/etc` that says anything: more than four bytes.
fn significant(host: &Host, name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    host.read(Root::Etc, name, &mut bytes).ok()?;
    (bytes.len() > 4).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn first_line(text: &str) -> String {
    text.split('\n').next().unwrap_or_default().to_owned()
}

/// What the Linux Standard Base had distributions say of themselves.
#[derive(Debug, Default)]
struct Lsb {
    id: String,
    release: String,
}

impl Lsb {
    fn read(host: &Host) -> Lsb {
        let mut bytes = Vec::new();
        let mut lsb = Lsb::default();
        if host.read(Root::Etc, "lsb-release", &mut bytes).is_err() {
            return lsb;
        }
        for line in String::from_utf8_lossy(&bytes).split('\n') {
            let mut parts = line.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let value = value.replace('"', "");
            match key {
                "DISTRIB_ID" => lsb.id = value,
                "DISTRIB_RELEASE" => lsb.release = value,
                _ => {}
            }
        }
        lsb
    }
}

/// Debian and those made from it, which say so in `lsb-release`.
fn debian(lsb: Lsb, debian_version: &str) -> (String, String) {
    let name = match lsb.id.as_str() {
        "Ubuntu" => "ubuntu",
        "LinuxMint" => "linuxmint",
        "Kylin" => "Kylin",
        "uos" => "uos",
        "Deepin" => "Deepin",
        _ if is_raspbian() => return ("raspbian".into(), first_line(debian_version)),
        _ => return ("debian".into(), first_line(debian_version)),
    };
    (name.into(), lsb.release)
}

/// Raspbian is told from Debian by its own tool only.
fn is_raspbian() -> bool {
    std::fs::metadata("/usr/bin/raspi-config").is_ok_and(|file| file.len() > 4 && !file.is_dir())
}

/// The word after `release`, such as `7.9.2009`.
fn redhat_version(text: &str) -> String {
    let text = text.replace('\n', "").to_lowercase();
    if text.contains("rawhide") {
        return "rawhide".into();
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let versions = text.match_indices("release ").map(|(at, word)| &text[at + word.len()..]);
    let version = versions.filter(|rest| rest.starts_with(is_word)).map(|rest| {
        let end = rest[1..].find(|c: char| !c.is_ascii_digit() && c != '.');
        end.map_or(rest, |end| &rest[..end + 1])
    });
    version.map(str::to_owned).next().unwrap_or_default()
}

fn redhat_name(text: &str) -> String {
    let text = text.replace('\n', "").to_lowercase();
    if text.contains("red hat") {
        return "redhat".into();
    }
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn suse_version(text: &str) -> String {
    let number = |line: &str, key: &str, is_part: fn(char) -> bool| {
        line.match_indices(key).map(|(at, _)| &line[at + key.len()..]).find_map(|rest| {
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            (end > 0).then(|| rest[..end].to_owned())
        })
    };
    let mut version = String::new();
    for line in text.split('\n') {
        if let Some(major) = number(line, "VERSION = ", |c| c.is_ascii_digit() || c == '.') {
            version = major;
        } else if let Some(minor) = number(line, "PATCHLEVEL = ", |c| c.is_ascii_digit()) {
            version = format!("{version}.{minor}");
        }
    }
    version
}

fn os_release(text: &str) -> (String, String) {
    let (mut name, mut version) = (String::new(), String::new());
    for line in text.split('\n') {
        let mut parts = line.split('=');
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let value = bare.unwrap_or(value).to_owned();
        match key {
            "ID" => name = value,
            "VERSION_ID" => version = value,
            _ => {}
        }
    }
    if name == "amzn" {
        name = "amazon".into();
    }
    (name, version)
}

fn family(platform: &str) -> &'static str {
    match platform {
        "debian" | "ubuntu" | "linuxmint" | "raspbian" | "Kylin" | "cumuluslinux" | "uos"
        | "Deepin" => "debian",
        "fedora" => "fedora",
        "oracle"
        | "centos"
        | "redhat"
        | "scientific"
        | "enterpriseenterprise"
        | "amazon"
        | "xenserver"
        | "cloudlinux"
        | "ibm_powerkvm"
        | "rocky"
        | "almalinux" => "rhel",
        "suse"
        | "opensuse"
        | "opensuse-leap"
        | "opensuse-tumbleweed"
        | "opensuse-tumbleweed-kubic"
        | "sles"
        | "sled"
        | "caasp" => "suse",
        "gentoo" => "gentoo",
        "slackware" => "slackware",
        "arch" => "arch",
        "exherbo" => "exherbo",
        "alpine" => "alpine",
        "coreos" => "coreos",
        "solus" => "solus",
        "neokylin" => "neokylin",
        "anolis" => "anolis",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::HostRoots;

    fn read_from(files: &[(&str, &str)]) -> (String, &'static str, String) {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(place.path().join(name), text).unwrap();
        }
        let root = place.path().to_path_buf();
        let platform = read(&Host::new(HostRoots::from_variables(|_| Some(root.clone()))));
        (platform.name, platform.family, platform.version)
    }

    #[test]
    fn distributions_keep_the_names_that_telegraf_gives_them() {
        let ubuntu = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_DESCRIPTION=\"x\"\n";
        let amazon =
            "NAME=\"Amazon Linux\"\nVERSION_ID=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\n";
        let suse = "openSUSE 13.2 (x86_64)\nVERSION = 13.2\nCODENAME = Harlequin\n";
        let sles = "SUSE Linux Enterprise Server 11\nVERSION = 11\nPATCHLEVEL = 4\n";
        for (files, name, family, version) in [
            (&[("debian_version", "12.5\n")][..], "debian", "debian", "12.5"),
            (
                &[("debian_version", "trixie/sid\n"), ("lsb-release", ubuntu)],
                "ubuntu",
                "debian",
                "24.04",
            ),
            (&[("debian_version", "9.1")], "", "", ""),
            (&[("os-release", amazon)], "amazon", "rhel", "2023"),
            (
                &[("os-release", amazon), ("system-release", "Amazon Linux release 2 (Karoo)\n")],
                "amazon",
                "rhel",
                "2",
            ),
            (
                &[("redhat-release", "CentOS Linux release 7.9.2009 (Core)\n")],
                "centos",
                "rhel",
                "7.9.2009",
            ),
            (
                &[("redhat-release", "Red Hat Enterprise Linux release 9.4 (Plow)\n")],
                "redhat",
                "rhel",
                "9.4",
            ),
            (&[("redhat-release", "Fedora release 41 (Rawhide)\n")], "fedora", "fedora", "rawhide"),
            (&[("oracle-release", "Oracle Linux Server release 8.9\n")], "oracle", "rhel", "8.9"),
            (&[("slackware-version", "Slackware 15.0\n")], "slackware", "slackware", "15.0"),
            (
                &[("gentoo-release", "Gentoo Base System release 2.14\n")],
                "gentoo",
                "gentoo",
                "2.14",
            ),
            (&[("SuSE-release", suse)], "opensuse", "suse", "13.2"),
            (&[("SuSE-release", sles)], "suse", "suse", "11.4"),
            (
                &[
                    ("arch-release", "Arch Linux release\n"),
                    ("lsb-release", "DISTRIB_RELEASE=rolling\n"),
                ],
                "arch",
                "arch",
                "rolling",
            ),
            (&[("alpine-release", "3.20.1\n")], "alpine", "alpine", "3.20.1"),
            (&[("os-release", "ID=nixos\nVERSION_ID=24.05\n")], "nixos", "", "24.05"),
            (&[("lsb-release", "DISTRIB_ID=Amazon\nDISTRIB_RELEASE=1\n")], "amazon", "rhel", "1"),
            (&[("lsb-release", "DISTRIB_ID=Strange\n")], "strange", "", ""),
            (&[], "", "", ""),
        ] {
            assert_eq!(read_from(files), (name.into(), family, version.into()), "{files:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "((release|VERSION|ID|PATCHLEVEL)?[ =a\"ż.0-9]{0,9}\n?){0,6}") {
            redhat_version(&text);
            suse_version(&text);
            os_release(&text);
        }
    }
}

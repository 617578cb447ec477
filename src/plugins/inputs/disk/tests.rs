//! Tests of the choice of file systems and of their tags.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::mounts::parse_mountinfo;
use super::*;
use crate::system::{Host, HostRoots};

const MOUNTS: &str = "\
    1 0 8:1 / / rw,noatime - ext4 /dev/sda1 rw\n\
    2 1 8:17 / /home rw - ext4 /dev/sdb1 ro\n\
    3 1 8:1 /srv /srv/www rw - ext4 /dev/sda1 rw\n\
    4 1 0:5 / /tmp rw,nosuid - tmpfs none rw\n\
    5 1 0:6 / /net rw - autofs systemd-1 rw\n\
    6 1 0:7 / /my\\040data noexec - fuse.x x \n";

fn disk(config: Config, variables: &[(&str, &Path)]) -> Disk {
    let roots = HostRoots::from_variables(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.to_path_buf())
    });
    let system = System { host: Arc::new(Host::new(roots)), ..System::real() };
    Disk {
        table: MountTable::new(&system.host),
        targets: Vec::new(),
        labels: Labels::default(),
        config,
        system,
        log: PluginLog::new("inputs.disk"),
    }
}

/// What is asked about, and the tags for it.
fn selected(config: Config, prefix: &str, mounts: &str) -> Vec<(String, String)> {
    let disk = disk(config, &[("HOST_MOUNT_PREFIX", Path::new(prefix))]);
    let mounts = parse_mountinfo(mounts.as_bytes(), "m").unwrap();
    let targets = disk.select(&mounts).into_iter();
    targets
        .map(|target| {
            let path = target.path.to_string_lossy().into_owned();
            (path, format!("{} {} {}", target.path_tag, target.fs_type, target.mode))
        })
        .collect()
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn everything_is_asked_about_but_what_waits_to_be_mounted() {
    let expected = [
        ("/", "/ ext4 rw"),
        ("/home", "/home ext4 ro"),
        ("/srv/www", "/srv/www ext4 rw"),
        ("/tmp", "/tmp tmpfs rw"),
        ("/my data", "/my data fuse.x unknown"),
    ]
    .map(|(path, tags)| (path.to_owned(), tags.to_owned()));
    assert_eq!(selected(Config::default(), "", MOUNTS), expected);
}

#[test]
fn settings_narrow_the_choice() {
    let paths = |config: Config| -> Vec<String> {
        selected(config, "", MOUNTS).into_iter().map(|(path, _)| path).collect()
    };
    let mount_points = list(&["/home", "/net", "/my data"]);
    assert_eq!(paths(Config { mount_points, ..Config::default() }), ["/home", "/my data"]);
    let ignore_fs = list(&["ext4", "vfat"]);
    assert_eq!(paths(Config { ignore_fs, ..Config::default() }), ["/tmp", "/my data"]);
    for (options, expected) in [
        (&["bind"][..], &["/", "/home", "/tmp", "/my data"][..]),
        (&["ro", "noexec"], &["/", "/srv/www", "/tmp"]),
        (&["rw"], &["/home", "/my data"]),
    ] {
        let ignore_mount_opts = list(options);
        assert_eq!(paths(Config { ignore_mount_opts, ..Config::default() }), expected);
    }
}

#[test]
fn a_prefix_is_put_before_mount_points_and_taken_out_of_tags() {
    let mounts = "\
        1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
        2 1 8:2 / /hostfs rw - ext4 /dev/sda2 rw\n\
        3 1 8:3 / /hostfs/home rw - ext4 /dev/sda3 rw\n\
        4 1 8:3 / /home rw - ext4 /dev/sda3 rw\n\
        5 1 8:4 / /var//log rw - ext4 /dev/sda4 rw\n";
    // What is listed below the prefix as well is reported from there only.
    let expected = [
        ("/hostfs", "/ ext4 rw"),
        ("/hostfs/home", "/home ext4 rw"),
        ("/hostfs/var/log", "/var/log ext4 rw"),
    ]
    .map(|(path, tags)| (path.to_owned(), tags.to_owned()));
    assert_eq!(selected(Config::default(), "/hostfs", mounts), expected);
}

#[test]
fn devices_go_by_their_real_names_and_labels() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path();
    let write = |file: &str, text: &str| {
        let file = root.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write("dev/dm-0", "");
    write("dev/mapper/x", "");
    write("dev/sda1", "");
    write("dev/nvme0n1p1", "");
    std::os::unix::fs::symlink("../dm-0", root.join("dev/mapper/vg-data")).unwrap();
    std::fs::create_dir_all(root.join("sys/dev/block")).unwrap();
    let link = "../../devices/pci/nvme0n1/nvme0n1p1";
    std::os::unix::fs::symlink(link, root.join("sys/dev/block/259:1")).unwrap();
    write("sys/block/nvme0n1p1/dm/name", " the root \n");
    // A file has no number of a device, which makes it 0:0.
    write("run/udev/data/b0:0", "E:ID_FS_LABEL=by udev\n");
    let [dev, sys, run] = ["dev", "sys", "run"].map(|name| root.join(name));
    let mut disk =
        disk(Config::default(), &[("HOST_DEV", &dev), ("HOST_SYS", &sys), ("HOST_RUN", &run)]);
    let usage = SpaceUsage {
        total_bytes: 100,
        free_bytes: 20,
        used_bytes: 60,
        inodes_total: 0,
        inodes_free: 0,
        inodes_used: 0,
        is_read_only: false,
    };
    for (device, id, expected_device, expected_label) in [
        ("/dev/sda1", "8:1", "sda1", Some("by udev")),
        ("/dev/sdz", "8:9", "sdz", None),
        ("/dev/root", "259:1", "nvme0n1p1", Some("the root")),
        ("/dev/root", "8:99", "root", None),
        ("/dev/mapper/gone", "253:7", "mapper/gone", None),
        ("/dev/mapper/x", "253:8", "mapper/x", Some("by udev")),
        ("none", "0:5", "ext4", None),
        ("server:/dev/x", "0:5", "server:x", None),
    ] {
        // What is not a link is its own real name, which stands below the root.
        let at_root = |name: &str| format!("{}/{name}", dev.display()).replace("/dev/", "");
        let expected_device = if device == "/dev/mapper/x" {
            at_root("mapper/x")
        } else {
            expected_device.to_owned()
        };
        let expected_label = expected_label.filter(|_| device != "/dev/mapper/x");
        let mount = format!("1 0 {id} / / rw - ext4 {device} rw\n");
        let targets = disk.select(&parse_mountinfo(mount.as_bytes(), "m").unwrap());
        let host = &disk.system.host;
        let found = super::device(&targets[0], host);
        let name = found.strip_prefix("/dev/").unwrap_or(&found);
        let label = disk.labels.of(name, host, Duration::ZERO);
        let metric = metric(&targets[0], &found, label, &usage, Timestamp::EPOCH);
        assert_eq!(metric.tag("device"), Some(&expected_device[..]), "{device}");
        assert_eq!(metric.tag("label"), expected_label, "{device}");
        assert_eq!(metric.field("used_percent"), Some(&Value::Float(75.0)));
        assert_eq!(metric.field("inodes_used_percent"), Some(&Value::Float(0.0)));
    }
    let mapped = disk
        .select(&parse_mountinfo(b"1 0 253:0 / / rw - ext4 /dev/mapper/vg-data rw", "m").unwrap());
    assert!(device(&mapped[0], &disk.system.host).ends_with("/dm-0"));
}

#[test]
fn what_no_mount_tells_of_has_the_list_read_anyway() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("mounted");
    std::fs::create_dir(&folder).unwrap();
    let mut disk = disk(Config::default(), &[]);
    let mount = format!("1 0 8:1 / {} rw - ext4 /dev/sda1 rw\n", folder.display());
    disk.targets = disk.select(&parse_mountinfo(mount.as_bytes(), "m").unwrap());
    assert_eq!((disk.measure(), disk.measure()), (Look::IfTold, Look::IfTold));
    let usage = disk.targets[0].usage.as_mut().unwrap();
    usage.is_read_only = !usage.is_read_only;
    assert_eq!((disk.measure(), disk.measure()), (Look::Anyway, Look::IfTold));
    // It goes by another name now, or a folder above it does.
    std::fs::remove_dir(&folder).unwrap();
    assert_eq!((disk.measure(), disk.measure()), (Look::Anyway, Look::IfTold));
    assert_eq!(disk.targets[0].usage, None);
}

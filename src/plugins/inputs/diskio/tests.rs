//! Tests of names, links, properties, and of what follows from two rounds.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::*;
use crate::metric::Timestamp;
use crate::plugin::settings::{Position, Table};
use crate::plugin::{Deliver, Statistics};
use crate::plugins::FORMATS;
use crate::system::HostRoots;
use crate::system::fake::FakeClock;

#[derive(Default)]
struct Delivered(Mutex<Vec<Metric>>);

impl Deliver for Delivered {
    fn deliver(&self, metrics: &mut Vec<Metric>) {
        self.0.lock().unwrap().append(metrics);
    }

    fn report(&self, error: &dyn std::error::Error) {
        panic!("{error}");
    }
}

/// A host of captured files.
struct Place {
    folder: tempfile::TempDir,
    clock: Arc<FakeClock>,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Place {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let place = Place { folder: tempfile::tempdir().unwrap(), clock };
        files.iter().for_each(|(file, text)| place.write(file, text));
        place
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.path(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn link(&self, to: &str, from: &str) {
        let from = self.path(from);
        std::fs::create_dir_all(from.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, from).unwrap();
    }

    fn build(&self, config: Config) -> Box<dyn Input> {
        let roots = HostRoots::from_variables(|name| {
            let name = name.strip_prefix("HOST_")?.to_lowercase();
            ["proc", "sys", "dev", "run"].contains(&&name[..]).then(|| self.path(&name))
        });
        let system = System {
            clock: self.clock.clone(),
            host: Arc::new(Host::new(roots)),
            ..System::real()
        };
        let table = Table::new("test".into(), "inputs.diskio", Position::default());
        let log = PluginLog::new("inputs.diskio");
        let context = Context::new(system, log, Statistics::default(), &table, FORMATS);
        config.build(&context).map_err(|error| error.to_string()).unwrap()
    }

    fn gather(&self, input: &mut dyn Input) -> Vec<Metric> {
        let delivered = Delivered::default();
        let mut accumulator = Accumulator::new(&delivered, &*self.clock, Duration::ZERO);
        input.gather(&mut accumulator).unwrap();
        drop(accumulator);
        delivered.0.into_inner().unwrap()
    }

    fn tags(&self, config: Config) -> Vec<String> {
        let metrics = self.gather(&mut *self.build(config));
        metrics
            .iter()
            .map(|metric| {
                let tags = metric.tags().iter();
                tags.map(|tag| format!("{}={}", tag.key, tag.value)).collect::<Vec<_>>().join(",")
            })
            .collect()
    }
}

const DISKSTATS: &str = "8 0 sda 1 0 0 0 0 0 0 0 0 0 0\n8 16 sdb 1 0 0 0 0 0 0 0 0 0 0\n";

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A host with two disks of which udev knows; files stand for devices, with the number 0:0.
fn two_disks() -> Place {
    let place = Place::new(&[
        ("proc/diskstats", DISKSTATS),
        ("dev/sda", ""),
        ("dev/sdb", ""),
        (
            "run/udev/data/b0:0",
            "S:disk/by-label/data\nS:mapper/vg-lv\nE:DM_VG_NAME=vg\nE:DM_LV_NAME=l=v\nE:ID_SERIAL=S123\nX\n",
        ),
        ("sys/class/block/sda/uevent", "MAJOR=8\nDEVNAME=sda\nDEVTYPE = disk \n"),
        ("sys/block/sda/wwid", "naa.5000\n"),
        ("sys/devices/target0/name", ""),
    ]);
    place.link("../../../devices/target0", "sys/class/block/sda/device");
    place.link("../../sda", "dev/disk/by-label/data");
    place
}

#[test]
fn names_are_made_from_the_first_template_that_can_be_filled() {
    let place = two_disks();
    let config =
        |templates: &[&str]| Config { name_templates: list(templates), ..Config::default() };
    assert_eq!(place.tags(Config::default()), ["name=sda,wwid=naa.5000", "name=sdb"]);
    let templates = ["$NONE", "$DM_VG_NAME/${DM_LV_NAME}", "$DEVTYPE"];
    assert_eq!(place.tags(config(&templates)), ["name=vg/l=v,wwid=naa.5000", "name=vg/l=v"]);
    assert_eq!(place.tags(config(&["$DEVTYPE"])), ["name=disk,wwid=naa.5000", "name=sdb"]);
}

#[test]
fn properties_become_tags() {
    let place = two_disks();
    let device_tags = list(&["DEVNAME", "DEVTYPE", "DEVPATH", "DEVLINKS", "NONE"]);
    let config = Config { device_tags, skip_serial_number: false, ..Config::default() };
    let links = "DEVLINKS=/dev/disk/by-label/data /dev/mapper/vg-lv";
    assert_eq!(
        place.tags(config),
        [
            format!(
                "{links},DEVNAME=/dev/sda,DEVPATH=/devices/target0/sda,DEVTYPE=disk,name=sda,serial=S123,wwid=naa.5000"
            ),
            format!("{links},name=sdb,serial=S123")
        ]
    );
}

#[test]
fn properties_are_read_again_once_the_device_has_changed() {
    let place = two_disks();
    let device_tags = list(&["DM_VG_NAME"]);
    let devices = list(&["sdb"]);
    let mut input = place.build(Config { device_tags, devices, ..Config::default() });
    let mut tag = || place.gather(&mut *input)[0].tag("DM_VG_NAME").map(str::to_owned);
    assert_eq!(tag().as_deref(), Some("vg"));
    place.write("run/udev/data/b0:0", "E:DM_VG_NAME=other\n");
    assert_eq!(tag().as_deref(), Some("vg"));
    let device = std::fs::File::options().write(true).open(place.path("dev/sdb")).unwrap();
    device.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(tag().as_deref(), Some("other"));
}

#[test]
fn devices_are_chosen_by_name_by_link_and_by_pattern() {
    let place = two_disks();
    let chosen = |devices: &[&str]| -> Vec<String> {
        let metrics =
            place.gather(&mut *place.build(Config { devices: list(devices), ..Config::default() }));
        metrics.iter().map(|metric| metric.tag("name").unwrap().to_owned()).collect()
    };
    let link = place.path("dev/disk/by-label/data");
    for (devices, expected) in [
        (&["sdb", "nosuch"][..], &["sdb"][..]),
        (&["/dev/sdb"], &["sdb"]),
        (&["disk/by-label/data"], &["sda"]),
        (&[link.to_str().unwrap()], &["sda"]),
        (&["sd[b-z]"], &["sdb"]),
        (&["disk/by-label/*"], &["sda", "sdb"]),
        (&["nosuch*"], &[]),
    ] {
        assert_eq!(chosen(devices), expected, "{devices:?}");
    }
}

#[test]
fn without_udev_there_are_only_names() {
    let place = Place::new(&[("proc/diskstats", DISKSTATS), ("dev/sda", "")]);
    let config = Config {
        device_tags: list(&["DEVNAME"]),
        name_templates: list(&["$DEVNAME"]),
        skip_serial_number: false,
        ..Config::default()
    };
    assert_eq!(place.tags(config), ["name=sda,serial=unknown", "name=sdb,serial=unknown"]);
}

#[test]
fn the_older_database_of_udev_is_found_too() {
    let place = Place::new(&[
        ("proc/diskstats", DISKSTATS),
        ("dev/sda", ""),
        ("dev/.udev/db/block:sda", "E:ID_MODEL=old\n"),
    ]);
    let device_tags = list(&["ID_MODEL"]);
    let tags = place.tags(Config { device_tags, ..Config::default() });
    assert_eq!(tags, ["ID_MODEL=old,name=sda", "name=sdb"]);
}

#[test]
fn the_kernel_tells_model_and_serial_number_where_udev_does_not() {
    let place = Place::new(&[
        ("proc/diskstats", "259 0 nvme0c1n1 1 0 0 0 0 0 0 0 0 0 0\n"),
        ("dev/nvme0n1", ""),
        ("sys/dev/block/0:0/device/model", "Elastic Block Store  \n"),
        ("sys/dev/block/0:0/device/serial", " vol0123\r\n"),
    ]);
    let tags = place.tags(Config { skip_serial_number: false, ..Config::default() });
    assert_eq!(tags, ["name=nvme0c1n1,serial=Elastic Block Store  _ vol0123"]);
}

#[test]
fn of_a_name_that_comes_twice_the_last_line_counts() {
    let place = Place::new(&[(
        "proc/diskstats",
        "8 0 a 1 0 0 0 0 0 0 0 0 0 0\n8 1 b 2 0 0 0 0 0 0 0 0 0 0\n8 0 a 3 0 0 0 0 0 0 0 0 0 0\n",
    )]);
    let metrics = place.gather(&mut *place.build(Config::default()));
    let found = metrics.iter().map(|metric| (metric.tag("name"), metric.field("reads")));
    let expected = [(Some("b"), 2), (Some("a"), 3)];
    let expected = expected.map(|(name, reads)| (name, Value::Unsigned(reads)));
    assert!(found.eq(expected.iter().map(|(name, reads)| (*name, Some(reads)))));
}

#[test]
fn devices_with_several_paths_share_a_node() {
    for (device, node) in [
        ("nvme0c1n1", "nvme0n1"),
        ("nvme10c2n3p1", "nvme10n3p1"),
        ("nvme0n1p1", "nvme0n1p1"),
        ("nvmec1", "nvmec1"),
        ("sdc1n", "sdc1n"),
    ] {
        assert_eq!(node_name(device), node);
    }
}

#[test]
fn shares_follow_from_two_rounds() {
    let place = Place::new(&[]);
    let stat = |reads: u64, read_ms: u64, writes: u64, write_ms: u64, io_ms: u64| {
        let line = format!("8 0 sda {reads} 0 0 {read_ms} {writes} 0 0 {write_ms} 0 {io_ms} 0\n");
        place.write("proc/diskstats", &line);
    };
    let mut input = place.build(Config::default());
    let mut derived = |passed_ms: u64| {
        place.clock.advance(Duration::from_millis(passed_ms));
        let metrics = place.gather(&mut *input);
        ["io_await", "io_svctm", "io_util"].map(|name| match metrics[0].field(name) {
            Some(Value::Float(value)) => Some(*value),
            None => None,
            other => panic!("{other:?}"),
        })
    };
    stat(100, 1_000, 50, 500, 800);
    assert_eq!(derived(1_000), [None; 3]);
    stat(103, 1_010, 51, 502, 830);
    assert_eq!(derived(1_000), [Some(3.0), Some(7.5), Some(3.0)]);
    // No request since: only the share of the time is known.
    assert_eq!(derived(1_000), [None, None, Some(0.0)]);
    // Nor is it if no time has passed.
    assert_eq!(derived(0), [None; 3]);
    stat(5, 1_020, 60, 510, 840);
    assert_eq!(derived(1_000), [None; 3]);
    stat(6, 1_020, 60, 510, 840);
    assert_eq!(derived(500), [Some(0.0), Some(0.0), Some(0.0)]);
}

#[test]
fn the_name_for_the_whole_world_is_read_anew_where_counters_begin_anew() {
    let place = two_disks();
    let mut input = place.build(Config::default());
    for (reads, wwid, expected) in
        [(5, "naa.1\n", "naa.1"), (5, "naa.2\n", "naa.1"), (1, "naa.2\n", "naa.2")]
    {
        place.write("proc/diskstats", &format!("8 0 sda {reads} 0 0 0 0 0 0 0 0 0 0\n"));
        place.write("sys/block/sda/wwid", wwid);
        let metrics = place.gather(&mut *input);
        assert_eq!(metrics[0].tag("wwid"), Some(expected), "{reads} reads");
    }
}

//! Files that are rotated, compressed, and made of rows, whatever happens meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use rustix::process::Signal;

use super::group::under_load;
use super::{LIMIT, Scene, stop};
use crate::support::{Cluster, wait_for};

/// The data files in a folder with what is in them, unpacked; one that goes away meanwhile is left
/// out.
fn data_files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with('.') {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        let unpacked = if name.ends_with(".gz") {
            let mut unpacked = Vec::new();
            MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).unwrap();
            unpacked
        } else {
            bytes
        };
        files.insert(name, unpacked);
    }
    files
}

/// How often each number stands in the rows of all files; what is torn at the end of one that is
/// being written is left out.
fn numbers(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    for (name, bytes) in files {
        if name.contains("dead-letters") {
            continue;
        }
        let whole = memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let mut reader = csv::Reader::from_reader(&bytes[..whole]);
        let header = reader.headers().unwrap().clone();
        let Some(column) = header.iter().position(|name| name == "number") else { continue };
        for row in reader.records() {
            *found.entry(row.unwrap()[column].parse().unwrap()).or_default() += 1;
        }
    }
    found
}

fn assert_once(folder: &Path, total: u64) {
    let found = numbers(&data_files(folder));
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).take(5).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    assert_eq!(found.len() as u64, total);
}

#[test]
fn rows_stand_once_in_files_that_end_and_are_compressed_while_the_sink_is_killed() {
    let scene = Scene::new(Cluster::shared(), "tables", 4);
    let folder = scene.folder.path();
    let flags = [
        "--threads=2",
        "--format=csv",
        "--file-name={topic}-{partition}-{first}-{last}",
        "--rotate-size=20kB",
        "--compress=gzip",
        "--commit-interval=50ms",
        "--static-membership",
    ];
    let total = under_load(&scene, |_| {
        for _ in 0..5 {
            let before = numbers(&data_files(folder)).len();
            let sink = scene.sink().args(flags).start();
            wait_for("more rows", LIMIT, || {
                (numbers(&data_files(folder)).len() > before + 1_000).then_some(())
            });
            sink.kill();
        }
    });
    let sink = scene.sink().args(flags).args(["--rotate-idle=1s"]).start();
    wait_for("all rows in compressed files", Duration::from_secs(90), || {
        let files = data_files(folder);
        let are_packed = files.keys().all(|name| name.ends_with(".gz"));
        (are_packed && numbers(&files).len() as u64 == total).then_some(())
    });
    stop(sink);
    assert_once(folder, total);
    assert!(data_files(folder).len() > 4, "they were rotated");
    assert_eq!(scene.committed(), i64::try_from(total).unwrap());
}

#[test]
fn what_is_no_metric_is_put_aside_once_and_wider_rows_get_a_file_of_their_own() {
    let scene = Scene::new(Cluster::shared(), "unfit", 1);
    let values = ["m number=0i 1", "no metric", "m number=1i,more=1i 2", "{\"number\": 2}", ""];
    scene.topic.send(values.map(|value| (Some(0), value.as_bytes().to_vec())));
    let flags = ["--threads=1", "--format=csv", "--time-format=unix_ns", "--commit-interval=1h"];
    let sink = scene.sink().args(flags).start();
    let folder = scene.folder.path();
    wait_for("all rows", LIMIT, || (numbers(&data_files(folder)).len() == 3).then_some(()));
    // Nothing is committed, so that all of it is read again.
    sink.kill();
    let mut sink = scene.sink().args(flags).start();
    sink.wait_for_log("that were never committed; they are cut off", LIMIT);
    let topic = scene.topic.name();
    wait_for("all rows again", LIMIT, || {
        let files = data_files(folder);
        let letters = files.get("consumer-thread-0.dead-letters.jsonl")?;
        let n_letters = letters.iter().filter(|byte| **byte == b'\n').count();
        (numbers(&files).len() == 3 && n_letters == 2).then_some(())
    });
    stop(sink);
    assert_once(folder, 3);
    let files = data_files(folder);
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    // What was taken out of the first comes again behind the widest header.
    assert_eq!(text("consumer-thread-0.m.csv"), "time,measurement,number\n");
    let wide = text("consumer-thread-0.m+2.csv");
    assert_eq!(wide, "time,measurement,number,more\n1,m,0,\n2,m,1,1\n");
    let json = files.keys().find(|name| name.contains("unfit")).unwrap();
    assert!(text(json).ends_with(&format!(",{topic},2\n")), "{}", text(json));
    assert_eq!(scene.committed(), 5);
}

#[test]
fn a_file_that_was_moved_away_is_left_for_a_new_one_at_sighup() {
    let scene = Scene::new(Cluster::shared(), "reopened", 1);
    scene.topic.produce(0..100);
    let sink = scene.sink().args(["--threads=1"]).start();
    scene.wait_for_numbers(100);
    let moved = scene.folder.path().join("moved.csv");
    fs::rename(scene.file(0), &moved).unwrap();
    sink.signal(Signal::HUP);
    wait_for("a new file", LIMIT, || scene.file(0).exists().then_some(()));
    scene.topic.produce(100..150);
    scene.wait_for_numbers(150);
    stop(sink);
    let count = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!((count(&moved), count(&scene.file(0))), (100, 50));
}

#[test]
fn of_files_that_have_ended_as_many_stay_as_may() {
    let scene = Scene::new(Cluster::shared(), "kept", 1);
    let flags = ["--threads=1", "--rotate-size=1kB", "--keep=3", "--file-name={date}"];
    let sink = scene.sink().args(flags).start();
    let folder = scene.folder.path();
    for round in 0..8 {
        scene.topic.produce(round * 100..(round + 1) * 100);
        wait_for("the records to be committed", LIMIT, || {
            (scene.committed() == i64::try_from((round + 1) * 100).unwrap()).then_some(())
        });
        thread::yield_now();
    }
    let ended = || data_files(folder).into_keys().filter(|name| name.ends_with(".csv")).count();
    wait_for("the oldest to go", LIMIT, || (ended() == 3).then_some(()));
    stop(sink);
}

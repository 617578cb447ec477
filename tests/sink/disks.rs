//! Disks that fill up or fail, folders that go away, and files that somebody has damaged.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{LIMIT, Scene, assert_complete, distinct_in, lines_in, stop};
use crate::support::{Cluster, Fails, Machine, Program, Running, Topic, wait_for};

const DATA: &str = "*/consumer-thread-0.csv";
const JOURNAL: &str = "*/.consumer-thread-0.csv.journal";

/// Waits until the sink is stuck, and so has said it.
fn wait_until_stuck(sink: &mut Running, machine: &Machine, seen: usize, reason: &str) {
    wait_for("something to fail", LIMIT, || (machine.failures() > 0).then_some(()));
    let line = sink.wait_for_log_after(seen, reason, LIMIT);
    assert!(line.contains(" E! "), "{line}");
}

#[test]
fn a_disk_that_fills_up_holds_whole_lines_and_all_goes_on_when_there_is_space_again() {
    let (scene, machine) = (Scene::new(Cluster::shared(), "disk-full", 1), Machine::new());
    let mut sink = machine.runs(scene.sink().args(["--threads", "1"])).start();
    scene.topic.produce(0..100);
    scene.wait_for_commit(100);
    // In the middle of a line, of the data or of the journal.
    let data = 100 * (i64::try_from(Topic::numbered(0).len()).unwrap() + 1);
    for (round, room) in (1..).zip([0, 5_000, data + 60]) {
        let (seen, before) = (sink.log().len(), 100 * round);
        let full = format!("{}/*", scene.folder.path().canonicalize().unwrap().display());
        machine.breaks(&full, &[(Fails::Writing { room }, Errno::NOSPC)]);
        scene.topic.produce(before..before + 100);
        wait_until_stuck(&mut sink, &machine, seen, "No space left on device");
        // Whole lines only, which `lines` sees to.
        assert!(scene.lines().len() as u64 <= before + 100);
        assert_eq!(scene.committed_now(), i64::try_from(before).unwrap());
        machine.mend();
        sink.wait_for_log_after(seen, "again after", LIMIT);
        scene.wait_for_commit(i64::try_from(before).unwrap() + 100);
    }
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), 400), 0);
    scene.assert_all_well();
}

#[test]
fn whatever_fails_of_a_file_is_said_and_done_again_until_each_record_stands_once() {
    let (scene, machine) = (Scene::new(Cluster::shared(), "disk-eio", 1), Machine::new());
    let mut sink = machine.runs(scene.sink().args(["--threads", "1"])).start();
    scene.topic.produce(0..100);
    scene.wait_for_commit(100);
    let writing = |room| Fails::Writing { room };
    let faults: [(&str, &[Fails]); 9] = [
        (DATA, &[writing(0)]),
        // Half of what is written stays, because it cannot be cut off either.
        (DATA, &[writing(1_000), Fails::Cutting]),
        (DATA, &[Fails::Flushing]),
        (DATA, &[Fails::Flushing, Fails::Cutting]),
        (JOURNAL, &[writing(0)]),
        (JOURNAL, &[writing(20), Fails::Cutting]),
        (JOURNAL, &[Fails::Flushing]),
        (JOURNAL, &[Fails::Flushing, Fails::Cutting]),
        ("*/*consumer-thread*", &[writing(0), Fails::Flushing, Fails::Cutting]),
    ];
    let mut total = 100;
    for (pattern, fails) in faults {
        let seen = sink.log().len();
        let fails: Vec<_> = fails.iter().map(|fails| (*fails, Errno::IO)).collect();
        machine.breaks(pattern, &fails);
        scene.topic.produce(total..total + 100);
        wait_until_stuck(&mut sink, &machine, seen, "Input/output error");
        assert_eq!(scene.committed_now(), i64::try_from(total).unwrap(), "{pattern} {fails:?}");
        machine.mend();
        total += 100;
        scene.wait_for_commit(i64::try_from(total).unwrap());
        sink.wait_for_log_after(seen, "again after", LIMIT);
        assert_eq!(assert_complete(&scene.lines(), total), 0, "{pattern} {fails:?}");
    }
    stop(sink);
    scene.assert_all_well();
}

#[test]
fn a_sink_that_is_killed_while_its_disk_fails_leaves_each_record_once_too() {
    let (scene, machine) = (Scene::new(Cluster::shared(), "disk-killed", 1), Machine::new());
    let flags = ["--threads", "1", "--static-membership"];
    let mut total = 0;
    for (pattern, fails) in [
        (DATA, [Fails::Flushing, Fails::Cutting]),
        (JOURNAL, [Fails::Writing { room: 20 }, Fails::Cutting]),
        (JOURNAL, [Fails::Flushing, Fails::Cutting]),
    ] {
        let mut sink = machine.runs(scene.sink().args(flags)).start();
        scene.topic.produce(total..total + 100);
        scene.wait_for_commit(i64::try_from(total).unwrap() + 100);
        let seen = sink.log().len();
        machine.breaks(pattern, &fails.map(|fails| (fails, Errno::IO)));
        scene.topic.produce(total + 100..total + 200);
        wait_until_stuck(&mut sink, &machine, seen, "Input/output error");
        sink.kill();
        machine.mend();
        total += 200;
    }
    let sink = scene.sink().args(flags).start();
    scene.wait_for_commit(i64::try_from(total).unwrap());
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), total), 0);
    scene.assert_all_well();
}

/// A sink that writes to a folder of its own in that of the scene.
fn sink_in_subfolder(scene: &Scene<'_>) -> (PathBuf, Program) {
    let folder = scene.folder.path().join("out");
    let program = scene.sink().args(["--threads", "1", "--static-membership", "--output-dir"]);
    let program = program.args([&folder]);
    (folder, program)
}

fn wait_for_lines(folder: &Path, count: u64) {
    wait_for("the lines", LIMIT, || {
        (folder.exists() && distinct_in(&[folder]) == count).then_some(())
    });
}

#[test]
fn a_folder_that_is_removed_is_made_anew_and_belongs_to_the_same_sink() {
    let scene = Scene::new(Cluster::shared(), "folder-removed", 1);
    let (folder, program) = sink_in_subfolder(&scene);
    let mut sink = program.start();
    scene.topic.produce(0..100);
    scene.wait_for_commit(100);
    let id = fs::read_to_string(folder.join(".metric-sink.store")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    scene.topic.produce(100..200);
    sink.wait_for_log("was removed with all that was in it", LIMIT);
    wait_for_lines(&folder, 100);
    scene.wait_for_commit(200);
    assert_eq!(fs::read_to_string(folder.join(".metric-sink.store")).unwrap(), id);
    let asked = Program::sink(&folder).args(["status"]).run(LIMIT);
    assert!(asked.status.success(), "{}{}", asked.stdout, asked.stderr);
    let second = scene.sink().args(["--output-dir"]).args([&folder]).run(LIMIT);
    assert!(second.stderr.contains("another metric-sink"), "{}", second.stderr);
    // And once more, with records in it that are not committed when it is killed.
    fs::remove_dir_all(&folder).unwrap();
    scene.topic.produce(200..300);
    wait_for_lines(&folder, 100);
    sink.kill();
    let (folder, program) = sink_in_subfolder(&scene);
    let sink = program.start();
    scene.topic.produce(300..400);
    wait_for_lines(&folder, 200);
    scene.wait_for_commit(400);
    stop(sink);
    let lines = lines_in(&folder);
    assert_eq!(lines.len(), 200, "some stand twice");
    // What was committed and in the folder when it was removed is all that is missing.
    let verified = scene_of(&scene, &folder);
    let expected = format!(
        "{} [0], offsets 0 to 199: 200 records are in the topic and in no file",
        scene.topic.name()
    );
    assert!(verified.contains(&expected), "{verified}");
}

fn scene_of(scene: &Scene<'_>, folder: &Path) -> String {
    let ended = Program::sink(folder)
        .args(["verify", ".", "--deep", "--brokers", scene.cluster.addresses()])
        .args(["--group", &scene.group, "--topic", scene.topic.name()])
        .run(LIMIT);
    format!("{}{}", ended.stdout, ended.stderr)
}

#[test]
fn a_folder_that_is_moved_away_is_waited_for() {
    let scene = Scene::new(Cluster::shared(), "folder-moved", 1);
    let (folder, program) = sink_in_subfolder(&scene);
    let elsewhere = folder.with_file_name("elsewhere");
    let mut sink = program.start();
    scene.topic.produce(0..100);
    scene.wait_for_commit(100);
    fs::rename(&folder, &elsewhere).unwrap();
    scene.topic.produce(100..200);
    let line = sink.wait_for_log("it is waited for", LIMIT);
    assert!(line.contains(" E! "), "{line}");
    assert!(!folder.exists());
    assert_eq!(scene.committed_now(), 100);
    fs::rename(&elsewhere, &folder).unwrap();
    sink.wait_for_log("again after", LIMIT);
    scene.wait_for_commit(200);
    stop(sink);
    assert_eq!(assert_complete(&lines_in(&folder), 200), 0);
    let verified = scene_of(&scene, &folder);
    assert!(verified.contains("every record stands in the files once"), "{verified}");
}

#[test]
fn what_somebody_has_damaged_is_named_with_its_place_and_nothing_of_it_is_removed() {
    let scene = Scene::new(Cluster::shared(), "by-hand", 1);
    let start = || scene.sink().args(["--threads", "1", "--static-membership"]).start();
    let sink = start();
    for end in [100, 200, 300] {
        scene.topic.produce(end - 100..end);
        scene.wait_for_commit(i64::try_from(end).unwrap());
    }
    sink.kill();
    // A line in the middle of the journal.
    let journal = scene.folder.path().join(".consumer-thread-0.csv.journal");
    let text = fs::read_to_string(&journal).unwrap().replacen("\nbatch ", "\nbutch ", 1);
    fs::write(&journal, &text).unwrap();
    let mut sink = start();
    let line = sink.wait_for_log("is damaged: 1 wrong lines, the first at byte", LIMIT);
    assert!(line.contains(".consumer-thread-0.csv.journal"), "{line}");
    scene.topic.produce(300..400);
    scene.wait_for_commit(400);
    sink.kill();
    assert_eq!(assert_complete(&scene.lines(), 400), 0);
    assert!(fs::read_to_string(&journal).unwrap().starts_with(&text));

    // What is committed, by somebody who has written over it and behind it.
    let file = scene.file(0);
    let mut text = fs::read(&file).unwrap();
    let place = text.len() - 130 * (Topic::numbered(0).len() + 1);
    text[place..place + 7].copy_from_slice(b"by hand");
    text.extend_from_slice(b"a line by hand\n");
    fs::write(&file, &text).unwrap();
    let mut sink = start();
    let line = sink.wait_for_log("does not hold between byte", LIMIT);
    assert!(line.contains("consumer-thread-0.csv") && line.contains("stays"), "{line}");
    scene.topic.produce(400..500);
    scene.wait_for_commit(500);
    stop(sink);
    assert!(fs::read(&file).unwrap().starts_with(&text));

    // The end of the file is gone, with records that are committed.
    let before = fs::read(&file).unwrap();
    let kept = before.len() - 2_000;
    fs::write(&file, &before[..kept]).unwrap();
    let mut sink = start();
    let line = sink.wait_for_log("is shorter than its journal says", LIMIT);
    let lost = format!("100 records of {} [0], offsets 400 to 499", scene.topic.name());
    assert!(line.contains(&lost), "{line}");
    scene.topic.produce(500..600);
    scene.wait_for_commit(600);
    stop(sink);
    let after = fs::read(&file).unwrap();
    assert!(after.starts_with(&before[..kept]));
    let report = scene.verify();
    assert_eq!(report.status.code(), Some(1), "{}{}", report.stdout, report.stderr);
    assert!(report.stdout.contains("is not what was written there"), "{}", report.stdout);
}

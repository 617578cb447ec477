//! Files that are left in the middle of something.

mod by_hand;

use std::fs;
use std::io::IoSlice;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::sink::journal::{first_and_last_offset, has_ended};
use crate::sink::ownership::{Committed, History, StoreId, Verdict};
use crate::sink::recovery::CommittedOffsets;

fn writer(thread: u32) -> Writer {
    Writer { store: StoreId::new(1), thread }
}

fn partition(number: i32) -> Partition {
    Partition { topic: "t".into(), number }
}

struct Scene {
    _folder: TempDir,
    path: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("consumer-thread-0.csv");
        Scene { _folder: folder, path }
    }

    fn open(&self) -> JournaledFile {
        JournaledFile::open(&self.path, writer(0), Fsync::Commit).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn journal(&self) -> PathBuf {
        journal_path(&self.path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path.parent().unwrap()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Appends one record of each of these partitions and offsets.
fn append(file: &mut JournaledFile, records: &[(i32, i64)]) {
    for (number, offset) in records {
        let line = format!("{number}:{offset}\n");
        let partition = partition(*number);
        let bytes = vec![IoSlice::new(line.as_bytes())];
        let mut pieces =
            [Piece { partition: &partition, offsets: *offset..offset + 1, records: 1, bytes }];
        file.append(&mut pieces).unwrap();
    }
}

fn batch(file: &mut JournaledFile, number: u64, records: &[(i32, i64)]) {
    append(file, records);
    file.close_batch(number).unwrap();
    file.flush().unwrap();
}

/// Everything up to these offsets was committed by thread 0.
fn committed(offsets: &[(i32, i64)]) -> CommittedOffsets {
    let history = Some(History::begin(writer(0), 0));
    let of = |offset: i64| Committed {
        offset: Some(offset),
        history: history.clone(),
        ..Committed::default()
    };
    offsets.iter().map(|(number, offset)| (partition(*number), of(*offset))).collect()
}

/// A process that died with a confirmed batch in its file and one that is not.
fn write_one_confirmed_and_one_not(scene: &Scene) {
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    file.confirmed(1);
    batch(&mut file, 2, &[(0, 1)]);
}

#[test]
fn what_is_in_no_batch_goes_when_the_file_is_opened_again() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0), (0, 1)]);
    append(&mut file, &[(0, 2)]);
    drop(file);
    let mut file = scene.open();
    assert_eq!(scene.text(), "0:0\n0:1\n");
    assert!(matches!(file.take_findings()[..], [Finding::Unfinished { bytes: 4, .. }]));
    assert!(file.has_unconfirmed());
    assert_eq!(file.last_number(), 1);
}

#[test]
fn what_is_in_no_batch_goes_also_behind_an_end_in_order() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    file.confirmed(1);
    file.settle(&committed(&[(0, 1)])).unwrap();
    file.end().unwrap();
    drop(file);
    let mut file = scene.open();
    file.settle(&committed(&[(0, 1)])).unwrap();
    append(&mut file, &[(0, 1)]);
    drop(file);
    assert!(matches!(scene.open().take_findings()[..], [Finding::Unfinished { bytes: 4, .. }]));
    assert_eq!(scene.text(), "0:0\n");
}

#[test]
fn what_was_appended_last_can_be_taken_back_alone() {
    let scene = Scene::new();
    let mut file = scene.open();
    append(&mut file, &[(0, 0), (0, 1)]);
    file.take_back_last();
    file.take_back_last();
    assert_eq!(scene.text(), "0:0\n");
    batch(&mut file, 1, &[(0, 1), (1, 0)]);
    file.take_back_last();
    assert_eq!(scene.text(), "0:0\n0:1\n1:0\n");
    drop(file);
    // Places and checksum are those of what is there.
    let mut file = scene.open();
    file.settle(&committed(&[(0, 2), (1, 0)])).unwrap();
    assert_eq!(file.take_findings(), []);
    assert_eq!(scene.text(), "0:0\n0:1\n");
}

#[test]
fn a_header_belongs_to_no_record_and_is_never_taken_out() {
    let scene = Scene::new();
    let open = || JournaledFile::open_below(&scene.path, b"h\n", writer(0), Fsync::Commit).unwrap();
    let mut file = open();
    batch(&mut file, 1, &[(0, 0)]);
    append(&mut file, &[(0, 1)]);
    assert_eq!(scene.text(), "h\n0:0\n0:1\n");
    drop(file);
    let mut file = open();
    file.settle(&committed(&[(0, 0)])).unwrap();
    assert_eq!(scene.text(), "h\n");
    // Somebody empties the file.
    fs::write(&scene.path, "").unwrap();
    append(&mut file, &[(0, 0)]);
    assert_eq!(scene.text(), "h\n0:0\n");
}

#[test]
fn a_journal_follows_its_file_to_another_name() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    let other = scene.path.with_file_name("other.csv");
    for _ in 0..2 {
        file.rename(&other).unwrap();
        assert_eq!(scene.names(), [".other.csv.journal", "other.csv"]);
    }
    file.confirmed(1);
    file.end().unwrap();
    assert!(has_ended(&journal_path(&other)).unwrap());
    assert_eq!(first_and_last_offset(&journal_path(&other)).unwrap(), Some((0, 0)));
}

#[test]
fn a_batch_stays_if_it_was_committed_and_goes_if_not() {
    for (offset, text, verdict) in
        [(2, "0:0\n0:1\n", Verdict::Confirmed), (1, "0:0\n", Verdict::Unconfirmed)]
    {
        let scene = Scene::new();
        let mut file = scene.open();
        batch(&mut file, 1, &[(0, 0)]);
        file.confirmed(1);
        batch(&mut file, 2, &[(0, 1)]);
        drop(file);
        let mut file = scene.open();
        let rulings = file.settle(&committed(&[(0, offset)])).unwrap();
        assert_eq!(rulings.len(), 1);
        assert_eq!(rulings[0].verdict, verdict);
        assert_eq!(scene.text(), text);
        assert!(!file.has_unconfirmed());
        batch(&mut file, 3, &[(0, offset)]);
        drop(file);
        assert_eq!(scene.open().take_findings(), []);
    }
}

#[test]
fn what_stays_behind_what_goes_moves_up_and_stays_so() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0), (1, 0), (0, 1)]);
    batch(&mut file, 2, &[(1, 1), (0, 2)]);
    drop(file);
    let committed = committed(&[(0, 3), (1, 0)]);
    scene.open().settle(&committed).unwrap();
    assert_eq!(scene.text(), "0:0\n0:1\n0:2\n");
    let mut file = scene.open();
    assert_eq!(file.take_findings(), []);
    assert_eq!(file.settle(&committed).unwrap(), []);
    assert_eq!(scene.text(), "0:0\n0:1\n0:2\n");
    assert_eq!(scene.names(), [".consumer-thread-0.csv.journal", "consumer-thread-0.csv"]);
}

#[test]
fn a_rewrite_that_was_interrupted_anywhere_is_finished_by_the_next_start() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0), (1, 0), (0, 1)]);
    batch(&mut file, 2, &[(1, 1), (0, 2)]);
    drop(file);
    let journal_before = fs::read(scene.journal()).unwrap();
    let data_before = scene.text();
    scene.open().settle(&committed(&[(0, 3), (1, 0)])).unwrap();
    let journal_after = fs::read_to_string(scene.journal()).unwrap();
    let added = &journal_after[journal_before.len()..];
    let until_rewrite: usize = added
        .split_inclusive('\n')
        .take_while(|line| !line.starts_with("rewritten"))
        .map(str::len)
        .sum();
    let decided = &journal_after.as_bytes()[..journal_before.len() + until_rewrite];
    let side = scene.journal().with_extension("redo");
    // The data file as it may be found: not touched, cut, or with a part of what belongs there.
    for data in [data_before.as_str(), "", "0:0\n0", "0:0\n0:1\n0:2\n"] {
        fs::write(&scene.path, data).unwrap();
        fs::write(scene.journal(), decided).unwrap();
        fs::write(&side, "0:0\n0:1\n0:2\n").unwrap();
        let mut file = scene.open();
        assert_eq!(scene.text(), "0:0\n0:1\n0:2\n", "{data:?}");
        assert_eq!(file.take_findings(), []);
        assert!(!side.exists());
    }
    // Not decided yet: all is as it was.
    for cut in [0, 10, until_rewrite - 1] {
        fs::write(&scene.path, &data_before).unwrap();
        fs::write(scene.journal(), &decided[..journal_before.len() + cut]).unwrap();
        let mut file = scene.open();
        assert_eq!(scene.text(), data_before);
        file.settle(&committed(&[(0, 3), (1, 0)])).unwrap();
        assert_eq!(scene.text(), "0:0\n0:1\n0:2\n");
    }
    // Its bytes are lost: what is there stays, and somebody is told.
    fs::write(&scene.path, &data_before).unwrap();
    fs::write(scene.journal(), decided).unwrap();
    let mut file = scene.open();
    assert_eq!(scene.text(), data_before);
    assert!(matches!(file.take_findings()[..], [Finding::RewriteLost { .. }, ..]));
}

#[test]
fn batches_that_a_power_failure_took_are_void_and_confirmed_ones_are_missed() {
    let scene = Scene::new();
    write_one_confirmed_and_one_not(&scene);
    fs::write(&scene.path, "0:0\n0").unwrap();
    let mut file = scene.open();
    assert_eq!(scene.text(), "0:0\n");
    assert_eq!(file.take_findings(), []);
    batch(&mut file, 3, &[(0, 1)]);
    drop(file);
    assert_eq!(scene.open().partitions().count(), 2);

    fs::write(&scene.path, "0:").unwrap();
    let mut file = scene.open();
    assert_eq!(scene.text(), "0:");
    let findings = file.take_findings();
    assert!(matches!(&findings[0], Finding::Missing { offsets, .. } if *offsets == (0..1)));
    assert_eq!(scene.names().len(), 3, "{:?}", scene.names());
}

#[test]
fn what_others_do_to_the_file_is_never_undone() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    file.confirmed(1);
    file.end().unwrap();
    drop(file);
    fs::write(&scene.path, "0:0\nby hand\n").unwrap();
    let mut file = scene.open();
    assert!(matches!(file.take_findings()[..], [Finding::Changed { expected: 4, found: 12, .. }]));
    batch(&mut file, 2, &[(0, 1)]);
    // As logrotate does with copytruncate.
    fs::write(&scene.path, "").unwrap();
    batch(&mut file, 3, &[(0, 2)]);
    assert_eq!(scene.text(), "0:2\n");
    let findings = file.take_findings();
    assert!(matches!(findings[..], [Finding::Changed { .. }, Finding::Undecided { .. }]));
    file.settle(&committed(&[(0, 0)])).unwrap();
    assert_eq!(scene.text(), "");
    // Another file under the same name.
    batch(&mut file, 4, &[(0, 2)]);
    drop(file);
    fs::remove_file(&scene.path).unwrap();
    fs::write(&scene.path, "another").unwrap();
    let keeps_the_inode_busy = scene.path.with_file_name("elsewhere");
    fs::rename(&scene.path, &keeps_the_inode_busy).unwrap();
    fs::write(&scene.path, "not ours\n").unwrap();
    let mut file = scene.open();
    assert!(matches!(file.take_findings()[..], [Finding::Replaced { .. }]));
    assert_eq!(file.last_number(), 4);
    file.settle(&committed(&[(0, 0)])).unwrap();
    assert_eq!(scene.text(), "not ours\n");
}

#[test]
fn a_journal_that_could_not_be_made_is_made_before_anything_is_appended() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    file.confirmed(1);
    // As when somebody has cut the file while the disk was full.
    fs::write(&scene.path, "").unwrap();
    fs::remove_file(scene.journal()).unwrap();
    file.journal = None;
    file.recent.clear();
    batch(&mut file, 2, &[(0, 1)]);
    drop(file);
    let mut file = scene.open();
    file.settle(&committed(&[(0, 1)])).unwrap();
    assert_eq!(scene.text(), "");
}

#[test]
fn a_file_from_before_the_journals_is_gone_on_with() {
    let scene = Scene::new();
    fs::write(&scene.path, "old\nto").unwrap();
    let mut file = scene.open();
    assert!(matches!(file.take_findings()[..], [Finding::Torn { bytes: 2, .. }]));
    batch(&mut file, 1, &[(0, 0)]);
    drop(file);
    let mut file = scene.open();
    file.settle(&committed(&[(0, 0)])).unwrap();
    assert_eq!(scene.text(), "old\n");
}

#[test]
fn a_damaged_journal_takes_nothing_away() {
    let scene = Scene::new();
    write_one_confirmed_and_one_not(&scene);
    let mut journal = fs::read(scene.journal()).unwrap();
    let end = journal.len();
    journal[end - 20] ^= 1;
    fs::write(scene.journal(), journal).unwrap();
    let mut file = scene.open();
    assert!(matches!(
        file.take_findings()[..],
        [Finding::JournalDamaged { lines: 1, .. }, Finding::Changed { .. }]
    ));
    file.settle(&committed(&[(0, 0)])).unwrap();
    assert_eq!(scene.text(), "0:0\n0:1\n");
}

#[test]
fn bytes_that_are_not_what_was_written_are_told_of() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    drop(file);
    fs::write(&scene.path, "0!0\n").unwrap();
    let mut file = scene.open();
    file.settle(&committed(&[(0, 1)])).unwrap();
    assert!(matches!(file.take_findings()[..], [Finding::ChecksumWrong { .. }]));
    assert_eq!(scene.text(), "0!0\n");
}

#[test]
fn a_batch_that_could_not_be_flushed_is_void() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    append(&mut file, &[(0, 1)]);
    file.close_batch(2).unwrap();
    append(&mut file, &[(0, 2)]);
    file.take_back_from(2).unwrap();
    assert_eq!(scene.text(), "0:0\n");
    batch(&mut file, 3, &[(0, 1)]);
    drop(file);
    let mut file = scene.open();
    file.settle(&committed(&[(0, 2)])).unwrap();
    assert_eq!(scene.text(), "0:0\n0:1\n");
}

#[test]
fn a_renamed_file_that_somebody_has_changed_is_left_alone() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    fs::rename(&scene.path, scene.path.with_file_name("moved")).unwrap();
    file.set_journal_aside().unwrap();
    let _next = scene.open();
    fs::write(scene.path.with_file_name("moved"), "by hand, and longer\n").unwrap();
    file.settle(&committed(&[(0, 0)])).unwrap();
    assert!(matches!(
        file.take_findings()[..],
        [Finding::Changed { .. }, Finding::Undecided { records: 1, .. }]
    ));
    assert_eq!(fs::read(scene.path.with_file_name("moved")).unwrap(), b"by hand, and longer\n");
    assert_eq!(scene.names().len(), 4, "{:?}", scene.names());
}

#[test]
fn commits_that_were_lost_longer_ago_than_is_looked_at_are_told_of() {
    for is_reopened in [true, false] {
        let scene = Scene::new();
        let mut file = scene.open();
        for number in 1..=RECENT as u64 + 10 {
            let offset = i64::try_from(number).unwrap();
            batch(&mut file, number, &[(0, offset), (1, offset)]);
            file.confirmed(number);
        }
        if is_reopened {
            file.end().unwrap();
            drop(file);
            file = scene.open();
        }
        assert_eq!(file.take_findings(), []);
        // Of partition 1 all that was ever committed is there, of partition 0 only a little.
        file.settle(&committed(&[(0, 5), (1, 1_000)])).unwrap();
        let forgotten = Finding::Forgotten {
            path: scene.path.clone(),
            partition: partition(0),
            offsets: 5..11,
        };
        assert_eq!(file.take_findings(), [forgotten]);
        // What was looked at again is read again, and nothing is told twice.
        append(&mut file, &[(0, 5)]);
        file.close_batch(100).unwrap();
        file.settle(&committed(&[(0, 6), (1, 1_000)])).unwrap();
        file.settle(&committed(&[(0, 6), (1, 1_000)])).unwrap();
        assert_eq!(file.take_findings(), []);
        file.settle(&committed(&[(0, 6), (1, 20)])).unwrap();
        assert!(matches!(file.take_findings()[..], [Finding::Forgotten { .. }]));
    }
}

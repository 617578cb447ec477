//! Whole folders, written by the sink's own files.

use std::fs;
use std::io::IoSlice;
use std::ops::Range;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::sink::journaled::{JournaledFile, Piece};
use crate::sink::ownership::{History, StoreId, Writer};
use crate::sink::recovery::CommittedOffsets;
use crate::sink::settings::Fsync;

fn writer(store: u64) -> Writer {
    Writer { store: StoreId::new(store), thread: 0 }
}

fn partition(number: i32) -> Partition {
    Partition { topic: "t".into(), number }
}

fn open(folder: &Path, store: u64) -> JournaledFile {
    JournaledFile::open(&folder.join("consumer-thread-0.csv"), writer(store), Fsync::Never).unwrap()
}

/// Appends a batch with a record for each offset, lines of ten bytes.
fn batch(file: &mut JournaledFile, number: u64, of_topic: i32, offsets: Range<i64>) {
    let lines: String = offsets.clone().map(|offset| format!("{of_topic} {offset:07}\n")).collect();
    let partition = partition(of_topic);
    let records = offsets.end.abs_diff(offsets.start);
    let bytes = vec![IoSlice::new(lines.as_bytes())];
    file.append(&mut [Piece { partition: &partition, offsets, records, bytes }]).unwrap();
    file.close_batch(number).unwrap();
}

/// A folder with a hundred records of two partitions each, all committed.
fn written() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path(), 1);
    for number in 1..=10 {
        let first = i64::try_from(number).unwrap() * 10 - 10;
        batch(&mut file, number * 2, 0, first..first + 10);
        batch(&mut file, number * 2 + 1, 1, first..first + 10);
        file.confirmed(number * 2 + 1);
    }
    file.end().unwrap();
    let path = folder.path().join("consumer-thread-0.csv");
    (folder, path)
}

fn check(folders: &[&Path]) -> Report {
    let folders: Vec<_> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    verify(&folders, None).unwrap()
}

/// The kinds of the faults, or of the notes.
fn kinds(report: &Report, weight: Weight) -> Vec<Kind> {
    let of_weight = report.findings.iter().filter(|finding| finding.weight == weight);
    of_weight.map(|finding| finding.kind).collect()
}

fn faults(folder: &Path) -> Vec<Kind> {
    kinds(&check(&[folder]), Weight::Fault)
}

/// Everything in a folder, to see that nothing was changed.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut contents: Vec<_> = files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    contents.sort();
    contents
}

#[test]
fn a_folder_that_is_whole_is_all_well_and_stays_as_it_is() {
    let (folder, _) = written();
    let before = contents(folder.path());
    let report = check(&[folder.path()]);
    assert!(report.all_well && !report.running, "{report:?}");
    assert_eq!(report.findings, []);
    let told: Vec<_> =
        report.partitions.iter().map(|it| (it.partition, it.first, it.next, it.records)).collect();
    assert_eq!(told, [(0, Some(0), Some(100), 100), (1, Some(0), Some(100), 100)]);
    assert_eq!(contents(folder.path()), before);
    // A folder that is named twice is one folder.
    assert!(check(&[folder.path(), folder.path()]).all_well);
}

#[test]
fn what_somebody_has_done_to_a_file_is_found() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(Change, &[Kind]); 5] = [
        (|bytes| bytes[55] = b'X', &[Kind::Damaged]),
        (|bytes| bytes.truncate(1_995), &[Kind::Shortened]),
        // The last one of a hundred is missing: no gap is seen, but a file that is too short.
        (|bytes| bytes.truncate(1_900), &[Kind::Shortened]),
        (|bytes| bytes.extend(b"somebody's words\n"), &[Kind::Unexplained]),
        (|bytes| bytes[109] = b' ', &[Kind::Damaged]),
    ];
    for (change, expected) in changes {
        let (folder, path) = written();
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        assert_eq!(faults(folder.path()), expected);
    }
}

#[test]
fn what_somebody_has_done_to_a_journal_is_found() {
    let (folder, path) = written();
    let journal = crate::sink::journal::journal_path(&path);
    let text = fs::read_to_string(&journal).unwrap();
    let damaged = text.replacen("batch 4 ", "batch 5 ", 1);
    fs::write(&journal, damaged).unwrap();
    // Its bytes have no explanation then, and its offsets are in no file.
    assert_eq!(faults(folder.path()), [Kind::Journal, Kind::Unexplained, Kind::Gap]);
}

#[test]
fn a_file_under_another_name_or_in_a_copied_folder_is_found() {
    let (folder, path) = written();
    fs::rename(&path, folder.path().join("2020-06-19.csv")).unwrap();
    assert_eq!(faults(folder.path()), []);
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in contents(folder.path()) {
        fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    assert_eq!(faults(copy.path()), []);
    fs::remove_file(copy.path().join("2020-06-19.csv")).unwrap();
    assert_eq!(faults(copy.path()), [Kind::Left]);
}

#[test]
fn what_two_hosts_hold_is_looked_at_together() {
    let (first, _) = written();
    let second = tempfile::tempdir().unwrap();
    let mut file = open(second.path(), 2);
    batch(&mut file, 1, 0, 95..120);
    file.confirmed(1);
    batch(&mut file, 2, 1, 105..110);
    file.confirmed(2);
    file.end().unwrap();
    let report = check(&[first.path(), second.path()]);
    let told: Vec<_> = report
        .findings
        .iter()
        .map(|it| (it.kind, it.partition.unwrap(), it.offsets.clone().unwrap()))
        .collect();
    assert_eq!(told, [(Kind::Double, 0, 95..100), (Kind::Gap, 1, 100..105)]);
    assert_eq!((report.partitions[0].doubles, report.partitions[1].missing), (5, 5));
    let text = report.table();
    assert!(text.contains("t [0]"), "{text}");
    assert!(text.contains("they stand twice, by writer 000000000001.0 and"), "{text}");
    assert!(text.ends_with("2 findings\n"), "{text}");
    assert!(check(&[first.path()]).all_well);
}

#[test]
fn an_end_that_is_not_settled_is_told_until_it_is() {
    let (folder, path) = written();
    let mut file = open(folder.path(), 1);
    batch(&mut file, 30, 0, 100..105);
    let report = check(&[folder.path()]);
    assert_eq!(kinds(&report, Weight::Note), [Kind::InFlight]);
    assert_eq!((report.all_well, report.partitions[0].in_flight), (true, 5));
    // Somebody else has them.
    let other = tempfile::tempdir().unwrap();
    let mut others = open(other.path(), 2);
    batch(&mut others, 1, 0, 100..120);
    others.confirmed(1);
    others.end().unwrap();
    let report = check(&[folder.path(), other.path()]);
    assert_eq!(kinds(&report, Weight::Fault), [Kind::Unsettled]);
    let history = History::begin(writer(1), 0).taken_over(writer(2), 100);
    let committed = Committed { offset: Some(120), history: Some(history), ..Committed::default() };
    let committed =
        CommittedOffsets::from([(partition(0), committed.clone()), (partition(1), committed)]);
    file.settle(&committed).unwrap();
    assert!(check(&[folder.path(), other.path()]).all_well);
    // Bytes that are in no batch, of a sink that was killed.
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"0 00001"].concat()).unwrap();
    assert_eq!(faults(folder.path()), [Kind::Unsettled]);
}

#[test]
fn what_a_running_sink_has_begun_is_in_flight() {
    let (folder, path) = written();
    let mut file = open(folder.path(), 1);
    batch(&mut file, 30, 0, 100..105);
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"0 00001"].concat()).unwrap();
    let _socket = UnixListener::bind(folder.path().join(crate::sink::status::SOCKET_FILE)).unwrap();
    let report = check(&[folder.path()]);
    assert!(report.running && report.all_well, "{:?}", report.findings);
    assert_eq!(kinds(&report, Weight::Note), [Kind::InFlight]);
    assert_eq!(report.partitions[0].in_flight, 5);
}

#[test]
fn what_was_rewritten_is_checked_as_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path(), 1);
    batch(&mut file, 1, 0, 0..10);
    batch(&mut file, 2, 1, 0..10);
    batch(&mut file, 3, 0, 10..20);
    let history = || Some(History::begin(writer(1), 0));
    let committed = CommittedOffsets::from([
        (partition(0), Committed { offset: Some(20), history: history(), ..Committed::default() }),
        (partition(1), Committed { offset: Some(0), history: history(), ..Committed::default() }),
    ]);
    file.settle(&committed).unwrap();
    let report = check(&[folder.path()]);
    assert_eq!(report.findings, []);
    assert_eq!(report.partitions.len(), 1);
    assert_eq!(report.partitions[0].records, 20);
}

#[test]
fn offsets_that_go_back_within_a_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = open(folder.path(), 1);
    batch(&mut file, 1, 0, 50..60);
    batch(&mut file, 2, 0, 0..10);
    file.confirmed(2);
    file.end().unwrap();
    assert_eq!(faults(folder.path()), [Kind::Disorder, Kind::Gap]);
}

#[test]
fn folders_that_are_none_of_ours_cannot_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let error = verify(&[folder.path().to_owned()], None).unwrap_err().to_string();
    assert!(error.contains("no output folder of metric-sink"), "{error}");
    let missing = folder.path().join("missing");
    let error = verify(&[missing], None).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_file_that_was_compressed_is_checked_like_the_others() {
    let (folder, path) = written();
    let packed = path.with_extension("csv.zst");
    fs::write(&packed, zstd::encode_all(&fs::read(&path).unwrap()[..], 1).unwrap()).unwrap();
    fs::remove_file(&path).unwrap();
    let report = check(&[folder.path()]);
    assert_eq!((report.findings, report.partitions[0].records), (vec![], 100));
    fs::write(&packed, zstd::encode_all(&b"something else\n"[..], 1).unwrap()).unwrap();
    assert_eq!(faults(folder.path())[0], Kind::Shortened);
}

#[test]
fn a_batch_that_is_spread_over_files_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, "time,number\n").unwrap();
        JournaledFile::open(&path, writer(1), Fsync::Never).unwrap()
    };
    let mut files = [open("cpu.csv"), open("mem.csv"), open("disk.csv")];
    let partition = partition(0);
    for number in 1..=60 {
        let first = i64::try_from(number).unwrap() * 9;
        // Each file has every third record; the last has those that come once in a while.
        for (at, file) in (0..).zip(&mut files) {
            if at == 2 && number % 7 > 0 {
                continue;
            }
            let records = if at == 1 && number % 7 > 0 { 6 } else { 3 };
            let bytes = vec![IoSlice::new(b"1\n2\n3\n4\n5\n6\n")];
            let offsets = first + at..first + 8 + i64::from(number % 7 > 0 || at == 2);
            file.append(&mut [Piece { partition: &partition, offsets, records, bytes }]).unwrap();
            file.close_batch(number).unwrap();
        }
        files.iter_mut().for_each(|file| file.confirmed(number));
    }
    files.iter_mut().for_each(|file| file.end().unwrap());
    let report = check(&[folder.path()]);
    assert_eq!(report.findings, []);
    assert_eq!((report.partitions[0].records, report.partitions[0].first), (540, Some(9)));
}

/// A sink with one file and two partitions, alone in its group.
struct Alone {
    folder: tempfile::TempDir,
    file: JournaledFile,
    number: u64,
    /// The offset that comes next, of what was written, of what is in a batch, of what is committed.
    written: [i64; 2],
    closed: [i64; 2],
    committed: [i64; 2],
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy)]
enum Commit {
    Accepted,
    AnswerLost,
    Lost,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Append { to: usize, records: i64 },
    Commit(Commit),
    TakeBack,
    Kill,
    Settle,
    EndAndStart,
}

impl Alone {
    fn new() -> Alone {
        let folder = tempfile::tempdir().unwrap();
        let file = open(folder.path(), 1);
        Alone { folder, file, number: 0, written: [0; 2], closed: [0; 2], committed: [0; 2] }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append { to, records } => {
                let (first, of_topic) = (self.written[to], i32::try_from(to).unwrap());
                let lines: String = (0..records).map(|_| format!("{of_topic}\n")).collect();
                let (partition, bytes) =
                    (partition(of_topic), vec![IoSlice::new(lines.as_bytes())]);
                let offsets = first..first + records;
                let records = records.unsigned_abs();
                self.file
                    .append(&mut [Piece { partition: &partition, offsets, records, bytes }])
                    .unwrap();
                self.written[to] = first + i64::try_from(records).unwrap();
            }
            Step::Commit(commit) => {
                self.number += 1;
                self.file.close_batch(self.number).unwrap();
                self.closed = self.written;
                if !matches!(commit, Commit::Lost) {
                    self.committed = self.closed;
                }
                if matches!(commit, Commit::Accepted) {
                    self.file.confirmed(self.number);
                }
            }
            Step::TakeBack => {
                self.file.take_back_open().unwrap();
                self.written = self.closed;
            }
            Step::Kill => {
                self.file = open(self.folder.path(), 1);
                self.settle();
            }
            Step::Settle => self.settle(),
            Step::EndAndStart => {
                self.take(Step::Commit(Commit::Accepted));
                self.file.end().unwrap();
                self.take(Step::Kill);
            }
        }
    }

    /// Settles, and goes on where the group has come to.
    fn settle(&mut self) {
        let history = History::begin(writer(1), 0);
        let of_partition = |number: usize| {
            let offset = self.committed[number];
            let history = (offset > 0).then(|| history.clone());
            let committed = Committed {
                offset: history.as_ref().map(|_| offset),
                history,
                ..Committed::default()
            };
            (partition(i32::try_from(number).unwrap()), committed)
        };
        let committed: CommittedOffsets = [0, 1].map(of_partition).into();
        self.file.settle(&committed).unwrap();
        (self.written, self.closed) = (self.committed, self.committed);
    }
}

fn step() -> impl Strategy<Value = Step> {
    let append = (0usize..2, 1i64..20).prop_map(|(to, records)| Step::Append { to, records });
    let commit = prop_oneof![Just(Commit::Accepted), Just(Commit::AnswerLost), Just(Commit::Lost)];
    prop_oneof![
        6 => append,
        4 => commit.prop_map(Step::Commit),
        1 => Just(Step::TakeBack),
        1 => Just(Step::Kill),
        1 => Just(Step::Settle),
        1 => Just(Step::EndAndStart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_a_sink_does_nothing_but_its_end_is_ever_in_doubt(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let mut alone = Alone::new();
        for step in steps {
            alone.take(step);
            let faults = faults(alone.folder.path());
            prop_assert!(faults.iter().all(|kind| *kind == Kind::Unsettled), "{:?} {:?}", step, faults);
        }
        alone.take(Step::Kill);
        let report = check(&[alone.folder.path()]);
        prop_assert_eq!(report.findings, vec![]);
        let records: u64 = report.partitions.iter().map(|partition| partition.records).sum();
        prop_assert_eq!(records, alone.committed.iter().sum::<i64>().unsigned_abs());
    }
}

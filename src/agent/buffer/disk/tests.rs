//! The buffer in files as an output sees it.

use std::collections::BTreeMap;
use std::sync::Weak;

use proptest::prelude::*;

use super::*;
use crate::metric::{Accompany, Origin, OriginalRecord, Timestamp};
use crate::plugin::Rejection;
use crate::system::fake::FakeClock;

/// Goes along with a metric.
struct Guard;

impl Accompany for Guard {}

/// Goes along with metrics that were made of a record with this value, and were read here.
struct Read(OriginalRecord, Arc<Origin>);

impl Accompany for Read {
    fn record(&self) -> Option<&OriginalRecord> {
        Some(&self.0)
    }

    fn origin(&self) -> Option<&Arc<Origin>> {
        Some(&self.1)
    }
}

fn open(folder: &Path) -> DiskBuffer {
    open_with(folder, Sync::EveryGroup)
}

fn open_unsynced(folder: &Path) -> DiskBuffer {
    open_with(folder, Sync::Never)
}

fn open_with(folder: &Path, sync: Sync) -> DiskBuffer {
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    DiskBuffer::open(folder, sync, clock, PluginLog::new("outputs.x")).unwrap()
}

fn add(buffer: &mut DiskBuffer, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let metric = Metric::new("m", Timestamp::from_nanos(number)).with_field("n", number);
        assert_eq!(buffer.add(metric), 0);
    }
    buffer.commit();
}

fn numbers(batch: &[Metric]) -> Vec<i64> {
    batch.iter().map(|metric| metric.time.nanos()).collect()
}

/// Takes out up to `size` metrics, and ends that with `result`.
fn write(buffer: &mut DiskBuffer, size: usize, result: Result<(), WriteError>) -> Vec<i64> {
    let batch = buffer.begin(size).unwrap();
    let end = buffer.end(batch.len(), result);
    assert_eq!(end.written + end.rejected.len() + end.kept + end.dropped, batch.len());
    numbers(&batch)
}

#[test]
fn a_failed_batch_comes_again_and_so_it_does_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = open(folder.path());
    add(&mut buffer, 0..5);
    assert_eq!(write(&mut buffer, 3, Err(WriteError::retry("down"))), [0, 1, 2]);
    assert_eq!(write(&mut buffer, 2, Ok(())), [0, 1]);
    assert_eq!((buffer.len(), buffer.held()), (3, 3));
    let left = buffer.close();
    assert_eq!((left.on_disk, left.in_memory.len()), (3, 0));
    let mut buffer = open(folder.path());
    add(&mut buffer, 5..7);
    assert_eq!(write(&mut buffer, 9, Ok(())), [2, 3, 4, 5, 6]);
    assert_eq!(buffer.close().count(), 0);
}

#[test]
fn only_the_named_metrics_of_a_partial_write_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = open(folder.path());
    add(&mut buffer, 0..6);
    let batch = buffer.begin(5).unwrap();
    assert_eq!((buffer.len(), buffer.held()), (1, 6));
    let partial = WriteError::Partial {
        retry: vec![1, 4],
        rejected: vec![Rejection { index: 2, reason: "too large".into() }],
        source: "some failed".into(),
    };
    let end = buffer.end(batch.len(), Err(partial));
    assert_eq!((end.written, end.kept, end.rejected.len()), (2, 2, 1));
    drop(buffer);
    assert_eq!(write(&mut open(folder.path()), 9, Ok(())), [1, 4, 5]);
}

#[test]
fn what_goes_along_with_a_metric_ends_when_the_metric_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = open(folder.path());
    let guard = Arc::new(Guard);
    let watched: Weak<Guard> = Arc::downgrade(&guard);
    let mut metric = Metric::new("m", Timestamp::EPOCH).with_field("n", 1i64);
    metric.companion = Companion::new(guard);
    buffer.add(metric);
    buffer.commit();
    write(&mut buffer, 1, Err(WriteError::retry("down")));
    assert!(watched.upgrade().is_some());
    write(&mut buffer, 1, Ok(()));
    assert!(watched.upgrade().is_none());
}

#[test]
fn the_record_of_a_metric_is_in_the_file_and_known_by_all_metrics_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = open(folder.path());
    let record = |value: &[u8]| OriginalRecord { value: Some(value.into()), ..Default::default() };
    let origin = Arc::new(Origin::new("topic [0]", BTreeMap::new()));
    for value in [b"a", b"b"] {
        let companion = Companion::new(Arc::new(Read(record(value), origin.clone())));
        for n in 0..2i64 {
            let mut metric = Metric::new("m", Timestamp::EPOCH).with_field("n", n);
            metric.companion = companion.clone();
            buffer.add(metric);
        }
    }
    buffer.commit();
    // What is on the disk is sent from there, and not read again.
    let left = buffer.close();
    assert_eq!((left.on_disk, left.to_be_read_again, left.in_memory.len()), (4, 0, 0));
    let batch = open(folder.path()).begin(9).unwrap();
    let values: Vec<_> = batch
        .iter()
        .map(|metric| metric.companion.record().unwrap().value.as_deref().unwrap())
        .collect();
    assert_eq!(values, [b"a", b"a", b"b", b"b"]);
    assert!(batch[0].companion.is_same(&batch[1].companion));
    assert!(!batch[1].companion.is_same(&batch[2].companion));
}

#[test]
fn a_record_that_is_no_metric_is_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut buffer = open(folder.path());
    buffer.spool.push(|out| out.extend_from_slice(b"\xffnothing"));
    add(&mut buffer, 1..3);
    buffer.spool.push(|out| out.push(1));
    buffer.commit();
    let batch = buffer.begin(9).unwrap();
    assert_eq!(numbers(&batch), [1, 2]);
    let end = buffer.end(2, Ok(()));
    assert_eq!((end.written, end.lost, buffer.held()), (2, 2, 0));
}

#[test]
fn two_outputs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    let log = PluginLog::new("outputs.x");
    let second = DiskBuffer::open(folder.path(), Sync::Never, clock, log);
    let error = second.err().unwrap().to_string();
    assert!(error.contains("is in use by another process, or by another plugin"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, what was added is written, given up or still there, in order, also over
    /// starts.
    #[test]
    fn every_metric_is_accounted_for(
        actions in prop::collection::vec((0u8..5, 0usize..6), 0..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut buffer = open_unsynced(folder.path());
        let (mut added, mut gone) = (0, 0);
        for (action, size) in actions {
            match action {
                0 | 1 => {
                    add(&mut buffer, added..added + size as i64);
                    added += size as i64;
                }
                2 => {
                    let batch = buffer.begin(size).unwrap();
                    prop_assert!(numbers(&batch).is_sorted());
                    let end = buffer.end(batch.len(), Ok(()));
                    prop_assert_eq!(end.written, batch.len());
                    gone += end.written;
                }
                3 => {
                    let batch = buffer.begin(size).unwrap();
                    add(&mut buffer, added..added + 1);
                    added += 1;
                    // Every other one comes again, and one of the rest is given up.
                    let retry = (0..batch.len()).step_by(2).collect();
                    let reject = (batch.len() > 1).then(|| Rejection { index: 1, reason: "".into() });
                    let rejected: Vec<_> = reject.into_iter().collect();
                    let partial = WriteError::Partial { retry, rejected, source: "".into() };
                    let end = buffer.end(batch.len(), Err(partial));
                    prop_assert_eq!(end.kept, batch.len().div_ceil(2));
                    prop_assert_eq!(end.written + end.rejected.len() + end.kept, batch.len());
                    gone += end.written + end.rejected.len();
                }
                _ => {
                    // As after a kill.
                    drop(buffer);
                    buffer = open_unsynced(folder.path());
                }
            }
            prop_assert_eq!(buffer.held() + gone, added as usize);
            prop_assert_eq!(buffer.len(), buffer.held());
        }
        let left = buffer.close();
        prop_assert_eq!(left.count() as usize + gone, added as usize);
    }
}

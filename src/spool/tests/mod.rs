//! The spool held against what it promises.

mod faults;
mod limits;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::metric::Timestamp;
use crate::system::fake::FakeClock;
use crate::system::fake_files::{FakeFiles, Stop};

/// Two or three records fill a segment.
const SMALL: u64 = 64;

fn options() -> SpoolOptions {
    SpoolOptions { limits: Limits::DISK, sync: Sync::Never, segment_bytes: SMALL }
}

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(Timestamp::from_seconds(1_000_000)))
}

fn open_with(files: &FakeFiles, options: SpoolOptions) -> (Spool, CursorId) {
    let mut spool = Spool::open(Box::new(files.clone()), options, clock()).unwrap();
    let reader = spool.cursor("a", Start::Oldest);
    (spool, reader)
}

fn open(files: &FakeFiles) -> (Spool, CursorId) {
    open_with(files, options())
}

/// The bytes of the record with this number: their length tells records apart, too.
fn payload(number: u64) -> Vec<u8> {
    let mut payload = format!("record {number} ").into_bytes();
    payload.resize(payload.len() + (number % 5) as usize, b'.');
    payload
}

fn push(spool: &mut Spool, count: u64) {
    for _ in 0..count {
        let number = spool.next();
        spool.push(|out| out.extend_from_slice(&payload(number)));
    }
    spool.commit();
}

/// Takes out up to `most` records and checks what they hold.
fn read(spool: &mut Spool, reader: CursorId, most: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    let count = spool.read(reader, most, |number, bytes| {
        assert_eq!(bytes, payload(number), "record {number}");
        numbers.push(number);
    });
    assert_eq!(count.unwrap(), numbers.len());
    numbers
}

fn finish(spool: &mut Spool, reader: CursorId, numbers: &[u64]) {
    spool.finish(reader, numbers.iter().map(|number| *number..number + 1));
}

/// Reads and finishes everything.
fn drain(spool: &mut Spool, reader: CursorId) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let numbers = read(spool, reader, 3);
        finish(spool, reader, &numbers);
        if numbers.is_empty() {
            return all;
        }
        all.extend(numbers);
    }
}

fn range(range: Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn records_come_out_in_order_and_those_not_finished_come_again() {
    let files = FakeFiles::default();
    let (mut spool, reader) = open(&files);
    push(&mut spool, 10);
    assert_eq!(read(&mut spool, reader, 4), range(0..4));
    finish(&mut spool, reader, &[1, 2]);
    assert_eq!(spool.waiting(reader), 8);
    assert_eq!(read(&mut spool, reader, 4), [0, 3, 4, 5]);
    finish(&mut spool, reader, &[]);
    push(&mut spool, 2);
    assert_eq!(drain(&mut spool, reader), [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!((spool.waiting(reader), spool.take_notices()), (0, vec![]));
}

#[test]
fn a_spool_goes_on_after_a_start_where_it_was() {
    let files = FakeFiles::default();
    let (mut spool, reader) = open(&files);
    push(&mut spool, 10);
    read(&mut spool, reader, 9);
    finish(&mut spool, reader, &[0, 1, 2, 5, 7]);
    drop(spool);
    let (mut spool, reader) = open(&files);
    assert_eq!((spool.waiting(reader), spool.next()), (5, 10));
    push(&mut spool, 1);
    assert_eq!(drain(&mut spool, reader), [3, 4, 6, 8, 9, 10]);
    spool.close(|_, _| panic!("nothing is left"));
    assert_eq!(files.names(), ["a.cursor"]);
    assert_eq!(open(&files).0.next(), 11);
}

#[test]
fn a_segment_stays_until_every_reader_is_done_with_it() {
    let files = FakeFiles::default();
    let (mut spool, first) = open(&files);
    push(&mut spool, 20);
    let second = spool.cursor("b", Start::Oldest);
    let third = spool.cursor("c", Start::Newest);
    push(&mut spool, 20);
    assert_eq!(drain(&mut spool, first), range(0..40));
    assert_eq!(drain(&mut spool, third), range(20..40));
    let n_files = files.names().len();
    assert_eq!(drain(&mut spool, second), range(0..40));
    assert!(files.names().len() < n_files / 2, "{:?}", files.names());
    push(&mut spool, 20);
    spool.forget_others(&["a"]);
    assert_eq!(drain(&mut spool, first), range(40..60));
    spool.close(|_, _| ());
    assert_eq!(files.names(), ["a.cursor"]);
}

#[test]
fn a_record_larger_than_a_segment_and_the_window_is_kept_whole() {
    let files = FakeFiles::default();
    let (mut spool, reader) = open(&files);
    let large = vec![7; 3 * CHUNK_BYTES];
    spool.push(|out| out.extend_from_slice(&large));
    spool.push(|out| out.push(8));
    spool.commit();
    let mut sizes = Vec::new();
    spool.read(reader, 5, |_, bytes| sizes.push(bytes.len())).unwrap();
    assert_eq!(sizes, [large.len(), 1]);
    assert_eq!(spool.push(|_| ()), None);
}

#[test]
fn the_disk_is_waited_for_as_often_as_asked() {
    for (sync, is_kept_at_once, is_kept_later) in [
        (Sync::EveryGroup, true, true),
        (Sync::Within(Duration::from_secs(5)), false, true),
        (Sync::Never, false, false),
    ] {
        let files = FakeFiles::default();
        let clock = clock();
        let options = SpoolOptions { sync, ..options() };
        let mut spool = Spool::open(Box::new(files.clone()), options, clock.clone()).unwrap();
        push(&mut spool, 2);
        let is_kept = || {
            let (mut spool, reader) = open(&files.after(Stop::PowerLoss));
            read(&mut spool, reader, 9) == [0, 1]
        };
        assert_eq!(is_kept(), is_kept_at_once, "{sync:?}");
        clock.advance(Duration::from_secs(5));
        spool.sync_if_due();
        assert_eq!(is_kept(), is_kept_later, "{sync:?}");
    }
}

//! Processes that are killed, and files that are damaged.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::spool::segment::SEGMENT_HEADER;

/// What the world knows of a spool whose process has stopped.
#[derive(Debug, Default)]
struct World {
    /// Below this number everything was in files.
    safe_until: u64,
    pushed_until: u64,
    /// Those that a reader has finished.
    finished: BTreeSet<u64>,
    /// Those of them of which that was remembered.
    remembered: BTreeSet<u64>,
}

#[derive(Debug, Clone)]
enum Action {
    Push(u64),
    /// Takes so many out and finishes those whose bit is set.
    Write(usize, u64),
    Close,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (1u64..6).prop_map(Action::Push),
        3 => (1usize..8, any::<u64>()).prop_map(|(most, bits)| Action::Write(most, bits)),
        2 => (1usize..8).prop_map(|most| Action::Write(most, u64::MAX)),
        1 => Just(Action::Close),
    ]
}

/// Does these until the files stop.
fn act(files: &FakeFiles, sync: Sync, actions: &[Action]) -> World {
    let mut world = World::default();
    let options = SpoolOptions { sync, ..options() };
    let Ok(spool) = Spool::open(Box::new(files.clone()), options.clone(), clock()) else {
        return world;
    };
    let mut spool = spool;
    let mut reader = spool.cursor("a", Start::Oldest);
    for action in actions {
        match action {
            Action::Push(count) => {
                push(&mut spool, *count);
                world.pushed_until = spool.next();
                if !files.has_stopped() {
                    assert_eq!(spool.in_files_until(), spool.next());
                }
                let is_safe = sync != Sync::EveryGroup || !files.has_stopped();
                if is_safe {
                    world.safe_until = spool.in_files_until();
                }
            }
            Action::Write(most, bits) => {
                let numbers = read(&mut spool, reader, *most);
                let bit = |at: usize| bits >> (at % 64) & 1 == 1;
                let done = numbers.iter().enumerate().filter(|(at, _)| bit(*at));
                let done: Vec<u64> = done.map(|(_, number)| *number).collect();
                world.finished.extend(&done);
                finish(&mut spool, reader, &done);
                if !files.has_stopped() {
                    world.remembered.extend(&done);
                }
            }
            Action::Close => {
                spool.close(|_, _| ());
                let Ok(next) = Spool::open(Box::new(files.clone()), options.clone(), clock())
                else {
                    return world;
                };
                spool = next;
                reader = spool.cursor("a", Start::Oldest);
            }
        }
        if files.has_stopped() {
            break;
        }
    }
    world
}

/// Checks what the next process finds, and that it can go on.
fn check(files: &FakeFiles, world: &World, stop: Stop) {
    let (mut spool, reader) = open(&files.after(stop));
    let next = spool.next();
    push(&mut spool, 2);
    let found = drain(&mut spool, reader);
    assert!(found.is_sorted());
    let found: BTreeSet<u64> = found.into_iter().collect();
    assert!(found.contains(&next) && found.contains(&(next + 1)), "{found:?} {next}");
    for number in (0..world.safe_until).filter(|number| !world.finished.contains(number)) {
        assert!(found.contains(&number), "{number} is lost: {found:?} {world:?}");
    }
    assert!(found.iter().all(|number| *number < world.pushed_until.max(next) + 2));
    if stop == Stop::Kill {
        let again: Vec<_> = found.intersection(&world.remembered).collect();
        assert_eq!(again, Vec::<&u64>::new(), "{world:?}");
        let lost = spool.lost(reader);
        assert_eq!(lost, Lost::default(), "{world:?} {:?}", spool.take_notices());
    }
}

/// A little of everything.
const LIFE: [Action; 8] = [
    Action::Push(4),
    Action::Write(3, 0b101),
    Action::Push(5),
    Action::Write(4, u64::MAX),
    Action::Close,
    Action::Push(1),
    Action::Write(9, 0b1011),
    Action::Push(3),
];

#[test]
fn a_kill_at_every_byte_and_at_every_call_loses_nothing() {
    for steps in 0.. {
        let files = FakeFiles::default();
        files.stop_after(steps);
        let world = act(&files, Sync::Never, &LIFE);
        check(&files, &world, Stop::Kill);
        if !files.has_stopped() {
            assert!(steps > 500, "{steps}");
            break;
        }
    }
}

#[test]
fn a_loss_of_power_at_every_byte_and_at_every_call_loses_nothing_that_was_brought_to_the_disk() {
    for steps in 0.. {
        let files = FakeFiles::default();
        files.stop_after(steps);
        let world = act(&files, Sync::EveryGroup, &LIFE);
        check(&files, &world, Stop::PowerLoss);
        if !files.has_stopped() {
            break;
        }
    }
}

proptest! {
    #[test]
    fn no_kill_in_any_life_loses_anything(
        actions in prop::collection::vec(action(), 1..25),
        steps in 0usize..3000,
        sync in prop_oneof![Just(Sync::Never), Just(Sync::EveryGroup)],
    ) {
        let files = FakeFiles::default();
        files.stop_after(steps);
        let world = act(&files, sync, &actions);
        check(&files, &world, Stop::Kill);
        if sync == Sync::EveryGroup {
            check(&files, &world, Stop::PowerLoss);
        }
    }
}

/// A spool of twelve records in several segments, of which 0 and 2 are done with.
fn twelve() -> FakeFiles {
    let files = FakeFiles::default();
    let (mut spool, reader) = open(&files);
    push(&mut spool, 12);
    read(&mut spool, reader, 3);
    finish(&mut spool, reader, &[0, 2]);
    files
}

/// The records of each segment file.
fn segments(files: &FakeFiles) -> Vec<(String, Range<u64>)> {
    let names: Vec<_> =
        files.names().into_iter().filter(|name| name.ends_with(".segment")).collect();
    let firsts: Vec<_> = names.iter().filter_map(|name| Segment::first_of(name)).collect();
    let ends = firsts[1..].iter().copied().chain([12]);
    names.into_iter().zip(firsts.iter().copied().zip(ends).map(|(first, end)| first..end)).collect()
}

/// Damages a file, starts on it, and checks that what is lost is from that segment, is told, and
/// that all else is read.
fn damaged(name: &str, records: &Range<u64>, change: impl FnOnce(&mut Vec<u8>)) -> usize {
    let files = twelve();
    files.tamper(name, change);
    let (mut spool, reader) = open(&files);
    let found = drain(&mut spool, reader);
    let kept = found.iter().filter(|number| records.contains(number)).count();
    for number in [1, 3, 4, 5, 6, 7, 8, 9, 10, 11] {
        assert!(found.contains(&number) || records.contains(&number), "{number} {found:?}");
    }
    assert!(found.is_sorted_by(|a, b| a < b));
    let expected = records.clone().filter(|number| ![0, 2].contains(number)).count();
    let is_last = records.end == 12;
    let next = spool.next();
    push(&mut spool, 1);
    assert_eq!(drain(&mut spool, reader), [next]);
    if kept < expected {
        // How many records were behind the end of the last file nobody knows.
        assert!(is_last || spool.lost(reader).damaged as usize == expected - kept);
    }
    kept
}

#[test]
fn a_segment_that_is_cut_at_any_byte_keeps_all_records_before_it() {
    for (name, records) in segments(&twelve()) {
        let mut size = SEGMENT_HEADER;
        let starts: Vec<usize> = records
            .clone()
            .map(|number| {
                size += record::RECORD_HEADER + payload(number).len();
                size
            })
            .collect();
        for cut in 0..size {
            let kept = damaged(&name, &records, |bytes| bytes.truncate(cut));
            let whole = records.clone().zip(&starts).filter(|(number, end)| {
                **end <= cut && cut >= SEGMENT_HEADER && ![0, 2].contains(number)
            });
            assert_eq!(kept, whole.count(), "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_costs_the_rest_of_its_segment_at_most() {
    for (name, records) in segments(&twelve()) {
        let mut size = SEGMENT_HEADER;
        for number in records.clone() {
            size += record::RECORD_HEADER + payload(number).len();
        }
        for bit in 0..size * 8 {
            damaged(&name, &records, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        }
    }
}

#[test]
fn a_damaged_segment_is_kept_for_people_to_look_at() {
    let files = twelve();
    let (name, _) = segments(&files).remove(1);
    files.tamper(&name, |bytes| bytes[30] ^= 1);
    let (mut spool, reader) = open(&files);
    drain(&mut spool, reader);
    let notices = spool.take_notices();
    assert!(
        matches!(&notices[..], [Notice::Unreadable { file, .. }] if *file == name),
        "{notices:?}"
    );
    assert!(files.names().contains(&format!("{name}.damaged")), "{:?}", files.names());
}

#[test]
fn a_torn_end_is_cut_off_and_told_once() {
    let files = FakeFiles::default();
    push(&mut open(&files).0, 2);
    let (name, _) = segments(&files).remove(0);
    files.tamper(&name, |bytes| bytes.extend_from_slice(&[9, 0, 0, 0, 1]));
    let mut spool = open(&files).0;
    assert_eq!(spool.take_notices(), [Notice::Torn { file: name, bytes: 5 }]);
    drop(spool);
    let (mut spool, reader) = open(&files);
    assert_eq!((drain(&mut spool, reader), spool.take_notices()), (vec![0, 1], vec![]));
}

#[test]
fn a_segment_that_is_gone_is_told_and_the_rest_is_read() {
    let files = twelve();
    let (name, records) = segments(&files).remove(1);
    let mut tampered = files.clone();
    tampered.remove(&name).unwrap();
    let (mut spool, reader) = open(&files);
    let found = drain(&mut spool, reader);
    assert!(found.contains(&11) && !found.iter().any(|number| records.contains(number)));
    assert_eq!(spool.lost(reader).damaged, records.end - records.start);
}

#[test]
fn a_segment_that_goes_while_the_spool_is_open_is_told_and_the_rest_is_read() {
    let mut files = FakeFiles::default();
    let (mut spool, reader) = open(&files);
    push(&mut spool, 12);
    let (name, records) = segments(&files).remove(1);
    files.remove(&name).unwrap();
    let found = drain(&mut spool, reader);
    assert_eq!(found, (0..12).filter(|number| !records.contains(number)).collect::<Vec<_>>());
    assert_eq!(spool.lost(reader).damaged, records.end - records.start);
    let records = records.end - records.start;
    assert_eq!(spool.take_notices(), [Notice::Unreadable { file: name, records }]);
}

#[test]
fn a_damaged_file_of_a_reader_costs_repetition_only() {
    let files = twelve();
    files.tamper("a.cursor", |bytes| bytes[9] ^= 1);
    let (mut spool, reader) = open(&files);
    assert_eq!(drain(&mut spool, reader), range(0..12));
    assert_eq!(spool.take_notices(), [Notice::CursorLost { file: "a.cursor".into() }]);
}

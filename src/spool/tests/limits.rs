//! Where there is no more room.

use super::*;

fn limited(limits: Limits) -> (FakeFiles, Spool, CursorId) {
    let files = FakeFiles::default();
    let (spool, reader) = open_with(&files, SpoolOptions { limits, ..options() });
    (files, spool, reader)
}

#[test]
fn beyond_the_limit_of_records_the_oldest_go_but_not_those_that_are_out() {
    let (_, mut spool, reader) = limited(Limits { records: Some(5), ..Limits::DISK });
    push(&mut spool, 7);
    assert_eq!((spool.waiting(reader), spool.lost(reader).overflow), (5, 2));
    assert_eq!(read(&mut spool, reader, 2), [2, 3]);
    push(&mut spool, 3);
    assert_eq!(spool.lost(reader).overflow, 3);
    finish(&mut spool, reader, &[3]);
    assert_eq!((spool.waiting(reader), spool.lost(reader).overflow), (5, 4));
    assert_eq!(drain(&mut spool, reader), range(5..10));
}

#[test]
fn beyond_the_limit_of_bytes_whole_segments_go() {
    let (files, mut spool, reader) = limited(Limits { bytes: Some(300), ..Limits::DISK });
    for _ in 0..50 {
        push(&mut spool, 1);
        assert!(spool.size_bytes() <= 300);
    }
    let lost = spool.lost(reader).overflow;
    assert_eq!(lost + spool.waiting(reader), 50);
    assert!(files.names().len() > 2, "{:?}", files.names());
    assert_eq!(drain(&mut spool, reader), range(lost..50));
}

#[test]
fn new_records_are_refused_where_they_are_to_give_way() {
    let refuse = Limits { overflow: Overflow::Refuse, ..Limits::DISK };
    for limits in [
        Limits { records: Some(5), ..refuse.clone() },
        Limits { bytes: Some(160), ..refuse.clone() },
    ] {
        let (_, mut spool, reader) = limited(limits);
        push(&mut spool, 12);
        let taken = spool.next();
        assert!((5..=7).contains(&taken), "{taken}");
        assert_eq!(read(&mut spool, reader, 2), [0, 1]);
        assert_eq!(spool.push(|out| out.push(1)), None);
        finish(&mut spool, reader, &[0, 1]);
        assert_eq!(spool.lost(reader), Lost::default());
        drain(&mut spool, reader);
        push(&mut spool, 1);
        assert_eq!(drain(&mut spool, reader), [taken]);
    }
}

#[test]
fn what_is_too_old_when_it_is_read_is_left_out() {
    let files = FakeFiles::default();
    let limits = Limits { age: Some(Duration::from_secs(60)), ..Limits::DISK };
    let clock = clock();
    let mut spool =
        Spool::open(Box::new(files.clone()), SpoolOptions { limits, ..options() }, clock.clone())
            .unwrap();
    let reader = spool.cursor("a", Start::Oldest);
    push(&mut spool, 10);
    clock.advance(Duration::from_secs(59));
    push(&mut spool, 10);
    assert_eq!(read(&mut spool, reader, 3), [0, 1, 2]);
    finish(&mut spool, reader, &[1]);
    clock.advance(Duration::from_secs(2));
    assert_eq!(drain(&mut spool, reader), range(10..20));
    assert_eq!(spool.lost(reader), Lost { expired: 9, ..Lost::default() });
}

#[test]
fn while_the_disk_is_full_records_wait_in_memory_and_go_to_the_disk_later() {
    let (files, mut spool, reader) = limited(Limits::DISK);
    push(&mut spool, 3);
    files.set_capacity(Some(200));
    push(&mut spool, 20);
    let in_files = spool.in_files_until();
    assert!((3..23).contains(&in_files), "{in_files}");
    assert_eq!(
        spool.take_notices(),
        [Notice::InMemory { error: "no space left on device".into() }]
    );
    assert_eq!(read(&mut spool, reader, 30), range(0..23));
    finish(&mut spool, reader, &[22]);
    files.set_capacity(None);
    push(&mut spool, 1);
    assert_eq!(spool.in_files_until(), 24);
    let notices = spool.take_notices();
    assert_eq!(notices.last(), Some(&Notice::BackOnDisk { records: 24 - in_files }));
    drop(spool);
    let (mut spool, reader) = open(&files);
    assert_eq!(drain(&mut spool, reader), [range(0..22), vec![23]].concat());
    assert_eq!(spool.take_notices(), []);
}

#[test]
fn a_full_disk_is_emptied_by_reading() {
    let (files, mut spool, reader) = limited(Limits::DISK);
    push(&mut spool, 30);
    let taken: u64 = files.list().unwrap().iter().map(|(_, size)| size).sum();
    files.set_capacity(Some(taken as usize));
    push(&mut spool, 5);
    assert_eq!(drain(&mut spool, reader), range(0..35));
    push(&mut spool, 5);
    assert_eq!(spool.in_files_until(), 40);
    spool.close(|_, _| panic!("everything is in files"));
}

#[test]
fn memory_is_limited_while_the_disk_takes_nothing() {
    for overflow in [Overflow::DropOldest, Overflow::Refuse] {
        let limits = Limits { memory_bytes: 200, overflow, ..Limits::DISK };
        let (files, mut spool, reader) = limited(limits);
        push(&mut spool, 4);
        files.set_capacity(Some(0));
        for _ in 0..50 {
            push(&mut spool, 1);
            assert!(spool.staged.size() <= 200);
        }
        let lost = spool.lost(reader).overflow;
        match overflow {
            Overflow::DropOldest => {
                assert_eq!((spool.next(), lost + spool.waiting(reader)), (54, 54))
            }
            Overflow::Refuse => assert!(spool.next() < 20 && lost == 0),
        }
        let left = range(lost..spool.next());
        assert_eq!(read(&mut spool, reader, 99), left);
        let mut in_memory = 0;
        spool.close(|_, _| in_memory += 1);
        assert!(in_memory > 0);
    }
}

//! Letters to outputs that take them, refuse them, or are away.

use crossbeam_channel::{bounded, never};

use super::*;
use crate::metric::{Timestamp, Value};
use crate::plugin::{PluginError, Rejection};
use crate::system::fake::FakeClock;

struct Names;

impl Serializer for Names {
    fn serialize(&mut self, metric: &Metric, out: &mut Vec<u8>) -> Result<(), PluginError> {
        let Some(Value::Integer(n)) = metric.field("n") else { return Err("no number".into()) };
        out.extend_from_slice(format!("m n={n}i {}\n", metric.time.nanos()).as_bytes());
        Ok(())
    }
}

type Answer = fn(&[i64]) -> Result<(), WriteError>;

struct Fake {
    name: &'static str,
    id: &'static str,
    answer: Answer,
    offered: Vec<Vec<i64>>,
}

impl Fake {
    fn new(name: &'static str, id: &'static str, answer: Answer) -> Fake {
        Fake { name, id, answer, offered: Vec::new() }
    }
}

impl Recipient for Fake {
    fn name(&self) -> &str {
        self.name
    }

    fn id(&self) -> &str {
        self.id
    }

    fn batch_size(&self) -> usize {
        2
    }

    fn offer(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        let numbers: Vec<i64> = batch
            .iter()
            .map(|metric| match metric.field("n") {
                Some(Value::Integer(number)) => *number,
                other => panic!("{other:?}"),
            })
            .collect();
        let answer = (self.answer)(&numbers);
        self.offered.push(numbers);
        answer
    }
}

fn line(output: &str, number: i64) -> String {
    let metric = Metric::new("m", Timestamp::EPOCH).with_field("n", number);
    let letter = letter(&metric, &mut Names, output, "old", "too large", Timestamp::EPOCH);
    let mut line = Vec::new();
    push_line(&letter, &mut line);
    String::from_utf8(line).unwrap()
}

fn takes(_: &[i64]) -> Result<(), WriteError> {
    Ok(())
}

fn is_away(_: &[i64]) -> Result<(), WriteError> {
    Err(WriteError::retry("nobody there"))
}

fn refuses_two(numbers: &[i64]) -> Result<(), WriteError> {
    let rejected: Vec<_> = (0..numbers.len())
        .filter(|at| numbers[*at] == 2)
        .map(|index| Rejection { index, reason: "still too large".into() })
        .collect();
    match rejected.is_empty() {
        true => Ok(()),
        false => Err(WriteError::Partial { retry: Vec::new(), rejected, source: "1 of 2".into() }),
    }
}

/// Replays a text and returns the numbers and what was put back.
fn replay(recipients: &mut [Fake], only: Option<usize>, text: &str) -> (Replayed, String) {
    let clock = FakeClock::at(Timestamp::EPOCH);
    let (_running, stopped) = bounded(0);
    let mut left = Vec::new();
    let mut replay =
        Replay { recipients, only, serializer: Box::new(Names), clock: &clock, stopped: &stopped };
    let replayed = std::thread::scope(|scope| {
        let (done, over) = bounded::<()>(0);
        let clock = &clock;
        scope.spawn(move || {
            // The pauses pass as soon as they are waited for.
            while !over.try_recv().is_err_and(|error| error.is_disconnected()) {
                clock.advance(PAUSE);
                std::thread::yield_now();
            }
        });
        let replayed = replay.file("f", text.as_bytes(), |lines| {
            left.extend_from_slice(lines);
            Ok(())
        });
        drop(done);
        replayed
    });
    (replayed.unwrap(), String::from_utf8(left).unwrap())
}

#[test]
fn each_metric_goes_to_the_output_that_gave_it_up() {
    let text =
        [line("outputs.a", 1), line("outputs.b", 2), line("outputs.a", 3), line("outputs.a", 4)];
    let mut recipients = [Fake::new("outputs.a", "1", takes), Fake::new("outputs.b", "2", takes)];
    let (replayed, left) = replay(&mut recipients, None, &text.concat());
    assert_eq!(replayed, Replayed { sent: 4, ..Replayed::default() });
    assert!(replayed.is_all_sent() && left.is_empty());
    assert_eq!(recipients[0].offered, [vec![1, 3], vec![4]]);
    assert_eq!(recipients[1].offered, [vec![2]]);

    let mut recipients = [Fake::new("outputs.a", "1", takes), Fake::new("outputs.b", "2", takes)];
    replay(&mut recipients, Some(1), &text.concat());
    assert_eq!(recipients[1].offered, [vec![1, 2], vec![3, 4]]);
}

#[test]
fn what_is_refused_again_stays_with_the_new_reason() {
    let text = [line("outputs.a", 1), line("outputs.a", 2), line("outputs.a", 3)].concat();
    let (replayed, left) = replay(&mut [Fake::new("outputs.a", "new", refuses_two)], None, &text);
    assert_eq!(replayed, Replayed { sent: 2, rejected: 1, ..Replayed::default() });
    let letter: DeadLetter<'_> = serde_json::from_str(&left).unwrap();
    assert_eq!((&*letter.reason, &*letter.id), ("still too large", "new"));
    assert_eq!(letter.metric.unwrap(), "m n=2i 0");
}

#[test]
fn what_could_not_be_sent_stays_as_it_is() {
    let text = [line("outputs.a", 1), line("outputs.a", 2), line("outputs.a", 3)].concat();
    let mut recipients = [Fake::new("outputs.a", "1", is_away)];
    let (replayed, left) = replay(&mut recipients, None, &text);
    assert_eq!(replayed, Replayed { unsent: 3, ..Replayed::default() });
    assert_eq!(left, text);
    // The second batch is not offered any more.
    assert_eq!(recipients[0].offered, vec![vec![1, 2]; TRIES]);

    let strange = ["{\"time\":1}\n", &line("outputs.x", 1), "torn"].concat();
    let (replayed, left) = replay(&mut [Fake::new("outputs.a", "1", takes)], None, &strange);
    assert_eq!(replayed, Replayed { unsent: 1, damaged: 2, ..Replayed::default() });
    assert_eq!(left, strange + "\n");
}

#[test]
fn a_stop_leaves_the_rest_where_it_is() {
    let clock = FakeClock::at(Timestamp::EPOCH);
    let (running, stopped) = bounded(0);
    drop(running);
    let mut recipients = [Fake::new("outputs.a", "1", takes)];
    let mut replay = Replay {
        recipients: &mut recipients,
        only: None,
        serializer: Box::new(Names),
        clock: &clock,
        stopped: &stopped,
    };
    let mut left = Vec::new();
    let text = line("outputs.a", 1);
    let put_back = |lines: &[u8]| {
        left.extend_from_slice(lines);
        Ok(())
    };
    let replayed = replay.file("f", text.as_bytes(), put_back).unwrap();
    assert_eq!((replayed.unsent, left), (1, text.into_bytes()));
}

#[test]
fn a_rest_that_cannot_be_put_back_is_an_error() {
    let clock = FakeClock::at(Timestamp::EPOCH);
    let mut replay = Replay {
        recipients: &mut [Fake::new("outputs.a", "1", takes)],
        only: None,
        serializer: Box::new(Names),
        clock: &clock,
        stopped: &never(),
    };
    let full = |_: &[u8]| Err(io::Error::from(io::ErrorKind::StorageFull));
    let error = replay.file("f", &b"torn"[..], full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn outputs_are_found_by_all_their_names() {
    let outputs = [
        Fake::new("outputs.kafka", "1", takes),
        Fake::new("outputs.kafka", "2", takes),
        Fake::new("outputs.kafka::west", "3", takes),
        Fake::new("outputs.file", "4", takes),
    ];
    let unknown = |name: &str| Err(Unaddressed::Unknown(name.to_owned()));
    let ambiguous = |name: &str| Err(Unaddressed::Ambiguous(name.to_owned()));
    for (name, id, found) in [
        ("outputs.file", None, Ok(3)),
        ("file", None, Ok(3)),
        ("outputs.kafka::west", Some("9"), Ok(2)),
        ("kafka::west", None, Ok(2)),
        ("west", None, Ok(2)),
        ("outputs.kafka", Some("2"), Ok(1)),
        ("outputs.kafka", Some("9"), ambiguous("outputs.kafka")),
        ("kafka", None, ambiguous("kafka")),
        ("east", None, unknown("east")),
    ] {
        assert_eq!(find(&outputs, name, id), found, "{name} {id:?}");
    }
}

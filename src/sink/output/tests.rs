//! What goes to which file, and that it stands there once whatever happens.

use std::collections::BTreeMap;
use std::path::Path;

use crossbeam_channel::{Receiver, unbounded};
use proptest::prelude::*;

use super::*;
use crate::sink::files::rotation::Rotation;
use crate::sink::files::template::Template;
use crate::sink::ownership::{Committed, History, StoreId};
use crate::sink::rows::RowSettings;
use crate::sink::settings::Fsync;
use crate::sink::unsettled;
use crate::system::fake::FakeClock;

const WRITER: Writer = Writer { store: StoreId::SAMPLE, thread: 0 };

/// A folder, and what an output in it is told.
struct Scene {
    folder: tempfile::TempDir,
    settings: Settings,
    clock: Arc<FakeClock>,
    ended: Option<Receiver<PathBuf>>,
}

impl Scene {
    fn new(settings: Settings) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            output_dir: folder.path().to_owned(),
            threads: 1,
            topics: vec!["t".to_owned()],
            fsync: Fsync::Never,
            ..settings
        };
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(1_592_577_000)));
        Scene { folder, settings, clock, ended: None }
    }

    fn csv() -> Scene {
        let format = Format::Csv(RowSettings::default());
        let mut settings = Settings { format, ..Settings::default() };
        settings.files.template = Template::default().with_measurement();
        Scene::new(settings)
    }

    /// An output as a start makes it.
    fn start(&mut self) -> Output {
        let (ended_files, ended) = unbounded();
        self.ended = Some(ended);
        let shared = Shared {
            settings: Arc::new(self.settings.clone()),
            names: Names::new(self.folder.path().to_owned()),
            ended_files,
            clock: self.clock.clone(),
        };
        let mut output = Output::new("consumer-thread-0".to_owned(), WRITER, shared);
        output.open_first().unwrap();
        let open = output.paths();
        let folder = self.folder.path();
        let mut found = unsettled::find(folder, WRITER.store, &self.settings, &open).unwrap();
        output.take_in(found.take_of(0));
        output
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of all files that are not hidden.
    fn names(&self) -> Vec<String> {
        let mut names = Names::new(self.folder.path().to_owned()).list().unwrap();
        names.sort();
        names
    }
}

fn push(output: &mut Output, offset: i64, value: &str) {
    output.push(&RecordView::made_up("t", 0, offset, value.as_bytes(), Some(0)));
}

fn committed(offset: i64) -> CommittedOffsets {
    let history = Some(History::begin(WRITER, 0));
    let partition = Partition { topic: "t".into(), number: 0 };
    CommittedOffsets::from([(
        partition,
        Committed { offset: Some(offset), history, ..Committed::default() },
    )])
}

/// Writes, flushes and confirms.
fn commit(output: &mut Output) {
    output.write().unwrap();
    let number = output.flush().unwrap();
    output.confirmed(number);
}

#[test]
fn a_batch_is_full_by_records_or_by_bytes() {
    let settings = Settings { batch_records: 3, batch_bytes: 20, ..Settings::default() };
    let mut output = Scene::new(settings).start();
    for (offset, is_full) in [(0, false), (1, false), (2, true)] {
        push(&mut output, offset, "a");
        assert_eq!(output.is_full(), is_full);
    }
    assert_eq!(output.write().unwrap(), Written { records: 3, bytes: 6 });
    assert!(!output.is_full());
    push(&mut output, 3, &"x".repeat(20));
    assert!(output.is_full());
}

#[test]
fn a_file_that_was_moved_away_is_left_for_a_new_one_and_settled_all_the_same() {
    let mut scene = Scene::new(Settings::default());
    let mut output = scene.start();
    push(&mut output, 0, "one");
    output.write().unwrap();
    let number = output.flush().unwrap();
    fs::rename(output.path(), scene.path("moved")).unwrap();
    assert_eq!(output.place(), Place::Moved);
    output.leave_moved().unwrap();
    push(&mut output, 1, "two");
    output.write().unwrap();
    assert!(output.flush().unwrap() > number);
    assert_eq!(scene.text("moved"), "one\n");
    assert_eq!(scene.text("consumer-thread-0.csv"), "two\n");
    assert_eq!(output.settle(&committed(0)).unwrap().len(), 2);
    assert_eq!(scene.text("moved"), "");
    assert_eq!(scene.text("consumer-thread-0.csv"), "");
}

#[test]
fn only_what_was_not_flushed_is_taken_back() {
    let mut scene = Scene::new(Settings::default());
    let mut output = scene.start();
    push(&mut output, 0, "kept");
    output.write().unwrap();
    output.flush().unwrap();
    push(&mut output, 1, "taken back");
    output.write().unwrap();
    output.take_back_open().unwrap();
    assert_eq!(scene.text("consumer-thread-0.csv"), "kept\n");
}

#[test]
fn what_cannot_be_written_to_one_file_is_in_none_and_waits() {
    let mut scene = Scene::csv();
    let letters = scene.path("consumer-thread-0.dead-letters.jsonl");
    std::os::unix::fs::symlink("/dev/full", &letters).unwrap();
    let mut output = scene.start();
    push(&mut output, 0, "cpu a=1");
    commit(&mut output);
    push(&mut output, 1, "cpu a=2");
    push(&mut output, 2, "no metric");
    for _ in 0..2 {
        let error = output.write().unwrap_err().to_string();
        assert!(error.contains("No space left"), "{error}");
        assert_eq!(output.waiting(), 2);
        assert_eq!(scene.text("consumer-thread-0.cpu.csv").lines().count(), 2);
    }
    fs::remove_file(&letters).unwrap();
    output.leave_moved().unwrap();
    commit(&mut output);
    assert_eq!(scene.text("consumer-thread-0.cpu.csv").lines().count(), 3);
    assert_eq!(fs::read_to_string(&letters).unwrap().lines().count(), 1);
}

#[test]
fn rows_stand_below_headers_and_what_is_no_metric_beside_them() {
    let mut scene = Scene::csv();
    let mut output = scene.start();
    push(&mut output, 0, "cpu,host=a idle=1i 0\nmem used=2 0\ncpu,host=b idle=3i 0\n");
    push(&mut output, 1, "not line protocol");
    push(&mut output, 2, "cpu,host=c idle=4i,user=5i 0");
    commit(&mut output);
    assert_eq!(
        scene.names(),
        [
            "consumer-thread-0.cpu+2.csv",
            "consumer-thread-0.cpu.csv",
            "consumer-thread-0.dead-letters.jsonl",
            "consumer-thread-0.mem.csv",
        ]
    );
    let time = "1970-01-01T00:00:00.000000000Z";
    assert_eq!(
        scene.text("consumer-thread-0.cpu.csv"),
        format!("time,measurement,host,idle\n{time},cpu,a,1\n{time},cpu,b,3\n")
    );
    assert_eq!(
        scene.text("consumer-thread-0.cpu+2.csv"),
        format!("time,measurement,host,idle,user\n{time},cpu,c,4,5\n")
    );
    let letter = scene.text("consumer-thread-0.dead-letters.jsonl");
    assert!(letter.contains("\"offset\":1") && letter.contains("not line protocol"), "{letter}");
}

#[test]
fn a_restart_goes_on_with_the_newest_file_of_a_measurement() {
    let mut scene = Scene::csv();
    let mut output = scene.start();
    push(&mut output, 0, "cpu a=1 0");
    push(&mut output, 1, "cpu b=1 0");
    commit(&mut output);
    output.end();
    drop(output);
    let mut output = scene.start();
    output.settle(&committed(2)).unwrap();
    push(&mut output, 2, "cpu a=2,b=2 0");
    push(&mut output, 3, "cpu c=1 0");
    commit(&mut output);
    let names: Vec<_> = ["", "+2", "+3"].map(|it| format!("consumer-thread-0.cpu{it}.csv")).into();
    let lines: Vec<_> = names.iter().map(|name| scene.text(name).lines().count()).collect();
    assert_eq!(lines, [2, 3, 2]);
}

#[test]
fn what_was_not_committed_goes_from_all_files_and_headers_stay() {
    let mut scene = Scene::csv();
    let mut output = scene.start();
    push(&mut output, 0, "cpu a=1 0\nmem a=1 0");
    commit(&mut output);
    push(&mut output, 1, "cpu a=2 0\nmem a=2 0\ndisk a=2 0");
    output.write().unwrap();
    output.flush().unwrap();
    drop(output);
    let mut output = scene.start();
    assert_eq!(output.settle(&committed(1)).unwrap().len(), 3);
    for (name, lines) in [("cpu", 2), ("mem", 2), ("disk", 1)] {
        let text = scene.text(&format!("consumer-thread-0.{name}.csv"));
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(text.starts_with("time,measurement,a\n"), "{text}");
    }
}

#[test]
fn a_file_that_has_ended_gets_its_name_when_all_in_it_is_committed() {
    let mut scene = Scene::new(Settings::default());
    scene.settings.files.template =
        Template::parse("{topic}-{partition}.{first}-{last}.txt").unwrap();
    scene.settings.files.rotation = Rotation { size: Some(4), ..Rotation::default() };
    let mut output = scene.start();
    push(&mut output, 7, "one");
    push(&mut output, 8, "two");
    output.write().unwrap();
    assert_eq!(scene.names(), ["t-0.7-_.txt.open"]);
    output.end_due_files();
    let number = output.flush().unwrap();
    push(&mut output, 9, "three");
    output.write().unwrap();
    assert_eq!(scene.names(), ["t-0.7-_.txt.open", "t-0.9-_.txt.open"]);
    output.confirmed(number);
    assert_eq!(scene.names(), ["t-0.7-8.txt", "t-0.9-_.txt.open"]);
    assert!(journal_path(&scene.path("t-0.7-8.txt")).exists());
    assert!(!journal_path(&scene.path("t-0.7-_.txt.open")).exists());
    let ended: Vec<_> = scene.ended.as_ref().unwrap().try_iter().collect();
    assert_eq!(ended, [scene.path("t-0.7-8.txt")]);
    // What is not committed keeps its name, and the next start goes on with it.
    drop(output);
    let mut output = scene.start();
    output.settle(&committed(9)).unwrap();
    push(&mut output, 9, "three");
    commit(&mut output);
    assert_eq!(scene.names(), ["t-0.7-8.txt", "t-0.9-_.txt.open"]);
    assert_eq!(scene.text("t-0.9-_.txt.open"), "three\n");
    output.end_due_files();
    assert_eq!(scene.names(), ["t-0.7-8.txt", "t-0.9-9.txt"]);
}

#[test]
fn files_end_when_their_time_is_over_or_nothing_comes() {
    use crate::sink::files::period::Interval;
    let hour = std::time::Duration::from_secs(3600);
    let mut scene = Scene::new(Settings::default());
    scene.settings.files.template = Template::parse("{date}T{hour}").unwrap();
    let interval = Interval::new(hour, jiff::tz::TimeZone::UTC).unwrap();
    scene.settings.files.rotation =
        Rotation { interval: Some(interval), idle: Some(hour / 4), ..Rotation::default() };
    let mut output = scene.start();
    push(&mut output, 0, "at half past two");
    commit(&mut output);
    scene.clock.advance(hour / 4);
    output.end_due_files();
    assert_eq!(scene.names(), ["2020-06-19T14.csv"]);
    push(&mut output, 1, "at quarter to three");
    commit(&mut output);
    assert_eq!(scene.names(), ["2020-06-19T14+2.csv.open", "2020-06-19T14.csv"]);
    scene.clock.advance(hour / 5);
    push(&mut output, 2, "before three");
    commit(&mut output);
    scene.clock.advance(hour / 20);
    output.end_due_files();
    push(&mut output, 3, "after three");
    commit(&mut output);
    assert_eq!(
        scene.names(),
        ["2020-06-19T14+2.csv", "2020-06-19T14.csv", "2020-06-19T15.csv.open"]
    );
}

#[test]
fn what_another_run_has_left_open_under_another_name_gets_its_own() {
    let mut scene = Scene::new(Settings::default());
    scene.settings.files.rotation = Rotation { size: Some(100), ..Rotation::default() };
    let mut output = scene.start();
    push(&mut output, 0, "one");
    commit(&mut output);
    drop(output);
    assert_eq!(scene.names(), ["consumer-thread-0.csv.open"]);
    scene.settings.files.template = Template::parse("{topic}").unwrap();
    let mut output = scene.start();
    output.settle(&committed(1)).unwrap();
    assert_eq!(scene.names(), ["consumer-thread-0.csv"]);
    // And without rotation.
    push(&mut output, 1, "two");
    commit(&mut output);
    drop(output);
    scene.settings.files.rotation = Rotation::default();
    let mut output = scene.start();
    output.settle(&committed(2)).unwrap();
    assert_eq!(scene.text("t.csv"), "two\n");
}

#[test]
fn a_file_that_cannot_be_begun_leaves_nothing_behind() {
    let mut scene = Scene::csv();
    let mut output = scene.start();
    // Its journal cannot be made.
    let journal = journal_path(&scene.path("consumer-thread-0.cpu.csv"));
    fs::create_dir(&journal).unwrap();
    push(&mut output, 0, "cpu a=1 0");
    for _ in 0..3 {
        assert!(output.write().is_err());
        assert_eq!(scene.names(), [] as [&str; 0]);
    }
    fs::remove_dir(&journal).unwrap();
    commit(&mut output);
    assert_eq!(scene.names(), ["consumer-thread-0.cpu.csv"]);
}

/// What happens to an output.
#[derive(Debug, Clone)]
enum Event {
    Read(Vec<u8>),
    Write,
    Flush,
    /// The commit of the last flush is accepted.
    Confirm,
    TakeBack,
    EndDue,
    /// The process is killed; what was flushed last was committed or not.
    Kill {
        is_committed: bool,
    },
    /// It ends in order, and is started again.
    Stop,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..6).prop_map(Event::Read),
        4 => Just(Event::Write),
        3 => Just(Event::Flush),
        3 => Just(Event::Confirm),
        1 => Just(Event::TakeBack),
        2 => Just(Event::EndDue),
        1 => any::<bool>().prop_map(|is_committed| Event::Kill { is_committed }),
        1 => Just(Event::Stop),
    ];
    prop::collection::vec(event, 1..40)
}

/// A record of one of several kinds, which tells its offset in each of its rows.
fn record(kind: u8, offset: i64) -> String {
    match kind % 6 {
        0 => format!("cpu n={offset} 0"),
        1 => format!("mem n={offset} 0"),
        2 => format!("cpu n={offset} 0\nmem n={offset} 0\ncpu n={offset} 0"),
        3 => format!("cpu n={offset},wide{}=1 0", kind / 6 % 4),
        4 => format!("no metric n={offset}= at all"),
        _ => format!("disk n={offset} 0\nno metric n={offset}= at all"),
    }
}

/// How many rows or letters there are of each offset.
fn counted(folder: &Path) -> BTreeMap<i64, usize> {
    let mut found = BTreeMap::new();
    for name in Names::new(folder.to_owned()).list().unwrap() {
        let bytes = fs::read(folder.join(&name)).unwrap();
        assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{name} is torn");
        if name.contains("dead-letters") {
            for letter in crate::kafka::dead_letters::Letters::new(bytes.as_slice()) {
                *found.entry(letter.unwrap().letter.offset).or_default() += 1;
            }
            continue;
        }
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let column = reader.headers().unwrap().iter().position(|name| name == "n").unwrap();
        for row in reader.records() {
            *found.entry(row.unwrap()[column].parse().unwrap()).or_default() += 1;
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn each_record_stands_once_in_all_its_files_whatever_happens(
        events in events(),
        size in prop::option::of(30_u64..200),
    ) {
        let mut scene = Scene::csv();
        scene.settings.files.rotation = Rotation { size, ..Rotation::default() };
        let mut output = scene.start();
        let mut kinds: Vec<u8> = Vec::new();
        // Where the group has come to, where the last flush has, and what was read.
        let (mut confirmed, mut flushed, mut read) = (0, None::<(u64, i64)>, 0);
        let mut written = 0;
        for event in events {
            match event {
                Event::Read(more) => {
                    for kind in more {
                        if usize::try_from(read).unwrap() == kinds.len() {
                            kinds.push(kind);
                        }
                        push(&mut output, read, &record(kinds[usize::try_from(read).unwrap()], read));
                        read += 1;
                    }
                }
                Event::Write => {
                    output.write().unwrap();
                    written = read;
                }
                Event::Flush => {
                    // One commit at a time is under way.
                    if flushed.is_none() {
                        flushed = Some((output.flush().unwrap(), written));
                    }
                }
                Event::Confirm => {
                    if let Some((number, upto)) = flushed.take() {
                        output.confirmed(number);
                        confirmed = upto;
                    }
                }
                Event::TakeBack => {
                    output.drop_batch();
                    output.take_back_open().unwrap();
                    read = flushed.map_or(confirmed, |(_, upto)| upto);
                    written = read;
                }
                Event::EndDue => output.end_due_files(),
                Event::Kill { is_committed } => {
                    if let Some((_, upto)) = flushed.take()
                        && is_committed
                    {
                        confirmed = upto;
                    }
                    drop(output);
                    output = scene.start();
                    output.settle(&committed(confirmed)).unwrap();
                    (read, written) = (confirmed, confirmed);
                }
                Event::Stop => {
                    output.write().unwrap();
                    let number = output.flush().unwrap();
                    output.confirmed(number);
                    (confirmed, flushed) = (read, None);
                    output.end();
                    drop(output);
                    output = scene.start();
                    output.settle(&committed(confirmed)).unwrap();
                    (read, written) = (confirmed, confirmed);
                }
            }
        }
        output.write().unwrap();
        let number = output.flush().unwrap();
        output.confirmed(number);
        let findings = output.take_findings();
        prop_assert!(findings.iter().all(|found| found.doubtful_records() == 0), "{:?}", findings);
        let expected: BTreeMap<i64, usize> = (0..read)
            .map(|offset| {
                let kind = kinds[usize::try_from(offset).unwrap()] % 6;
                (offset, if kind == 2 { 3 } else { 1 })
            })
            .collect();
        prop_assert_eq!(counted(scene.folder.path()), expected);
    }
}

//! Programs that are started, talked to, and ended.

use std::io::Read;

use crossbeam_channel::{Receiver, unbounded};

use super::*;
use crate::metric::Timestamp;
use crate::system::RealClock;
use crate::system::fake::FakeClock;

/// Far beyond what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

fn sh(script: &str, on_failure: OnFailure) -> Settings {
    Settings {
        command: ["sh", "-c", script].map(String::from).to_vec(),
        environment: vec!["COLOUR=blue".into(), "broken".into()],
        restart_delay: Duration::from_secs(10),
        on_failure,
    }
}

/// Starts a program; what it writes comes as lines, those of standard error with a `!` before.
fn start(settings: Settings, clock: Arc<dyn Clock>) -> (Process, Receiver<String>) {
    let (sender, lines) = unbounded();
    let reader = |mark: &'static str| -> Reader {
        let sender = sender.clone();
        Box::new(move |input: &mut dyn Read| {
            for_each_line(input, 1 << 20, |line| {
                let _ = sender.send(format!("{mark}{}", String::from_utf8_lossy(line)));
            })
            .unwrap();
        })
    };
    let readers = Readers { stdout: reader(""), stderr: reader("!") };
    let log = PluginLog::new("test");
    (Process::start(settings, readers, log, clock).unwrap(), lines)
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(LIMIT).unwrap()
}

fn real() -> Arc<dyn Clock> {
    Arc::new(RealClock::new())
}

#[test]
fn a_program_is_talked_to_through_its_streams() {
    let script = "echo $COLOUR; echo err >&2; \
                  while read line; do echo \"got $line\"; done; echo end";
    let (mut process, lines) = start(sh(script, OnFailure::Restart), real());
    let mut first = [next(&lines), next(&lines)];
    first.sort();
    assert_eq!(first, ["!err", "blue"]);
    process.write(b"one\n", Patience::Endless).unwrap();
    assert_eq!(next(&lines), "got one");
    process.stop();
    assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["end"], "what it says at the end is read");
    assert!(matches!(process.signal(Signal::HUP), Err(SignalError::Ended)));
    assert_eq!(
        process.write(b"x", Patience::Endless).unwrap_err().to_string(),
        "write |1: file already closed"
    );
}

#[test]
fn a_program_gets_signals() {
    // Not SIGHUP: who runs the tests under nohup has that ignored for good. A shell that waits
    // takes a signal at once.
    let script = "sleep 60 & trap 'echo usr1; kill $!; exit' USR1; echo up; wait";
    let (process, lines) = start(sh(script, OnFailure::Stop), real());
    assert_eq!(next(&lines), "up");
    process.signal(Signal::USR1).unwrap();
    assert_eq!(next(&lines), "usr1");
    drop(process);
}

#[test]
fn a_program_that_ended_is_started_again_after_the_delay() {
    let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
    let (process, lines) = start(sh("echo up; exit 3", OnFailure::Restart), clock.clone());
    assert_eq!(next(&lines), "up");
    clock.wait_for_timers(1);
    assert!(lines.try_recv().is_err());
    clock.advance(Duration::from_secs(10));
    assert_eq!(next(&lines), "up");
    drop(process);
}

#[test]
fn a_program_that_failed_stays_down_where_that_is_asked_for() {
    let (process, lines) = start(sh("echo up; exit 3", OnFailure::Stop), real());
    assert_eq!(next(&lines), "up");
    process.ended.recv_timeout(LIMIT).unwrap_err();
    assert!(lines.try_recv().is_err());
}

#[test]
fn a_program_that_does_not_end_by_itself_is_terminated_then_killed() {
    for (script, advances) in [
        ("echo up; while :; do sleep 0.01; done", 1),
        ("trap '' TERM; echo up; while :; do sleep 0.01; done", 2),
    ] {
        let clock = Arc::new(FakeClock::at(Timestamp::EPOCH));
        let (mut process, lines) = start(sh(script, OnFailure::Restart), clock.clone());
        assert_eq!(next(&lines), "up");
        thread::scope(|scope| {
            let stopping = scope.spawn(move || process.stop());
            for _ in 0..advances {
                clock.wait_for_timers(1);
                clock.advance(GRACE);
            }
            stopping.join().unwrap();
        });
    }
}

#[test]
fn what_a_program_left_behind_does_not_hold_the_agent_up() {
    let (mut process, lines) =
        start(sh("echo up; sleep 1000 & echo $!; cat", OnFailure::Restart), real());
    assert_eq!(next(&lines), "up");
    let left: i32 = next(&lines).parse().unwrap();
    process.stop();
    kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn a_program_that_does_not_read_is_waited_for_so_long_and_no_longer() {
    let (process, lines) = start(sh("echo up; exec sleep 1000", OnFailure::Restart), real());
    assert_eq!(next(&lines), "up");
    let much = vec![b'x'; 1 << 20];
    let error = process.write(&much, Patience::AtMost(Duration::from_millis(20))).unwrap_err();
    assert_eq!(error.to_string(), "write |1: i/o timeout");
    process.signal(Signal::KILL).unwrap();
}

#[test]
fn programs_that_cannot_be_started_are_named() {
    let error = |program: &str| {
        let command = vec![program.to_owned()];
        let settings = Settings { command, ..sh("", OnFailure::Stop) };
        let none = || -> Reader { Box::new(|_: &mut dyn Read| {}) };
        let readers = Readers { stdout: none(), stderr: none() };
        let started = Process::start(settings, readers, PluginLog::new("test"), real());
        let error = started.unwrap_err().to_string();
        let start = format!("failed to start process [{program}]: error starting process: ");
        error.strip_prefix(&start).unwrap().to_owned()
    };
    assert_eq!(
        error("no-such-program"),
        "exec: \"no-such-program\": executable file not found in $PATH"
    );
    assert_eq!(error("/no/such"), "fork/exec /no/such: no such file or directory");
    assert_eq!(error("/etc"), "fork/exec /etc: permission denied");
}

#[test]
fn long_lines_come_in_pieces_and_the_last_needs_no_end() {
    let mut taken = Vec::new();
    let text = [&b"one\r\n\n"[..], &[b'x'; 5000], b"\ntwo"].concat();
    for_each_line(&mut &text[..], 4000, |line| taken.push(line.len())).unwrap();
    assert_eq!(taken.iter().sum::<usize>(), 3 + 5000 + 3);
    assert_eq!((taken[0], taken[1], *taken.last().unwrap()), (3, 0, 3));
}

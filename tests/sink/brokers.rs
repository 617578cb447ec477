//! Brokers that are away for long, lead no more, or let nobody in.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{LIMIT, Scene, assert_complete, stop};
use crate::support::{Cluster, Program, Running, Topic, wait_for};

/// A cluster with logins.
fn secured() -> &'static Cluster {
    static SECURED: OnceLock<Cluster> = OnceLock::new();
    SECURED.get_or_init(|| Cluster::start_with(1, &["--security"]))
}

/// Waits until every time-out of a sink has passed that is told so.
fn wait_for_time_outs() {
    let start = Instant::now();
    wait_for("all time-outs to pass", LIMIT, || {
        (start.elapsed() > Duration::from_secs(5)).then_some(())
    });
}

#[test]
fn brokers_may_be_away_for_longer_than_every_time_out() {
    let cluster = Cluster::start(1);
    let scene = Scene::new(&cluster, "away-long", 2);
    let mut sink = scene
        .sink()
        .args(["--threads", "2", "--session-timeout", "2s", "-X", "max.poll.interval.ms=3000"])
        .args(["-X", "socket.timeout.ms=2000", "-X", "socket.connection.setup.timeout.ms=2000"])
        .args(["-X", "metadata.max.age.ms=4000"])
        .start();
    scene.topic.produce(0..1_000);
    scene.wait_for_commit(1_000);
    // Once with nobody there, and once with brokers that hold the connections and say nothing; with
    // records in the files that are not committed yet.
    scene.topic.produce(1_000..2_000);
    cluster.kill_broker(1);
    sink.wait_for_log("Connection refused", LIMIT);
    wait_for_time_outs();
    cluster.start_broker(1);
    scene.topic.produce(2_000..3_000);
    scene.wait_for_commit(3_000);
    let seen = sink.log().len();
    scene.topic.produce(3_000..4_000);
    cluster.pause_broker(1);
    wait_for_time_outs();
    sink.wait_for_log_after(seen, "timed out", LIMIT);
    cluster.resume_broker(1);
    scene.topic.produce(4_000..5_000);
    scene.wait_for_commit(5_000);
    // What a thread has left unconfirmed goes when it is a member again.
    wait_for("each record to stand once", LIMIT, || (scene.lines().len() == 5_000).then_some(()));
    let ended = sink.stop(Duration::from_secs(10));
    assert!(ended.status.success(), "{}", ended.stderr);
    let report = scene.verify();
    assert!(report.status.success(), "{}{}", report.stdout, ended.stderr);
    assert_eq!(assert_complete(&scene.lines(), 5_000), 0, "{}", ended.stderr);
}

#[test]
fn a_commit_that_is_never_answered_ends_with_a_new_member_and_each_record_once() {
    let cluster = Cluster::start(1);
    let scene = Scene::new(&cluster, "unanswered", 2);
    // The client library itself would wait for a minute.
    let mut sink = scene
        .sink()
        .args(["--threads", "2", "--session-timeout", "2s", "--commit-interval", "2s"])
        .start();
    scene.topic.produce(0..1_000);
    scene.wait_for_commit(1_000);
    scene.topic.produce(1_000..2_000);
    wait_for("the records", LIMIT, || (scene.lines().len() == 2_000).then_some(()));
    cluster.pause_broker(1);
    for thread in ["thread-0", "thread-1"] {
        sink.wait_for_log(
            &format!(
                "{thread}] Commit given up: the client library has not answered for 6 s; joining the \
                 group as a new member"
            ),
            LIMIT,
        );
    }
    cluster.resume_broker(1);
    scene.topic.produce(2_000..3_000);
    scene.wait_for_commit(3_000);
    wait_for("each record to stand once", LIMIT, || (scene.lines().len() == 3_000).then_some(()));
    let ended = sink.stop(Duration::from_secs(10));
    assert!(ended.status.success(), "{}", ended.stderr);
    let report = scene.verify();
    assert!(report.status.success(), "{}{}", report.stdout, ended.stderr);
    assert_eq!(assert_complete(&scene.lines(), 3_000), 0, "{}", ended.stderr);
}

/// The broker that coordinates a group.
fn coordinator(cluster: &Cluster, group: &str) -> i32 {
    wait_for("a coordinator", LIMIT, || {
        let told = cluster.tool("consumer-groups", &["--describe", "--state", "--group", group]);
        let line = told.lines().find(|line| line.split_whitespace().next() == Some(group))?;
        // As in `127.0.0.1:19092 (1)`.
        line.split('(').nth(1)?.split(')').next()?.parse().ok()
    })
}

#[test]
fn a_coordinator_that_dies_is_followed_to_another_broker() {
    let cluster = Cluster::start(3);
    let scene = Scene::new(&cluster, "coordinator", 3);
    let sink = scene.sink().args(["--threads", "3", "--commit-interval", "50ms"]).start();
    let mut killed = 0;
    let total = super::group::under_load(&scene, |_| {
        wait_for("some commits", LIMIT, || (scene.committed_now() > 3_000).then_some(()));
        killed = coordinator(&cluster, &scene.group);
        cluster.kill_broker(killed);
        let before = scene.committed_now();
        wait_for("more commits", LIMIT, || (scene.committed_now() > before).then_some(()));
        assert_ne!(coordinator(&cluster, &scene.group), killed);
    });
    scene.wait_for_commit(i64::try_from(total).unwrap());
    cluster.start_broker(killed);
    stop(sink);
    assert_eq!(assert_complete(&scene.lines(), total), 0);
    scene.assert_all_well();
}

#[test]
fn a_broker_that_wants_a_login_does_not_leave_the_sink_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let addresses = secured().file("bootstrap-sasl");
    let mut sink = Program::sink(folder.path()).args(["--brokers", &addresses]).start();
    sink.wait_for_log("connection closed by peer", LIMIT);
    stop(sink);
}

#[test]
fn a_login_that_is_refused_is_said_so_and_tried_until_it_is_good() {
    let cluster = secured();
    let scene = Scene::new(cluster, "login", 1);
    scene.topic.produce(0..100);
    let login = |mechanism: &str, user: &str| -> Running {
        let properties = [
            "security.protocol=sasl_plaintext".to_owned(),
            format!("sasl.mechanism={mechanism}"),
            format!("sasl.username={user}"),
            "sasl.password=not-the-secret".to_owned(),
            "reconnect.backoff.max.ms=500".to_owned(),
        ];
        // Of addresses given twice the last count.
        let program = Program::sink(scene.folder.path())
            .args(["--brokers", &cluster.file("bootstrap-sasl"), "--threads", "1"])
            .args(["--topic", scene.topic.name(), "--group", &scene.group]);
        program.args(properties.iter().flat_map(|property| ["-X", property])).start()
    };
    let mut sink = login("PLAIN", "metric");
    let line = sink.wait_for_log("Invalid username or password", LIMIT);
    assert!(line.contains(" E! ") && line.contains("trying again"), "{line}");
    assert!(!line.contains("not-the-secret"), "{line}");
    let ended = sink.stop(Duration::from_secs(10));
    assert!(ended.status.success(), "{}", ended.stderr);

    // A user who is known to the brokers only later.
    let mut sink = login("SCRAM-SHA-256", "late");
    let line = sink.wait_for_log("SASL authentication error", LIMIT);
    assert!(line.contains(" E! "), "{line}");
    assert!(scene.lines().is_empty());
    cluster.tool(
        "configs",
        &[
            "--alter",
            "--entity-type",
            "users",
            "--entity-name",
            "late",
            "--add-config",
            "SCRAM-SHA-256=[password=not-the-secret]",
        ],
    );
    wait_for("the records", LIMIT, || (scene.lines().len() == 100).then_some(()));
    scene.wait_for_commit(100);
    stop(sink);
    let expected: Vec<_> = (0..100).map(Topic::numbered).collect();
    assert_eq!(scene.lines(), expected);
}

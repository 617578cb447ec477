//! Somebody sets the clock.

use std::fs;
use std::time::{Duration, Instant};

use super::{LIMIT, Scene, assert_complete, stop};
use crate::support::{Cluster, Machine, wait_for};

const HOUR: i64 = 3600;

#[test]
fn a_clock_that_is_set_by_hours_ends_files_and_costs_neither_partitions_nor_records() {
    let (scene, machine) = (Scene::new(Cluster::shared(), "clock", 1), Machine::new());
    let flags = ["--threads", "1", "--rotate-interval", "1h", "--session-timeout", "10s"];
    let mut sink = machine.runs(scene.sink().args(flags)).start();
    scene.topic.produce(0..100);
    scene.wait_for_commit(100);
    let mut total = 100;
    for (hours, said) in
        [(3, "set forward by 10800 s"), (-5, "set back by 28800 s"), (0, "set forward by 18000 s")]
    {
        let seen = sink.log().len();
        machine.set_clock(hours * HOUR);
        sink.wait_for_log_after(seen, said, LIMIT);
        if said.contains("back") {
            // With nothing to read, so that nothing but heartbeats keeps the member in the group.
            let start = Instant::now();
            wait_for("the session to end", LIMIT, || {
                (start.elapsed() > Duration::from_secs(11)).then_some(())
            });
        }
        scene.topic.produce(total..total + 100);
        total += 100;
        scene.wait_for_commit(i64::try_from(total).unwrap());
        let lost = sink.log().into_iter().skip(seen).find(|line| line.contains("Partitions lost"));
        assert_eq!(lost, None);
    }
    stop(sink);
    // The last one is still open.
    let files = fs::read_dir(scene.folder.path()).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.to_string_lossy().contains("/consumer")).collect();
    assert_eq!(files.len(), 4, "one file for each hour by the clock: {files:?}");
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    let lines: Vec<_> =
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(assert_complete(&lines, total), 0);
    scene.assert_all_well();
}

//! Exactly once, checked over all histories of a small world.
//!
//! The world has a group's coordinator, a network that may lose requests and answers and brings
//! requests late, and a few writers in two folders. Writers append, journal and commit as consumer
//! threads do; folders are killed and started at any point; rebalances take members along or leave
//! them behind, which then go on as if nothing had happened until a commit of theirs is refused.
//! What decides is the real thing: [`History`](super::ownership::History) and
//! [`judge`](super::recovery::judge). After every step of every history, were all sinks started
//! again and left alone, each offset below the committed one would stand in the files once, and no
//! other at all.

mod world;

use std::collections::HashSet;

use world::{Bounds, Broken, World};

/// Looks at all histories; returns how many worlds there are, or the steps to one that is wrong.
fn explore(bounds: Bounds, broken: Broken) -> Result<usize, String> {
    let mut seen = HashSet::new();
    let first = World::new(bounds);
    seen.insert(first.fingerprint());
    let mut path = vec![(first.steps(bounds), first, 0)];
    while let Some((steps, world, next)) = path.last_mut() {
        let Some(step) = steps.get(*next) else {
            path.pop();
            continue;
        };
        *next += 1;
        let Some(after) = world.take(step, broken) else { continue };
        if !seen.insert(after.fingerprint()) {
            continue;
        }
        if let Some(complaint) = after.complaint(bounds, broken) {
            let steps = path.iter().map(|(steps, _, next)| format!("{:?}", steps[next - 1]));
            let steps: Vec<_> = steps.collect();
            return Err(format!("{complaint} after\n{}", steps.join("\n")));
        }
        path.push((after.steps(bounds), after, 0));
    }
    Ok(seen.len())
}

/// Two folders with a thread each.
const SMALL: Bounds =
    Bounds { writers: 2, partitions: 1, records: 2, rebalances: 2, kills: 1, losses: 1 };

#[test]
fn every_committed_record_stands_in_the_files_once_whatever_happens() {
    for bounds in [
        SMALL,
        Bounds { partitions: 2, records: 1, losses: 0, ..SMALL },
        Bounds { writers: 4, records: 1, losses: 0, ..SMALL },
    ] {
        let worlds = explore(bounds, Broken::Nothing).unwrap_or_else(|found| panic!("{found}"));
        assert!(worlds > 10_000, "{worlds} worlds within {bounds:?}");
    }
}

#[test]
fn without_any_of_its_rules_a_history_is_found_that_goes_wrong() {
    for (broken, wrong) in [
        (Broken::OwnersAreForgotten, "stands 2 times"),
        (Broken::SettledBeforeTheGroupHasMovedOn, "stands 0 times"),
        (Broken::RebalancedDuringACommit, "times"),
        (Broken::NotSettledAfterALoss, "times"),
        (Broken::LostAnswersCountAsRefused, "stands 0 times"),
    ] {
        let found = explore(Bounds { rebalances: 3, ..SMALL }, broken).unwrap_err();
        assert!(found.contains(wrong), "{broken:?}: {found}");
    }
}

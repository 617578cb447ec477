//! The order in which threads join their group.
//!
//! A group gives its partitions out anew whenever somebody joins. Of five threads that join at
//! once, the first gets everything before the others are known; while they are let in one after the
//! other, each hears of the next change in the middle of the one before, and the client library
//! then waits for a second or two before it tries again. So the first joins alone, and the others,
//! connected meanwhile, join together once it is a member: the group waits for the first to come
//! back, and by then all are there.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::system::Clock;

/// How long the others wait for the first. Groups that wait by themselves before they give anything
/// out, for three seconds if their broker was told nothing else, get all of them in that time.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the first reckons with the others' joining once it is a member.
const EXPECTANCY: Duration = Duration::from_secs(1);

/// A thread's place in the order.
pub(super) enum Turn {
    /// It joins at once.
    First {
        /// The others join when this is gone.
        _others_wait: Sender<()>,
    },
    /// It has joined; until this moment the others may be joining.
    Followed(Duration),
    /// It waits until the first is a member.
    Later(Receiver<()>),
}

impl Turn {
    /// The turns of this many threads.
    pub(super) fn of(threads: usize) -> impl Iterator<Item = Turn> {
        let (first, later) = bounded(0);
        let mut first = Some(first);
        (0..threads).map(move |_| match first.take() {
            Some(first) => Turn::First { _others_wait: first },
            None => Turn::Later(later.clone()),
        })
    }

    /// Waits until it is this thread's turn, or until `stop` closes.
    pub(super) fn wait(&self, stop: &Receiver<()>, clock: &dyn Clock) {
        if let Turn::Later(first_is_member) = self {
            select! {
                recv(first_is_member) -> _ => {}
                recv(stop) -> _ => {}
                recv(clock.after(PATIENCE)) -> _ => {}
            }
        }
    }

    /// The thread is a member of the group now.
    pub(super) fn end(&mut self, now: Duration) {
        if let Turn::First { .. } = self {
            *self = Turn::Followed(now + EXPECTANCY);
        }
    }

    /// Whether the others join at this moment, for whom the group waits until this thread has come
    /// back to it.
    pub(super) fn are_others_joining(&self, now: Duration) -> bool {
        matches!(self, Turn::Followed(until) if now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::RealClock;

    #[test]
    fn the_others_wait_until_the_first_is_a_member_or_has_ended() {
        let (_running, stop) = bounded::<()>(0);
        for ends_as_member in [true, false] {
            let mut turns = Turn::of(3);
            let (mut first, second) = (turns.next().unwrap(), turns.next().unwrap());
            let (waiting, waited) = bounded::<()>(0);
            std::thread::scope(|scope| {
                let stop = &stop;
                scope.spawn(move || {
                    second.wait(stop, &RealClock::new());
                    drop(waiting);
                });
                first.wait(stop, &RealClock::new());
                if ends_as_member {
                    first.end(Duration::ZERO);
                    assert!(first.are_others_joining(Duration::from_millis(999)));
                    assert!(!first.are_others_joining(Duration::from_secs(1)));
                } else {
                    drop(first);
                }
                assert!(waited.recv().is_err());
            });
        }
    }

    #[test]
    fn nobody_waits_for_ever_or_when_all_ends() {
        let (running, stop) = bounded::<()>(0);
        let turns: Vec<_> = Turn::of(2).collect();
        turns[1].wait(&stop, &RealClock::new());
        drop(running);
        turns[1].wait(&stop, &RealClock::new());
    }
}

//! The order in which threads join their group.
//!
//! A group gives its partitions out anew whenever somebody joins. Of five threads that join at
//! once, the first gets everything before the others are known; while they are let in one after the
//! other, each hears of the next change in the middle of the one before, and the client library
//! then waits for a second or two before it tries again. So the first joins alone, and the others,
//! connected meanwhile, join together once it is a member. The group waits for the first to come
//! back, and that does not come back before the group has given all others their ids.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use crate::system::Clock;

/// How long the others wait for the first. Groups that wait by themselves before they give anything
/// out, for three seconds if their broker was told nothing else, get all of them in that time.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the first reckons with the others' joining once it is a member, and how long it lets the
/// group wait for it at most.
const EXPECTANCY: Duration = Duration::from_secs(1);

/// A thread's place in the order.
pub(super) enum Turn {
    /// It joins at once.
    First {
        /// The others join when this is gone.
        others_wait: Option<Sender<()>>,
        /// Closes when all others have their ids, or have ended.
        others_joined: Receiver<()>,
        /// Until when the others may be joining, once this thread is a member.
        expects_until: Duration,
    },
    /// It joins when the first is a member.
    Later {
        first_is_member: Receiver<()>,
        /// The first waits for this to go.
        joining: Option<Sender<()>>,
        /// Until when it matters whether this thread has its id.
        expected_until: Duration,
    },
}

impl Turn {
    /// The turns of this many threads.
    pub(super) fn of(threads: usize) -> impl Iterator<Item = Turn> {
        let (first, first_is_member) = bounded(0);
        let (joining, others_joined) = bounded(0);
        let first =
            Turn::First { others_wait: Some(first), others_joined, expects_until: Duration::ZERO };
        let later: Vec<Turn> = (1..threads)
            .map(|_| Turn::Later {
                first_is_member: first_is_member.clone(),
                joining: Some(joining.clone()),
                expected_until: Duration::ZERO,
            })
            .collect();
        std::iter::once(first).chain(later)
    }

    /// Waits until it is this thread's turn, or until `stop` closes.
    pub(super) fn wait(&mut self, stop: &Receiver<()>, clock: &dyn Clock) {
        if let Turn::Later { first_is_member, expected_until, .. } = self {
            select! {
                recv(first_is_member) -> _ => {}
                recv(stop) -> _ => {}
                recv(clock.after(PATIENCE)) -> _ => {}
            }
            *expected_until = clock.elapsed() + EXPECTANCY;
        }
    }

    /// The thread is a member of the group now.
    pub(super) fn end(&mut self, now: Duration) {
        match self {
            Turn::First { others_wait, expects_until, .. } => {
                if others_wait.take().is_some() {
                    *expects_until = now + EXPECTANCY;
                }
            }
            Turn::Later { .. } => self.has_id(),
        }
    }

    /// The group has given the thread its id, or never will before all have joined.
    pub(super) fn has_id(&mut self) {
        if let Turn::Later { joining, .. } = self {
            *joining = None;
        }
    }

    /// Whether the first waits for this thread to have its id.
    pub(super) fn is_joining(&self, now: Duration) -> bool {
        matches!(self, Turn::Later { joining: Some(_), expected_until, .. } if now < *expected_until)
    }

    /// Whether the others join at this moment, for whom the group waits until this thread has come
    /// back to it.
    pub(super) fn are_others_joining(&self, now: Duration) -> bool {
        matches!(self, Turn::First { expects_until, .. } if now < *expects_until)
    }

    /// Waits until all others have their ids, so that the group that this thread comes back to is
    /// whole.
    pub(super) fn wait_for_others(&self, stop: &Receiver<()>, clock: &dyn Clock) {
        let now = clock.elapsed();
        if let Turn::First { others_joined, expects_until, .. } = self
            && now < *expects_until
        {
            select! {
                recv(others_joined) -> _ => {}
                recv(stop) -> _ => {}
                recv(clock.after(*expects_until - now)) -> _ => {}
            }
        }
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
            let (mut first, mut second) = (turns.next().unwrap(), turns.next().unwrap());
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
    fn the_first_comes_back_when_all_others_have_ids_or_have_ended() {
        let (_running, stop) = bounded::<()>(0);
        let clock = RealClock::new();
        let mut turns: Vec<_> = Turn::of(3).collect();
        turns[0].end(clock.elapsed() + Duration::from_secs(3_600));
        let [first, second, third] = turns.try_into().ok().unwrap();
        let mut second = second;
        second.wait(&stop, &clock);
        assert!(second.is_joining(clock.elapsed()));
        second.has_id();
        assert!(!second.is_joining(clock.elapsed()));
        drop(third);
        first.wait_for_others(&stop, &clock);
    }

    #[test]
    fn nobody_waits_for_ever_or_when_all_ends() {
        let (running, stop) = bounded::<()>(0);
        let mut turns: Vec<_> = Turn::of(2).collect();
        turns[1].wait(&stop, &RealClock::new());
        drop(running);
        turns[1].wait(&stop, &RealClock::new());
        turns[0].end(Duration::from_secs(3_600));
        turns[0].wait_for_others(&stop, &RealClock::new());
    }
}

//! Limits how many lines are under way to the outputs.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use crate::metric::{Accompany, Companion};

/// Room for a number of lines.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    take: Sender<()>,
    free: Receiver<()>,
}

/// The place of a line; free again when the last metric made of it is done with.
struct Slot(Receiver<()>);

impl Accompany for Slot {}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.0.try_recv();
    }
}

impl Slots {
    /// Makes room for `count` lines.
    pub(super) fn new(count: usize) -> Slots {
        let (take, free) = bounded(count);
        Slots { take, free }
    }

    /// Takes a slot if there is one.
    pub(super) fn try_take(&self) -> Option<Companion> {
        match self.take.try_send(()) {
            Ok(()) => Some(self.taken()),
            Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => None,
        }
    }

    /// Waits for a slot; none if `stop` closes first.
    pub(super) fn wait(&self, stop: &Receiver<()>) -> Option<Companion> {
        select! {
            send(self.take, ()) -> sent => sent.ok().map(|()| self.taken()),
            recv(stop) -> _ => None,
        }
    }

    fn taken(&self) -> Companion {
        Companion::new(Arc::new(Slot(self.free.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_all_copies_are_gone() {
        let slots = Slots::new(1);
        let first = slots.try_take().unwrap();
        let copy = first.clone();
        drop(first);
        assert!(slots.try_take().is_none());
        drop(copy);
        let second = slots.try_take().unwrap();
        let (stop, stopped) = bounded::<()>(0);
        drop(stop);
        assert!(slots.wait(&stopped).is_none());
        drop(second);
        assert!(slots.try_take().is_some());
    }
}

//! What goes along with a metric until it is done with.

use std::fmt;
use std::sync::Arc;

use super::{Origin, OriginalRecord};

/// Something that all copies of a metric hold on to, and that is dropped with the last of them:
/// after every output has written it, or it was given up or filtered out.
///
/// Its `Drop` is how an input learns that there is room for more, or that what it has read need
/// not be read again.
pub trait Accompany: Send + Sync {
    /// The record that the metric was made of, if it was kept to be passed on as it came.
    fn record(&self) -> Option<&OriginalRecord> {
        None
    }

    /// Where the metric was read from, if it can be read from there again.
    fn origin(&self) -> Option<&Arc<Origin>> {
        None
    }

    /// Its place in the origin, the same whenever it is read again: whatever has a higher one was
    /// read later. Metrics of one record have it in common.
    fn position(&self) -> Option<i64> {
        None
    }

    /// The number that its companion got when the metric was written to a file, if it was
    /// read from one.
    fn number(&self) -> Option<u64> {
        None
    }

    /// Takes note that the agent ends before every output has written the metric, which is in
    /// memory only. The drop that follows does not mean that it is done with.
    fn leave_behind(&self) {}
}

/// What goes along with a metric, if anything does; two metrics are equal whatever it is.
#[derive(Clone, Default)]
pub struct Companion(Option<Arc<dyn Accompany>>);

impl Companion {
    /// Makes a companion of anything that has something to do when it is dropped.
    pub fn new(accompanying: Arc<dyn Accompany>) -> Companion {
        Companion(Some(accompanying))
    }

    /// Whether nothing goes along.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The record that the metric was made of, if it was kept to be passed on as it came.
    pub fn record(&self) -> Option<&OriginalRecord> {
        self.0.as_ref()?.record()
    }

    /// Where the metric was read from, if it can be read from there again.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.0.as_ref()?.origin()
    }

    /// Its place in the origin, the same whenever it is read again.
    pub fn position(&self) -> Option<i64> {
        self.0.as_ref()?.position()
    }

    /// Lets it know that the agent ends before every output has written the metric.
    pub fn leave_behind(&self) {
        if let Some(accompanying) = &self.0 {
            accompanying.leave_behind();
        }
    }

    /// Whether both are the same one, so that the metrics were made of the same thing. Metrics that
    /// were in a file meanwhile have their companions no more, but those that stand for them.
    pub fn is_same(&self, other: &Companion) -> bool {
        let (Some(one), Some(other)) = (&self.0, &other.0) else { return false };
        let stand_for_the_same = || {
            one.number().is_some()
                && one.number() == other.number()
                && one.record() == other.record()
        };
        Arc::ptr_eq(one, other) || stand_for_the_same()
    }

    /// A number that no other companion has that is there at the same time.
    pub(super) fn number(&self) -> u64 {
        let address = |it: &Arc<dyn Accompany>| Arc::as_ptr(it).cast::<()>().addr() as u64;
        self.0.as_ref().map_or(0, |it| it.number().unwrap_or_else(|| address(it)))
    }
}

impl PartialEq for Companion {
    fn eq(&self, _other: &Companion) -> bool {
        true
    }
}

impl fmt::Debug for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Companion" } else { "None" })
    }
}

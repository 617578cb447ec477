//! What goes along with a metric until it is done with.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Something that all copies of a metric hold on to, and that is dropped with the last of them:
/// after every output has written it, or it was given up or filtered out.
///
/// Its `Drop` is how an input learns that there is room for more. Two metrics are equal whatever
/// goes along with them.
#[derive(Clone, Default)]
pub struct Companion(Option<Arc<dyn Any + Send + Sync>>);

impl Companion {
    /// Makes a companion of anything that has something to do when it is dropped.
    pub fn new(guard: Arc<dyn Any + Send + Sync>) -> Companion {
        Companion(Some(guard))
    }

    /// Whether nothing goes along.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
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

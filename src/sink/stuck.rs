//! Steps that do not succeed and are tried again.

use std::time::Duration;

/// A step that does not succeed; it was logged once, and is tried until it does.
pub(super) struct Stuck {
    pub(super) step: Step,
    pub(super) since: Duration,
    pub(super) next_try: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Write,
    Flush,
}

/// Whether something is tried for the first time, whose failure is worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Again,
}

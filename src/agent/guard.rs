//! Calling plugins so that a panic of one of them stays its own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a plugin said when it panicked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {0}")]
pub(super) struct Panicked(pub(super) String);

/// Calls a plugin.
///
/// A plugin that has panicked is called again all the same: it may well succeed then, and if it
/// does not, that is an error of its own again.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| Panicked(message(&*panic)))
}

/// What a panic said, as far as it is text.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_what_it_said() {
        assert_eq!(guarded(|| 1), Ok(1));
        let said = |work: fn()| guarded(work).unwrap_err().to_string();
        assert_eq!(said(|| panic!("plain")), "panicked: plain");
        assert_eq!(said(|| panic!("with {}", 1)), "panicked: with 1");
        assert_eq!(said(|| std::panic::panic_any(1)), "panicked: no message");
    }
}

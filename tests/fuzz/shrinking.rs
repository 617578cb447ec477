//! Makes a failing input small.

use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// Takes pieces out of a failing input for as long as it goes on failing, and returns what is left
/// with the last failure.
pub(crate) fn shrink(
    mut input: Vec<u8>,
    limit: Duration,
    fails: impl Fn(&[u8]) -> Result<Option<String>, Failed>,
) -> Result<(Vec<u8>, Option<String>), Failed> {
    let start = Instant::now();
    let mut message = fails(&input)?;
    let mut piece = input.len().div_ceil(2);
    while piece > 0 && start.elapsed() < limit {
        let mut at = 0;
        let mut has_shrunk = false;
        while at < input.len() && start.elapsed() < limit {
            let end = (at + piece).min(input.len());
            let without = [&input[..at], &input[end..]].concat();
            match fails(&without)? {
                Some(failure) => {
                    (input, message) = (without, Some(failure));
                    has_shrunk = true;
                }
                None => at = end,
            }
        }
        piece = match piece {
            1 if !has_shrunk => break,
            1 => 1,
            more => more / 2,
        };
    }
    Ok((input, message))
}

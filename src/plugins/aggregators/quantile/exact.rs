//! Quantiles from all values.
//!
//! # References
//! Hyndman and Fan, Sample Quantiles in Statistical Packages, The American Statistician 50
//! (1996), the definitions 7 and 8.

/// Which definition of a quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Definition {
    /// As spreadsheets and NumPy have it.
    R7,
    /// The one the paper recommends.
    R8,
}

/// Sorts values for [`quantile`].
pub(super) fn sort(values: &mut [f64]) {
    values.sort_unstable_by(f64::total_cmp);
}

/// The value below which a share of the sorted values lies, `share` being from 0 to 1; NaN
/// without any value.
pub(super) fn quantile(sorted: &[f64], share: f64, definition: Definition) -> f64 {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return f64::NAN };
    let count = sorted.len() as f64;
    let index = match definition {
        Definition::R7 => share * (count - 1.0),
        Definition::R8 => share * (count + 1.0 / 3.0) - 2.0 / 3.0,
    };
    if index <= -1.0 {
        return *first;
    }
    // The whole part is cut towards zero, so that just before the first value the line through
    // the first two goes on.
    let place = index.trunc() as usize;
    match (sorted.get(place), sorted.get(place + 1)) {
        (Some(low), Some(high)) => low + index.fract() * (high - low),
        _ => *last,
    }
}

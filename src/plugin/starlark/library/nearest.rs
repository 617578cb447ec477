//! Names that may have been meant.

/// The one of some names that is nearest to what was written, if any is near.
pub(crate) fn nearest<'n>(
    written: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let folded = |name: &str| name.replace('_', "").to_lowercase();
    let written = folded(written);
    let mut best = written.len().div_ceil(2);
    let mut found = None;
    for name in names {
        let distance = strsim::levenshtein(&written, &folded(name));
        if distance < best {
            best = distance;
            found = Some(name);
        }
    }
    found
}

/// A question for the name that is nearest to what was written, with `mark` before it.
pub(crate) fn nearest_hint<'n>(
    written: &str,
    names: impl IntoIterator<Item = &'n str>,
    mark: &str,
) -> String {
    match nearest(written, names) {
        Some(name) => format!(" (did you mean {mark}{name}?)"),
        None => String::new(),
    }
}

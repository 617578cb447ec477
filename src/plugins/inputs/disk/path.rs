//! Paths as they stand in tags: nothing in them twice, and nothing that leads nowhere.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Joins two paths as texts, the second one never replacing the first, and cleans the outcome.
///
/// # References
/// Go's `filepath.Join`.
pub(super) fn join(first: &Path, second: &[u8]) -> PathBuf {
    clean(&[first.as_os_str().as_bytes(), second].join(&b'/'))
}

/// Takes out doubled slashes, `.`, and each `..` with the name before it.
fn clean(path: &[u8]) -> PathBuf {
    let is_rooted = path.starts_with(b"/");
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if names.last().is_some_and(|last| *last != b"..") => {
                names.pop();
            }
            b".." if is_rooted => {}
            name => names.push(name),
        }
    }
    let mut clean = if is_rooted { PathBuf::from("/") } else { PathBuf::new() };
    clean.extend(names.into_iter().map(OsStr::from_bytes));
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_texts_and_cleaned() {
        for (first, second, expected) in [
            ("/", "/", "/"),
            ("/", "", "/"),
            ("/", "/srv/x", "/srv/x"),
            ("/hostfs", "/", "/hostfs"),
            ("/hostfs/", "//var/./log/../lib/", "/hostfs/var/lib"),
            ("/", "../..", "/"),
            ("hostfs", "/../../x", "../x"),
        ] {
            assert_eq!(join(Path::new(first), second.as_bytes()), Path::new(expected));
        }
    }
}

//! Where a bus is found.

use std::path::PathBuf;

/// Where a bus listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Address {
    /// At a path.
    Path(PathBuf),
    /// Under a name that is in no file system.
    Abstract(Vec<u8>),
}

/// The first address of a list that can be reached over a UNIX socket.
pub(in super::super) fn parse(list: &str) -> Option<Address> {
    list.split(';').find_map(|address| {
        let options = address.strip_prefix("unix:")?;
        options.split(',').find_map(|option| match option.split_once('=')? {
            ("path", path) => {
                Some(Address::Path(String::from_utf8_lossy(&unescape(path)).as_ref().into()))
            }
            ("abstract", name) => Some(Address::Abstract(unescape(name))),
            _ => None,
        })
    })
}

/// Replaces `%2f` and its kin.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_unix_socket_counts() {
        let path = |path: &str| Some(Address::Path(path.into()));
        assert_eq!(parse("unix:path=/run/bus"), path("/run/bus"));
        assert_eq!(parse("tcp:host=a;unix:guid=1,path=/run/a%20b"), path("/run/a b"));
        assert_eq!(parse("unix:abstract=/tmp/x,guid=1"), Some(Address::Abstract(b"/tmp/x".into())));
        assert_eq!(parse("unix:tmpdir=/tmp"), None);
        assert_eq!(parse("50%"), None);
    }
}

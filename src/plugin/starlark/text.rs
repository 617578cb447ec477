//! The strings of a script: short ones in place, long ones shared.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use compact_str::CompactString;

/// Up to this many bytes a string is held in place, without an allocation.
const SHORT: usize = 24;

/// A string that is cheap to clone.
///
/// Lengths and places are counted in bytes, as Go does it; a slice that would cut a character in
/// two has the replacement character in its place.
#[derive(Clone)]
pub(crate) enum Str {
    Short(CompactString),
    Long(Arc<str>),
}

impl Str {
    /// The string of one character.
    pub(crate) fn of_char(character: char) -> Str {
        Str::from(&*character.encode_utf8(&mut [0; 4]))
    }

    /// The string that some bytes of a longer one are.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Str {
        match std::str::from_utf8(bytes) {
            Ok(text) => Str::from(text),
            Err(_) => Str::from(&*String::from_utf8_lossy(bytes)),
        }
    }

    /// The string for a metric.
    pub(crate) fn to_compact(&self) -> CompactString {
        match self {
            Str::Short(text) => text.clone(),
            Str::Long(text) => CompactString::new(text),
        }
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Str::Short(text) => text,
            Str::Long(text) => text,
        }
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Str {
        if text.len() <= SHORT {
            Str::Short(CompactString::new(text))
        } else {
            Str::Long(text.into())
        }
    }
}

impl From<String> for Str {
    fn from(text: String) -> Str {
        Str::from(text.as_str())
    }
}

impl From<&CompactString> for Str {
    fn from(text: &CompactString) -> Str {
        Str::from(text.as_str())
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Str) -> bool {
        **self == **other
    }
}

impl Eq for Str {}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

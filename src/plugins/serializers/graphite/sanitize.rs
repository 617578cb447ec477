//! Which characters names and tags may have.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{NoExpand, Regex};

/// What becomes an underscore unless an option says otherwise.
const STRICT: &str = r"[^a-zA-Z0-9\-:._=\p{L}]";

/// The same for keys and values of tags in the compatible mode.
static COMPATIBLE: LazyLock<Option<(Regex, Regex)>> = LazyLock::new(|| {
    let key = Regex::new(r#"[^ "-:<>-\]_a-\~\p{L}]"#).ok()?;
    Some((key, Regex::new(r"[^ -:<-\~\p{L}]").ok()?))
});

/// Makes texts of what may be in names.
#[derive(Debug)]
pub(super) struct Strict {
    replaced: Regex,
    /// Whether it is known which characters of ASCII stay.
    is_own: bool,
}

impl Strict {
    pub(super) fn new(expression: &str) -> Result<Strict, regex::Error> {
        let is_own = expression.is_empty();
        let replaced = Regex::new(if is_own { STRICT } else { expression })?;
        Ok(Strict { replaced, is_own })
    }

    /// Puts hyphens for `/`, `@` and `*`, takes backslashes and second dots away, and puts
    /// underscores for what else cannot stay.
    pub(super) fn apply<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let stays = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b'.' | b'_' | b'=')
        };
        if self.is_own && text.bytes().all(stays) && !text.contains("..") {
            return Cow::Borrowed(text);
        }
        let mut kept = String::with_capacity(text.len());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '/' | '@' | '*' => kept.push('-'),
                '\\' => {}
                '.' => {
                    chars.next_if_eq(&'.');
                    kept.push('.');
                }
                c => kept.push(c),
            }
        }
        Cow::Owned(self.replaced.replace_all(&kept, NoExpand("_")).into_owned())
    }
}

/// A tag with underscores for what Graphite does not take.
pub(super) fn compatible(key: &str, value: &str) -> String {
    let Some((key_pattern, value_pattern)) = &*COMPATIBLE else { return format!("{key}={value}") };
    let key = key_pattern.replace_all(key, NoExpand("_"));
    let value = value_pattern.replace_all(value, NoExpand("_"));
    format!("{key}={}", value.trim_start_matches('~'))
}

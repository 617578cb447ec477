//! Errors of the system in the words that people know from Telegraf.

use std::fmt;
use std::io;

/// Shows an error without its number and in lower case: `no such file or directory`.
///
/// Go, and so Telegraf's log, words the kernel's errors like this.
#[derive(Debug, Clone, Copy)]
pub struct ErrorWords<'e>(pub &'e io::Error);

impl fmt::Display for ErrorWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let Some(number) = self.0.raw_os_error() else { return f.write_str(&text) };
        let text = text.strip_suffix(&format!(" (os error {number})")).unwrap_or(&text);
        let mut rest = text.chars();
        match rest.next() {
            Some(first) => write!(f, "{}{}", first.to_ascii_lowercase(), rest.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_errors_lose_their_number_and_others_stay() {
        let missing = io::Error::from_raw_os_error(2);
        assert_eq!(ErrorWords(&missing).to_string(), "no such file or directory");
        let own = io::Error::other("Disk on holiday");
        assert_eq!(ErrorWords(&own).to_string(), "Disk on holiday");
    }
}

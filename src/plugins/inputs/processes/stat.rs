//! The state and the threads of a process, from its `stat`.

/// What is of interest in `/proc/N/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process<'a> {
    /// The letter for the state.
    pub(super) state: u8,
    /// The word with the number of threads; empty if there is none.
    threads: &'a [u8],
}

/// A file that ends before anything of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooShort;

impl<'a> Process<'a> {
    /// Parses the file; none if it holds no name in parentheses.
    ///
    /// The name may itself hold blanks and parentheses, so what counts comes after the last one.
    ///
    /// # Errors
    /// If too few words come after the name.
    pub(super) fn parse(stat: &'a [u8]) -> Result<Option<Process<'a>>, TooShort> {
        /// The place of the threads among the words after the name.
        const THREADS: usize = 17;

        let Some(end) = memchr::memrchr(b')', stat) else { return Ok(None) };
        let rest = stat.get(end + 2..).ok_or(TooShort)?;
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let state = words.next().and_then(|word| word.first()).copied().ok_or(TooShort)?;
        // The words after the state, of which there must be two.
        let mut words = words.skip(1);
        let third = words.next().ok_or(TooShort)?;
        let threads = std::iter::once(third).chain(words).nth(THREADS - 2).unwrap_or_default();
        Ok(Some(Process { state, threads }))
    }

    /// How many threads there are.
    ///
    /// # Errors
    /// The word that is no number.
    pub(super) fn n_threads(&self) -> Result<i64, &'a [u8]> {
        let number = std::str::from_utf8(self.threads).ok().and_then(|word| word.parse().ok());
        number.ok_or(self.threads)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REST: &str = "1 1 1 0 -1 4194560 1 1 0 0 0 0 0 0 20 0 13 0 8 0 0";

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["bash", "a b", "(sd-pam)", "x) S 1", ")", ""] {
            let stat = format!("1 ({name}) D {REST}\n");
            let process = Process::parse(stat.as_bytes()).unwrap().unwrap();
            assert_eq!((process.state, process.n_threads()), (b'D', Ok(13)), "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error_only_before_the_third_word() {
        assert_eq!(Process::parse(b""), Ok(None));
        assert_eq!(Process::parse(b"1 bash S"), Ok(None));
        for stat in [&b"1 (bash)"[..], b"1 (bash) ", b"1 (bash) S", b"1 (bash) S 1\n"] {
            assert_eq!(Process::parse(stat), Err(TooShort));
        }
        let process = Process::parse(b"1 (bash) S 1 2").unwrap().unwrap();
        assert_eq!((process.state, process.n_threads()), (b'S', Err(&b""[..])));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(Some(process)) = Process::parse(&bytes) {
                let _ = process.n_threads();
            }
        }
    }
}

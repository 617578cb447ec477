//! `/proc/meminfo`, and what follows from it.
//!
//! # References
//! proc(5), "/proc/meminfo"; the kernel's commit 34e431b0ae39 for how `MemAvailable` is worked
//! out, which older kernels than 3.14 leave to the reader.

/// The file's values by their names in it; bytes where the file says kB, else plain numbers.
#[derive(Debug, Default)]
pub(super) struct Meminfo<'a> {
    values: Vec<(&'a str, u64)>,
}

/// A line that holds no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("meminfo: {key}: {value:?} is no number")]
pub(super) struct ParseError {
    key: String,
    value: String,
}

impl<'a> Meminfo<'a> {
    /// Parses the file; lines without a single colon are passed over.
    ///
    /// # Errors
    /// The first line whose value is no number.
    pub(super) fn parse(text: &'a str) -> Result<Meminfo<'a>, ParseError> {
        let mut values = Vec::with_capacity(64);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim(), value.trim());
            if value.contains(':') {
                continue;
            }
            let (number, unit) = match value.strip_suffix(" kB") {
                Some(number) => (number, 1024),
                None => (value, 1),
            };
            let number: u64 = number
                .parse()
                .map_err(|_| ParseError { key: key.to_owned(), value: value.to_owned() })?;
            values.push((key, number.saturating_mul(unit)));
        }
        Ok(Meminfo { values })
    }

    /// A value; zero if the file has no such line.
    pub(super) fn get(&self, key: &str) -> u64 {
        self.find(key).unwrap_or(0)
    }

    /// The page cache, reclaimable slabs included.
    pub(super) fn cached(&self) -> u64 {
        self.get("Cached").saturating_add(self.get("SReclaimable"))
    }

    /// What new work could get without swapping; `low_watermark` is asked only on kernels that do
    /// not tell, and is the sum of the zones' low watermarks in bytes.
    pub(super) fn available(&self, low_watermark: impl FnOnce() -> Option<u64>) -> u64 {
        if let Some(available) = self.find("MemAvailable") {
            return available;
        }
        let free = self.get("MemFree");
        let parts = ["Active(file)", "Inactive(file)", "SReclaimable"].map(|key| self.find(key));
        let [Some(active), Some(inactive), Some(reclaimable)] = parts else {
            return free.saturating_add(self.cached());
        };
        let Some(low) = low_watermark() else { return free.saturating_add(self.cached()) };
        let page_cache = active.saturating_add(inactive);
        free.saturating_sub(low)
            .saturating_add(page_cache - low.min(page_cache / 2))
            .saturating_add(reclaimable - low.min(reclaimable / 2))
    }

    fn find(&self, key: &str) -> Option<u64> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }
}

/// The sum of the low watermarks of `/proc/zoneinfo`, in pages.
pub(super) fn low_watermark_pages(zoneinfo: &str) -> u64 {
    zoneinfo
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("low"))
        .filter_map(|rest| rest.split_ascii_whitespace().next())
        .filter_map(|pages| pages.parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kilobytes_become_bytes_and_pages_stay_pages() {
        let meminfo = Meminfo::parse(
            "MemTotal:  100 kB\nHugePages_Total:   3\nCached: 7 kB\nSReclaimable: 2 kB\nodd line\n",
        )
        .unwrap();
        assert_eq!(meminfo.get("MemTotal"), 102_400);
        assert_eq!(meminfo.get("HugePages_Total"), 3);
        assert_eq!(meminfo.cached(), 9 * 1024);
        assert_eq!(meminfo.get("Nosuch"), 0);
    }

    #[test]
    fn a_value_that_is_no_number_is_named() {
        let error = Meminfo::parse("MemTotal: many kB\n").unwrap_err();
        assert_eq!(error.to_string(), "meminfo: MemTotal: \"many kB\" is no number");
    }

    #[test]
    fn kernels_that_do_not_tell_what_is_available_have_it_worked_out() {
        let old = "MemFree: 100 kB\nCached: 50 kB\n";
        let meminfo = Meminfo::parse(old).unwrap();
        assert_eq!(meminfo.available(|| unreachable!("not asked")), 150 * 1024);

        let text = format!("{old}Active(file): 30 kB\nInactive(file): 10 kB\nSReclaimable: 8 kB\n");
        let meminfo = Meminfo::parse(&text).unwrap();
        let low = 10 * 1024;
        assert_eq!(meminfo.available(|| Some(low)), (90 + 30 + 4) * 1024);
    }

    #[test]
    fn the_low_watermarks_of_all_zones_add_up() {
        let zoneinfo = "Node 0, zone DMA\n  pages free 3\n        min 1\n        low      8\n        high 9\nNode 0, zone Normal\n        low      100\n";
        assert_eq!(low_watermark_pages(zoneinfo), 108);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([A-Za-z()]{0,8}:? {0,2}[0-9]{0,22}( kB)?\n){0,6}") {
            if let Ok(meminfo) = Meminfo::parse(&text) {
                meminfo.available(|| Some(1));
            }
        }
    }
}

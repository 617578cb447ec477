//! Options that still work and are on their way out.
//!
//! # References
//! Telegraf's `config/deprecation.go`, for the words and for when a warning becomes an error.

/// The minor version of Telegraf 1 that this program stands in for.
const MINOR_VERSION: u32 = 40;

/// An option that a newer one has taken the place of.
#[derive(Debug, Clone, Copy)]
pub struct DeprecatedOption {
    /// Its name.
    pub option: &'static str,
    /// The version since which it is deprecated, such as `1.28.2`.
    pub since: &'static str,
    /// The version that was to be the first without it.
    pub removal: &'static str,
    /// What to do instead.
    pub notice: &'static str,
}

impl DeprecatedOption {
    /// Tells in the log that `plugin`, such as `inputs.mock`, is set up with the option: as an error
    /// once the version is reached that was to be without it.
    pub fn log_use_in(&self, plugin: &str) {
        let DeprecatedOption { option, since, removal, notice } = self;
        let (level, prefix) = if self.is_overdue() {
            (log::Level::Error, "DeprecationError")
        } else {
            (log::Level::Warn, "DeprecationWarning")
        };
        log::log!(
            target: "",
            level,
            "{prefix}: Option {option:?} of plugin {plugin:?} deprecated since version {since} and \
             will be removed in {removal}: {notice}"
        );
    }

    /// Whether the version is reached that was to be without it.
    pub fn is_overdue(&self) -> bool {
        let mut parts = self.removal.split('.').map(|part| part.parse().unwrap_or(0_u32));
        parts.next() == Some(1) && parts.next().is_some_and(|minor| minor <= MINOR_VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_overdue_from_the_version_that_was_to_be_without_it() {
        for (removal, is_overdue) in
            [("1.35.0", true), ("1.40.0", true), ("1.41.0", false), ("2.0.0", false)]
        {
            let option = DeprecatedOption { option: "o", since: "1.0", removal, notice: "" };
            assert_eq!(option.is_overdue(), is_overdue, "{removal}");
        }
    }
}

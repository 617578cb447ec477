//! Options that still work and are on their way out.
//!
//! # References
//! Telegraf's `config/deprecation.go`, for the words and for when a warning becomes an error.

use super::settings::{Data, Table};

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

    /// How often a plugin's settings set the option, in the tables of its lists, too; to set it to
    /// nothing is not to set it.
    pub fn n_uses(&self, settings: &Table) -> usize {
        let is_set = |data: &Data| match data {
            Data::String { text, .. } => !text.is_empty(),
            Data::Integer(number) => *number != 0,
            Data::Float(number) => *number != 0.0,
            Data::Boolean(is_on) => *is_on,
            Data::Datetime(_) | Data::Table(_) => true,
            Data::Array(values) => !values.is_empty(),
        };
        let entries = settings.entries().iter();
        let uses = entries.map(|entry| match &entry.value.data {
            data if entry.key == self.option => usize::from(is_set(data)),
            // Single tables hold names of the user's own.
            Data::Array(_) => entry.value.tables().map(|table| self.n_uses(table)).sum(),
            _ => 0,
        });
        uses.sum()
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
    use crate::plugin::settings::{Position, Value};

    const MIN: DeprecatedOption =
        DeprecatedOption { option: "min", since: "1.0.0", removal: "2.0.0", notice: "" };

    fn value(data: Data) -> Value {
        Value { position: Position::default(), data }
    }

    fn table(entries: Vec<(&str, Data)>) -> Table {
        let mut table = Table::new("a.conf".into(), "inputs.x", Position::default());
        for (key, data) in entries {
            table.push(key, Position::default(), value(data));
        }
        table
    }

    #[test]
    fn uses_are_counted_where_they_set_something() {
        let zero = || ("min", Data::Integer(0));
        let one = || ("min", Data::Float(1.0));
        let steps = [table(vec![one()]), table(vec![zero()]), table(vec![one()])];
        let steps = steps.into_iter().map(|step| value(Data::Table(step))).collect();
        let tags = Data::Table(table(vec![one()]));
        let settings = table(vec![one(), ("step", Data::Array(steps)), ("tags", tags)]);
        assert_eq!(MIN.n_uses(&settings), 3);
        assert_eq!(MIN.n_uses(&table(vec![zero()])), 0);
    }

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

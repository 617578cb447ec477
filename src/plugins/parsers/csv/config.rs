//! The options, and what they are made into.

use serde::{Deserialize, Serialize};

use super::records::{Blanks, Dialect};
use super::{Csv, Rules};
use crate::plugin::{Build, BuildError, Context, Parser, TimeFormat, time_zone};

/// The options beside `data_format = "csv"`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// The measurement; empty for the name of the input.
    pub metric_name: String,
    /// How many lines the header has.
    pub csv_header_row_count: i64,
    /// The names of the columns, in place of those of the header.
    pub csv_column_names: Vec<String>,
    /// The types of the columns; empty for what each value looks like.
    pub csv_column_types: Vec<String>,
    /// How many lines at the beginning are passed over.
    pub csv_skip_rows: i64,
    /// How many columns at the beginning are passed over.
    pub csv_skip_columns: i64,
    /// How many lines behind those hold a key and a value.
    pub csv_metadata_rows: i64,
    /// What may stand between key and value there.
    pub csv_metadata_separators: Vec<String>,
    /// The characters that are taken off around key and value there.
    pub csv_metadata_trim_set: String,
    /// The character between fields; empty for a comma.
    pub csv_delimiter: String,
    /// The character that makes a comment of a line; empty for none.
    pub csv_comment: String,
    /// Whether blanks around values are taken off.
    pub csv_trim_space: bool,
    /// The columns that become tags.
    pub csv_tag_columns: Vec<String>,
    /// Whether they have precedence over the metadata.
    pub csv_tag_overwrite: bool,
    /// The column whose value is the measurement; empty for none.
    pub csv_measurement_column: String,
    /// The column of the time; empty for none.
    pub csv_timestamp_column: String,
    /// How that time is written.
    pub csv_timestamp_format: String,
    /// The time zone of times that name none; empty for UTC.
    pub csv_timezone: String,
    /// Values that stand for none.
    pub csv_skip_values: Vec<String>,
    /// Whether a record that is no metric is passed over.
    pub csv_skip_errors: bool,
    /// When a header is looked for again.
    pub csv_reset_mode: ResetMode,
}

/// When a header is looked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResetMode {
    /// When the input says that another file begins.
    #[default]
    #[serde(alias = "")]
    None,
    /// In each piece of input.
    Always,
}

impl Build<dyn Parser> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        self.check().map_err(BuildError::invalid)?;
        let delimiter = self.csv_delimiter.chars().next().unwrap_or(',');
        let stand_in = (!is_possible_delimiter(delimiter)).then_some(delimiter);
        let comment = self.csv_comment.chars().next();
        let delimiter = if stand_in.is_some() { ',' } else { delimiter };
        if comment.is_some_and(|c| c == delimiter || !is_possible_delimiter(c)) {
            return Err(BuildError::invalid(
                "csv: invalid field or comment delimiter: csv_comment must be another character \
                 than csv_delimiter, and no quote or line end",
            ));
        }
        let name = match self.metric_name.as_str() {
            "" => context.plugin_name(),
            name => name,
        };
        let mut separators: Vec<String> = Vec::new();
        for separator in &self.csv_metadata_separators {
            if !separators.contains(separator) {
                separators.push(separator.clone());
            }
        }
        // Of two that begin alike the longer one is meant.
        separators.sort_by_key(|separator| std::cmp::Reverse(separator.len()));
        let rules = Rules {
            name: name.into(),
            dialect: Dialect {
                delimiter,
                comment,
                blanks: if self.csv_trim_space { Blanks::Skip } else { Blanks::Keep },
            },
            stand_in,
            separators,
            time_format: match self.csv_timestamp_format.as_str() {
                "" => None,
                format => Some(TimeFormat::new(format)),
            },
            zone: time_zone(&self.csv_timezone)
                .map_err(|error| BuildError::invalid(format!("invalid timezone: {error}")))?,
            config: self,
        };
        Ok(Box::new(Csv::new(rules, context.system.clock.clone(), context.log.clone())))
    }
}

impl Config {
    fn check(&self) -> Result<(), String> {
        if self.csv_header_row_count == 0 && self.csv_column_names.is_empty() {
            return Err("`csv_header_row_count` must be defined if `csv_column_names` is not \
                        specified"
                .into());
        }
        for (option, value) in
            [("csv_delimiter", &self.csv_delimiter), ("csv_comment", &self.csv_comment)]
        {
            if value.chars().count() > 1 {
                return Err(format!("{option} must be a single character, got: {value}"));
            }
        }
        let (names, types) = (self.csv_column_names.len(), self.csv_column_types.len());
        if names > 0 && types > 0 && names != types {
            return Err("csv_column_names field count doesn't match with csv_column_types".into());
        }
        if self.csv_metadata_rows > 0 && self.csv_metadata_separators.is_empty() {
            return Err("initializing separators failed: csv_metadata_separators required when \
                        specifying csv_metadata_rows"
                .into());
        }
        Ok(())
    }
}

/// Whether a character can stand between fields without being mistaken for something else.
fn is_possible_delimiter(c: char) -> bool {
    !matches!(c, '\0' | '"' | '\r' | '\n' | '\u{fffd}')
}

//! Which metrics a plugin sees, and which of their tags and fields.
//!
//! Selecting asks for the whole metric: `namepass`, `namedrop`, `tagpass`, `tagdrop`,
//! `metricpass`. Modifying
//! takes fields and tags away: `fieldinclude`, `fieldexclude`, `taginclude`, `tagexclude`.
//!
//! # References
//! Telegraf's `docs/CONFIGURATION.md`, "Metric Filtering"; `models/filter.go` for the corners.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::metricpass::{Condition, ConditionError};
use super::options::FilterOptions;
use crate::metric::{Metric, Tag};
use crate::plugin::glob::GlobError;
use crate::plugin::{Patterns, PluginLog};
use crate::system::Clock;

/// Why a filter could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A pattern of the option is wrong.
    #[error("error compiling '{option}', {source}")]
    Pattern {
        /// The option, such as `namepass`.
        option: &'static str,
        /// What is wrong with which pattern.
        source: GlobError,
    },
    /// The condition of `metricpass` is wrong.
    #[error("{0}")]
    Metricpass(#[from] ConditionError),
}

/// A compiled filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    names: IncludeExclude,
    /// `None` passes all; an empty list passes none, as a `tagpass` without values does.
    tagpass: Option<Vec<(String, Patterns)>>,
    tagdrop: Vec<(String, Patterns)>,
    fields: IncludeExclude,
    tags: IncludeExclude,
    condition: Option<Arc<Condition>>,
}

impl Filter {
    /// Compiles the patterns and the condition, which asks `clock` for the time and tells `log`
    /// of metrics that it cannot judge.
    ///
    /// # Errors
    /// The first pattern that is wrong, with its option; else the condition, if that is wrong.
    pub fn new(
        options: &FilterOptions,
        clock: &Arc<dyn Clock>,
        log: &PluginLog,
    ) -> Result<Filter, FilterError> {
        let tagpass = options
            .tagpass
            .as_ref()
            // A table without any tag is no filter.
            .filter(|tags| !tags.is_empty())
            .map(|tags| tag_patterns("tagpass", tags))
            .transpose()?;
        let tagdrop = match &options.tagdrop {
            Some(tags) => tag_patterns("tagdrop", tags)?,
            None => Vec::new(),
        };
        let condition = match options.metricpass.as_str() {
            "" => None,
            expression => Some(Arc::new(Condition::new(expression, clock.clone(), log.clone())?)),
        };
        Ok(Filter {
            condition,
            names: IncludeExclude {
                include: patterns("namepass", &options.namepass, &options.namepass_separator)?,
                exclude: patterns("namedrop", &options.namedrop, &options.namedrop_separator)?,
            },
            tagpass,
            tagdrop,
            fields: IncludeExclude {
                include: patterns("fieldinclude", &options.fieldinclude, "")?,
                exclude: patterns("fieldexclude", &options.fieldexclude, "")?,
            },
            tags: IncludeExclude {
                include: patterns("taginclude", &options.taginclude, "")?,
                exclude: patterns("tagexclude", &options.tagexclude, "")?,
            },
        })
    }

    /// Compiles patterns that are known to be right.
    #[cfg(test)]
    pub(crate) fn for_test(options: &FilterOptions) -> Filter {
        let clock: Arc<dyn Clock> =
            Arc::new(crate::system::fake::FakeClock::at(crate::metric::Timestamp::EPOCH));
        Filter::new(options, &clock, &PluginLog::new("inputs.test")).unwrap()
    }

    /// Whether everything passes as it is.
    pub fn passes_all(&self) -> bool {
        // Taken apart, so that a part that is added later cannot be forgotten here.
        let Filter { names, tagpass, tagdrop, fields, tags, condition } = self;
        names.passes_all()
            && tagpass.is_none()
            && tagdrop.is_empty()
            && fields.passes_all()
            && tags.passes_all()
            && condition.is_none()
    }

    /// Whether the metric as a whole passes.
    pub fn selects(&self, metric: &Metric) -> bool {
        self.names.passes(&metric.name)
            && self.tagpass.as_ref().is_none_or(|wanted| any_tag_matches(wanted, metric.tags()))
            && !any_tag_matches(&self.tagdrop, metric.tags())
            && self.condition.as_ref().is_none_or(|condition| condition.passes(metric))
    }

    /// Whether [`Filter::modify`] leaves every metric as it is.
    pub fn keeps_all_parts(&self) -> bool {
        self.fields.passes_all() && self.tags.passes_all()
    }

    /// Takes away the fields and tags that do not pass; the metric may have no field left.
    pub fn modify(&self, metric: &mut Metric) {
        if !self.fields.passes_all() {
            metric.retain_fields(|field| self.fields.passes(&field.key));
        }
        if !self.tags.passes_all() {
            metric.retain_tags(|tag| self.tags.passes(&tag.key));
        }
    }
}

fn tag_patterns(
    option: &'static str,
    tags: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<(String, Patterns)>, FilterError> {
    tags.iter()
        .filter_map(|(key, values)| {
            // A tag without values matches nothing.
            patterns(option, values, "")
                .map(|patterns| patterns.map(|patterns| (key.clone(), patterns)))
                .transpose()
        })
        .collect()
}

fn any_tag_matches(wanted: &[(String, Patterns)], tags: &[Tag]) -> bool {
    wanted.iter().any(|(key, patterns)| {
        tags.iter().any(|tag| tag.key == key.as_str() && patterns.match_any(&tag.value))
    })
}

#[derive(Debug, Clone, Default)]
struct IncludeExclude {
    include: Option<Patterns>,
    exclude: Option<Patterns>,
}

impl IncludeExclude {
    fn passes_all(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    fn passes(&self, text: &str) -> bool {
        self.include.as_ref().is_none_or(|patterns| patterns.match_any(text))
            && !self.exclude.as_ref().is_some_and(|patterns| patterns.match_any(text))
    }
}

fn patterns(
    option: &'static str,
    list: &[String],
    separators: &str,
) -> Result<Option<Patterns>, FilterError> {
    Patterns::with_separators(list, separators)
        .map_err(|source| FilterError::Pattern { option, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    fn filter(options: &FilterOptions) -> Result<Filter, FilterError> {
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::at(Timestamp::EPOCH));
        Filter::new(options, &clock, &PluginLog::new("inputs.test"))
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn tags(wanted: &[(&str, &[&str])]) -> Option<BTreeMap<String, Vec<String>>> {
        Some(wanted.iter().map(|(key, values)| ((*key).to_owned(), list(values))).collect())
    }

    fn metric() -> Metric {
        Metric::new("cpu", Timestamp::EPOCH)
            .with_tag("cpu", "cpu0")
            .with_tag("host", "a")
            .with_field("usage_idle", 90.0)
            .with_field("time_idle", 1.0)
    }

    fn selects(options: FilterOptions) -> bool {
        filter(&options).unwrap().selects(&metric())
    }

    #[test]
    fn names_pass_if_listed_and_not_dropped() {
        let with = |namepass: &[&str], namedrop: &[&str]| {
            selects(FilterOptions {
                namepass: list(namepass),
                namedrop: list(namedrop),
                ..FilterOptions::default()
            })
        };
        assert!(with(&[], &[]));
        assert!(with(&["c*"], &[]));
        assert!(!with(&["mem"], &[]));
        assert!(!with(&["c*"], &["cpu"]));
        assert!(!with(&[], &["*"]));
        assert!(!with(&["{cpu,mem}"], &[]), "braces alone are letters");
        assert!(with(&["{cpu,mem}", "x*"], &[]), "beside a wildcard they are an alternation");
    }

    #[test]
    fn one_tag_of_tagpass_is_enough_and_one_of_tagdrop_too() {
        let with = |tagpass, tagdrop| {
            selects(FilterOptions { tagpass, tagdrop, ..FilterOptions::default() })
        };
        assert!(with(tags(&[("cpu", &["cpu9"]), ("host", &["a"])]), None));
        assert!(!with(tags(&[("cpu", &["cpu9"]), ("rack", &["*"])]), None));
        assert!(!with(tags(&[("cpu", &[])]), None), "a tagpass without values drops everything");
        assert!(with(None, tags(&[("cpu", &[])])), "a tagdrop without values drops nothing");
        assert!(!with(None, tags(&[("rack", &["x"]), ("cpu", &["cpu*"])])));
        assert!(with(tags(&[]), tags(&[])));
    }

    #[test]
    fn fields_and_tags_are_taken_away() {
        let filter = filter(&FilterOptions {
            fieldexclude: list(&["time_*"]),
            taginclude: list(&["cpu"]),
            ..FilterOptions::default()
        })
        .unwrap();
        let mut metric = metric();
        filter.modify(&mut metric);
        assert_eq!(metric.fields().len(), 1);
        assert_eq!(metric.tag("host"), None);
        assert_eq!(metric.tag("cpu"), Some("cpu0"));
    }

    #[test]
    fn a_wrong_pattern_is_reported_with_its_option() {
        let error = filter(&FilterOptions {
            fieldinclude: list(&["a*", "[z"]),
            ..FilterOptions::default()
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "error compiling 'fieldinclude', invalid pattern \"[z\": unexpected end of input"
        );
    }
}

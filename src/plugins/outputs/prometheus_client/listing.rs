//! All that is told in one answer, put in order and held together.
//!
//! # References
//! `Registry.Gather` of `client_golang` for what cannot stand beside what.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::metric::{Timestamp, ValueType};
use crate::plugin::exposition::{Label, Measured, Style, TextWriter, Times};

/// Families and their series, from all sources.
pub(super) struct Listing<'s> {
    families: BTreeMap<&'s str, Family<'s>>,
    first_refusal: Option<Refusal>,
}

struct Family<'s> {
    value_type: ValueType,
    help: &'static str,
    series: Vec<ListedSeries<'s>>,
}

/// A series as it is told.
pub(super) struct ListedSeries<'s> {
    pub(super) labels: Cow<'s, [Label]>,
    pub(super) time: Timestamp,
    pub(super) measured: Cow<'s, Measured>,
}

/// What cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Two sources mean different things by one name.
    #[error("collected metric {0} is of another type than one of that name collected before")]
    OtherMeaning(String),
    /// A sample of one family would look like one of another.
    #[error(
        "collected metric named {name:?} collides with previously collected one named {other:?}"
    )]
    Collision { name: String, other: String },
    /// Labels cannot be called so.
    #[error("{label:?} is not a valid label name for metric {name:?}")]
    LabelName { name: String, label: String },
    /// There are two labels of one name.
    #[error("duplicate label names in constant and variable labels for metric {0:?}")]
    LabelTwice(String),
    /// There are two series with the same labels.
    #[error("collected metric {0:?} was collected before with the same name and label values")]
    SeriesTwice(String),
}

impl<'s> Listing<'s> {
    /// Makes an empty list.
    pub(super) fn new() -> Listing<'s> {
        Listing { families: BTreeMap::new(), first_refusal: None }
    }

    /// Puts series on the list; those that do not go with what is there are left out.
    pub(super) fn add(
        &mut self,
        name: &'s str,
        value_type: ValueType,
        help: &'static str,
        series: impl IntoIterator<Item = ListedSeries<'s>>,
    ) {
        let known = self.families.get(name).map(|family| (family.value_type, family.help));
        let refusal = match known {
            Some(known) if known != (value_type, help) => {
                Some(Refusal::OtherMeaning(name.to_owned()))
            }
            Some(_) => None,
            None => self
                .collision(name, value_type)
                .map(|other| Refusal::Collision { name: name.to_owned(), other }),
        };
        if refusal.is_some() {
            return self.refuse(refusal);
        }
        let mut sound = Vec::new();
        for mut series in series {
            if !series.labels.is_sorted_by(|a, b| a.name <= b.name) {
                series.labels.to_mut().sort_by(|a, b| a.name.cmp(&b.name));
            }
            match fault_of(name, value_type, &series.labels) {
                None => sound.push(series),
                refusal => self.refuse(refusal),
            }
        }
        let empty = Family { value_type, help, series: Vec::new() };
        self.families.entry(name).or_insert(empty).series.append(&mut sound);
    }

    /// The family whose samples would be mixed up with those of a new one.
    fn collision(&self, name: &str, value_type: ValueType) -> Option<String> {
        let type_of = |name: &str| self.families.get(name).map(|family| family.value_type);
        let both = [ValueType::Histogram, ValueType::Summary];
        for (suffix, types) in [("_count", &both[..]), ("_sum", &both), ("_bucket", &both[..1])] {
            if let Some(stem) = name.strip_suffix(suffix)
                && type_of(stem).is_some_and(|value_type| types.contains(&value_type))
            {
                return Some(stem.to_owned());
            }
            let part = format!("{name}{suffix}");
            if types.contains(&value_type) && self.families.contains_key(part.as_str()) {
                return Some(part);
            }
        }
        None
    }

    fn refuse(&mut self, refusal: Option<Refusal>) {
        self.first_refusal = self.first_refusal.take().or(refusal);
    }

    /// Puts the series in order and appends the text of the families whose name is `wanted`;
    /// returns the first thing that could not be told.
    pub(super) fn write(
        mut self,
        style: Style,
        wanted: impl Fn(&str) -> bool,
        out: &mut Vec<u8>,
    ) -> Option<Refusal> {
        let families = std::mem::take(&mut self.families);
        let mut text = TextWriter::new(style, out);
        for (name, mut family) in families {
            family.series.sort_by(|a, b| order(a, b));
            let before = family.series.len();
            family.series.dedup_by(|a, b| is_same(a, b, style.times));
            if family.series.len() < before {
                self.refuse(Some(Refusal::SeriesTwice(name.to_owned())));
            }
            if family.series.is_empty() || !wanted(name) {
                continue;
            }
            let mut writer = text.family(name, family.value_type, family.help);
            for series in &family.series {
                writer.series(&series.labels, series.time, &series.measured);
            }
        }
        self.first_refusal
    }
}

/// Fewer labels first, then by their values.
fn order(a: &ListedSeries<'_>, b: &ListedSeries<'_>) -> std::cmp::Ordering {
    a.labels
        .len()
        .cmp(&b.labels.len())
        .then_with(|| {
            let others = b.labels.iter().map(|label| &label.value);
            a.labels.iter().map(|label| &label.value).cmp(others)
        })
        .then_with(|| a.labels.cmp(&b.labels))
        .then_with(|| a.time.cmp(&b.time))
}

fn is_same(a: &ListedSeries<'_>, b: &ListedSeries<'_>, times: Times) -> bool {
    a.labels == b.labels && (times == Times::LeftOut || a.time.millis() == b.time.millis())
}

/// What is wrong with the labels of a series, which are sorted.
fn fault_of(name: &str, value_type: ValueType, labels: &[Label]) -> Option<Refusal> {
    let is_reserved = |label: &&Label| {
        label.name.starts_with("__") || value_type == ValueType::Summary && label.name == "quantile"
    };
    if let Some(label) = labels.iter().find(is_reserved) {
        return Some(Refusal::LabelName { name: name.to_owned(), label: label.name.to_string() });
    }
    let is_twice = labels.windows(2).any(|pair| pair[0].name == pair[1].name);
    is_twice.then(|| Refusal::LabelTwice(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ValueType::{Counter, Gauge, Histogram, Summary, Untyped};

    fn series(labels: &[(&str, &str)], value: f64) -> ListedSeries<'static> {
        let label =
            |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
        ListedSeries {
            labels: labels.iter().map(label).collect(),
            time: Timestamp::from_millis(value as i64),
            measured: Cow::Owned(Measured::Single(value)),
        }
    }

    fn written(listing: Listing<'_>, style: Style) -> (String, Option<Refusal>) {
        let mut out = Vec::new();
        let refusal = listing.write(style, |name| name != "unwanted", &mut out);
        let text = String::from_utf8(out).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        (samples.collect::<Vec<_>>().join(" "), refusal)
    }

    #[test]
    fn families_and_series_are_put_in_order() {
        let mut listing = Listing::new();
        listing.add("b", Gauge, "h", [series(&[("x", "2")], 1.0), series(&[("z", "1")], 2.0)]);
        listing.add("unwanted", Gauge, "h", [series(&[], 1.0)]);
        listing.add("empty", Gauge, "h", []);
        listing.add("a", Untyped, "h", [series(&[("z", "1"), ("y", "2")], 3.0)]);
        listing.add("b", Gauge, "h", [series(&[], 4.0)]);
        let expected = "a{y=\"2\",z=\"1\"} 3 b 4 b{z=\"1\"} 2 b{x=\"2\"} 1";
        assert_eq!(written(listing, Style::default()), (expected.to_owned(), None));
    }

    #[test]
    fn what_does_not_go_with_the_rest_is_left_out() {
        for (first, second) in [
            (("a", Gauge), ("a", Counter)),
            (("a", Histogram), ("a_bucket", Gauge)),
            (("a", Summary), ("a_sum", Gauge)),
            (("a_count", Gauge), ("a", Histogram)),
            (("a_sum", Gauge), ("a", Summary)),
        ] {
            let mut listing = Listing::new();
            for (name, value_type) in [first, second] {
                listing.add(name, value_type, "h", [series(&[], 1.0)]);
            }
            let (text, refusal) = written(listing, Style::default());
            assert_eq!(text, format!("{} 1", first.0));
            assert!(refusal.is_some());
        }
        let mut listing = Listing::new();
        listing.add("a", Summary, "h", [series(&[], 1.0)]);
        listing.add("a_bucket", Gauge, "h", [series(&[], 2.0)]);
        assert_eq!(written(listing, Style::default()), ("a 1 a_bucket 2".to_owned(), None));
    }

    #[test]
    fn series_with_labels_that_cannot_be_are_left_out() {
        for (value_type, labels, is_told) in [
            (Gauge, &[("__name__", "x")][..], false),
            (Gauge, &[("a", "1"), ("a", "2")], false),
            (Summary, &[("quantile", "1")], false),
            (Gauge, &[("quantile", "1")], true),
        ] {
            let mut listing = Listing::new();
            listing.add("m", value_type, "h", [series(labels, 1.0)]);
            let (text, refusal) = written(listing, Style::default());
            assert_eq!((!text.is_empty(), refusal.is_none()), (is_told, is_told), "{labels:?}");
        }
    }

    #[test]
    fn of_series_with_the_same_labels_one_is_told_unless_times_tell_them_apart() {
        let listing = || {
            let mut listing = Listing::new();
            let both = [series(&[("a", "1")], 1.0), series(&[("a", "1")], 2.0)];
            listing.add("m", Gauge, "h", both);
            listing
        };
        let (text, refusal) = written(listing(), Style::default());
        assert_eq!(text, "m{a=\"1\"} 1");
        assert_eq!(refusal, Some(Refusal::SeriesTwice("m".to_owned())));
        let style = Style { times: Times::Written, ..Style::default() };
        let expected = "m{a=\"1\"} 1 1 m{a=\"1\"} 2 2";
        assert_eq!(written(listing(), style), (expected.to_owned(), None));
    }
}

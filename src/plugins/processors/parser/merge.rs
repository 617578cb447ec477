//! How a metric and what was parsed out of it are put together.

use super::untimed::NO_TIME;
use crate::metric::Metric;

/// What becomes of the metric that was parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Original {
    Keep,
    Drop,
}

/// Whose time a merged metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// That of the metric which others are merged into.
    First,
    /// That of what was parsed, where it has one.
    Parsed,
}

/// How metrics are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Not at all.
    Nothing,
    /// All into the first.
    Override(Times),
    /// Each one into a copy of the metric that was parsed.
    Parent(Times),
}

impl Merge {
    pub(super) fn named(name: &str) -> Option<Merge> {
        match name {
            "" | "none" => Some(Merge::Nothing),
            "override" => Some(Merge::Override(Times::First)),
            "override-with-timestamp" => Some(Merge::Override(Times::Parsed)),
            "parent" => Some(Merge::Parent(Times::First)),
            "parent-with-timestamp" => Some(Merge::Parent(Times::Parsed)),
            _ => None,
        }
    }

    /// Whether it matters if parsed metrics have times of their own.
    pub(super) fn wants_own_times(self) -> bool {
        matches!(self, Merge::Override(Times::Parsed) | Merge::Parent(Times::Parsed))
    }

    /// Adds to `results` what a metric and what was parsed out of it come to.
    pub(super) fn apply(
        self,
        metric: Metric,
        parsed: Vec<Metric>,
        original: Original,
        results: &mut Vec<Metric>,
    ) {
        match self {
            Merge::Nothing => {
                results.extend((original == Original::Keep).then_some(metric));
                results.extend(parsed);
            }
            Merge::Override(times) => {
                let time = metric.time;
                let kept = (original == Original::Keep).then_some(metric);
                let mut metrics = kept.into_iter().chain(parsed);
                let Some(mut merged) = metrics.next() else { return };
                if merged.time == NO_TIME {
                    merged.time = time;
                }
                metrics.for_each(|other| merge_into(&mut merged, other, times));
                results.push(merged);
            }
            Merge::Parent(times) => {
                let merged = |other| {
                    let mut merged = metric.clone();
                    merge_into(&mut merged, other, times);
                    merged
                };
                let children: Vec<_> = parsed.into_iter().map(merged).collect();
                results.extend((original == Original::Keep).then_some(metric));
                results.extend(children);
            }
        }
    }
}

fn merge_into(merged: &mut Metric, other: Metric, times: Times) {
    for field in other.fields() {
        merged.set_field(field.key.clone(), field.value.clone());
    }
    for tag in other.tags() {
        merged.set_tag(tag.key.clone(), tag.value.clone());
    }
    if times == Times::Parsed && other.time != NO_TIME {
        merged.time = other.time;
    }
    merged.name = other.name;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;

    fn metric(name: &str, seconds: i64, field: &str) -> Metric {
        Metric::new(name, Timestamp::from_seconds(seconds)).with_field(field, seconds)
    }

    fn merged(merge: &str, original: Original) -> Vec<String> {
        let mut untimed = metric("b", 3, "y").with_tag("t", "b");
        untimed.time = NO_TIME;
        let parsed = vec![metric("a", 2, "x"), untimed];
        let mut results = Vec::new();
        Merge::named(merge).unwrap().apply(metric("m", 1, "x"), parsed, original, &mut results);
        let shown = |metric: &Metric| {
            let fields = metric.fields().iter().map(|field| format!(" {}", field.key));
            let time = if metric.time == NO_TIME { -1 } else { metric.time.seconds() };
            format!("{}{}{} {time}", metric.name, metric.tags().len(), fields.collect::<String>())
        };
        results.iter().map(shown).collect()
    }

    #[test]
    fn metrics_are_put_together_as_the_option_says() {
        use Original::{Drop, Keep};
        for (merge, original, expected) in [
            ("none", Keep, &["m0 x 1", "a0 x 2", "b1 y -1"][..]),
            ("none", Drop, &["a0 x 2", "b1 y -1"]),
            ("override", Keep, &["b1 x y 1"]),
            ("override", Drop, &["b1 x y 2"]),
            ("override-with-timestamp", Keep, &["b1 x y 2"]),
            ("parent", Keep, &["m0 x 1", "a0 x 1", "b1 x y 1"]),
            ("parent", Drop, &["a0 x 1", "b1 x y 1"]),
            ("parent-with-timestamp", Drop, &["a0 x 2", "b1 x y 1"]),
        ] {
            assert_eq!(merged(merge, original), expected, "{merge} {original:?}");
        }
        assert_eq!(Merge::named("other"), None);
    }
}

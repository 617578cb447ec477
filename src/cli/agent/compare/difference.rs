//! Holds what two programs have written against each other: two sets of series in, what differs
//! out. Nothing here knows where the series come from.
//!
//! Two programs never read a counter at the same instant, so numbers are told by how far they lie
//! apart. They differ only where even the closest two lie further apart than the tolerance allows
//! and than the number moves by itself. Everything else, names, types, texts, has to be the same.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;

use super::readings::{Fields, Readings, SeriesId, Values};
use super::tags::{Likeness, pair_up, without_ignored};
use super::values::{Distance, pairs, type_name};
use crate::metric::{Timestamp, Value};
use crate::plugin::glob::Glob;

/// How many differences are kept to be shown; the others are only counted.
const MOST_DIFFERENCES: usize = 10_000;

/// What counts as a difference.
pub(super) struct Rules {
    /// How far the times of two values may lie apart that are compared with each other.
    pub reach: Duration,
    /// How far numbers may lie apart, as a share of the greater one.
    pub tolerance: f64,
    /// What is left out: measurements, and fields and tags as `MEASUREMENT.FIELD`.
    pub ignored: Vec<Glob>,
}

impl Rules {
    /// Whether a measurement is left out altogether.
    pub(super) fn ignores(&self, measurement: &str) -> bool {
        self.ignored.iter().any(|glob| glob.matches(measurement))
    }

    /// Whether a field or a tag of a measurement is left out.
    pub(super) fn ignores_key(&self, measurement: &str, key: &str) -> bool {
        !self.ignored.is_empty() && self.ignores(&format!("{measurement}.{key}"))
    }
}

/// What the comparison has come to.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// What was compared, by measurement.
    pub measurements: BTreeMap<CompactString, Measurement>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// How many differences there are, those that were not kept among them.
    pub n_differences: u64,
    /// How many pairs of values were compared.
    pub n_pairs: u64,
    /// How many of these pairs have the same time.
    pub n_same_time: u64,
}

/// What there is of one measurement.
#[derive(Debug, Default)]
pub(super) struct Measurement {
    pub n_both: u64,
    pub n_missing: u64,
    pub n_extra: u64,
    /// The fields that both have.
    pub fields: BTreeMap<CompactString, FieldSummary>,
}

/// How the values of one field lie to each other, over all series of its measurement.
#[derive(Debug, Default)]
pub(super) struct FieldSummary {
    pub type_name: &'static str,
    pub n_pairs: u64,
    pub n_equal: u64,
    pub farthest: Distance,
}

/// One thing that is not the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub series: SeriesId,
    pub finding: Finding,
}

/// What is not the same; *missing* is what only the other program has, *extra* what only ours has.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    SeriesMissing,
    SeriesExtra,
    TagMissing {
        key: CompactString,
        value: CompactString,
    },
    TagExtra {
        key: CompactString,
        value: CompactString,
    },
    TagDiffers {
        key: CompactString,
        ours: CompactString,
        theirs: CompactString,
    },
    FieldMissing {
        field: CompactString,
    },
    FieldExtra {
        field: CompactString,
    },
    TypeDiffers {
        field: CompactString,
        ours: &'static str,
        theirs: &'static str,
    },
    /// Texts and truth values that are not the same.
    ValueDiffers {
        field: CompactString,
        ours: Value,
        theirs: Value,
    },
    /// Numbers that lie too far apart, even the closest two of them.
    TooFarApart {
        field: CompactString,
        ours: Value,
        theirs: Value,
        distance: Distance,
    },
    /// No two values have times near each other.
    TimesApart {
        field: CompactString,
        ours: Timestamp,
        theirs: Timestamp,
    },
    /// One program has written the field much more often.
    CountDiffers {
        field: CompactString,
        ours: usize,
        theirs: usize,
    },
}

/// Compares what ours has written with what the other program has.
pub(super) fn compare(ours: Readings, theirs: Readings, rules: &Rules) -> Comparison {
    let mut ours = without_ignored(ours, rules);
    let mut theirs = without_ignored(theirs, rules);
    let mut comparer = Comparer { rules, result: Comparison::default() };
    let common: Vec<SeriesId> =
        ours.keys().filter(|id| theirs.contains_key(*id)).cloned().collect();
    for id in common {
        let (Some(our_fields), Some(their_fields)) = (ours.remove(&id), theirs.remove(&id)) else {
            continue;
        };
        comparer.measurement(&id).n_both += 1;
        comparer.fields(&id, &our_fields, &their_fields);
    }
    // What has no counterpart may be one series whose tags differ.
    for Likeness { ours: our_id, theirs: their_id, findings } in pair_up(&ours, &theirs) {
        let (Some(our_fields), Some(their_fields)) =
            (ours.remove(&our_id), theirs.remove(&their_id))
        else {
            continue;
        };
        comparer.measurement(&their_id).n_both += 1;
        for finding in findings {
            comparer.report(&their_id, finding);
        }
        comparer.fields(&their_id, &our_fields, &their_fields);
    }
    for id in theirs.keys() {
        comparer.measurement(id).n_missing += 1;
        comparer.report(id, Finding::SeriesMissing);
    }
    for id in ours.keys() {
        comparer.measurement(id).n_extra += 1;
        comparer.report(id, Finding::SeriesExtra);
    }
    comparer.result
}

struct Comparer<'r> {
    rules: &'r Rules,
    result: Comparison,
}

impl Comparer<'_> {
    fn measurement(&mut self, id: &SeriesId) -> &mut Measurement {
        self.result.measurements.entry(id.measurement.clone()).or_default()
    }

    fn report(&mut self, series: &SeriesId, finding: Finding) {
        self.result.n_differences += 1;
        if self.result.differences.len() < MOST_DIFFERENCES {
            self.result.differences.push(Difference { series: series.clone(), finding });
        }
    }

    fn fields(&mut self, id: &SeriesId, ours: &Fields, theirs: &Fields) {
        let is_ignored = |field: &str| self.rules.ignores_key(&id.measurement, field);
        let missing: Vec<_> = theirs
            .keys()
            .filter(|field| !ours.contains_key(*field) && !is_ignored(field))
            .map(|field| Finding::FieldMissing { field: field.clone() })
            .collect();
        let mut extra = Vec::new();
        let mut common = Vec::new();
        for (field, values) in ours.iter().filter(|(field, _)| !is_ignored(field)) {
            match theirs.get(field) {
                Some(other) => common.push((field, values, other)),
                None => extra.push(Finding::FieldExtra { field: field.clone() }),
            }
        }
        for finding in missing.into_iter().chain(extra) {
            self.report(id, finding);
        }
        for (field, ours, theirs) in common {
            self.values(id, field, ours, theirs);
        }
    }

    fn values(&mut self, id: &SeriesId, field: &CompactString, ours: &Values, theirs: &Values) {
        let found = Found::new(ours, theirs, self.rules);
        let result = &mut self.result;
        result.n_pairs += found.n_pairs;
        result.n_same_time += found.n_same_time;
        let measurement = result.measurements.entry(id.measurement.clone()).or_default();
        let summary = measurement.fields.entry(field.clone()).or_default();
        summary.type_name = ours.first().map_or("", |(_, value)| type_name(value));
        summary.n_pairs += found.n_pairs;
        summary.n_equal += found.n_equal;
        summary.farthest = summary.farthest.max(found.farthest);
        if let Some(finding) = found.finding(field, ours, theirs) {
            self.report(id, finding);
        }
    }
}

/// What the pairs of values of one field are like.
#[derive(Default)]
struct Found {
    n_pairs: u64,
    n_same_time: u64,
    n_equal: u64,
    farthest: Distance,
    first_types: Option<(&'static str, &'static str)>,
    first_unequal: Option<(Value, Value)>,
    /// The two numbers that lie closest to each other, as long as all lie too far apart.
    closest: Option<(Distance, Value, Value)>,
    is_some_number_near: bool,
    /// How many values one round may bring.
    n_of_one_time: usize,
}

impl Found {
    fn new(ours: &Values, theirs: &Values, rules: &Rules) -> Found {
        let mut found = Found {
            n_of_one_time: values_of_one_time(ours).max(values_of_one_time(theirs)),
            ..Found::default()
        };
        let own_movement = movement(ours).max(movement(theirs));
        for (i, j) in pairs(ours, theirs, rules.reach) {
            let ((our_time, our_value), (their_time, their_value)) = (&ours[i], &theirs[j]);
            found.n_pairs += 1;
            found.n_same_time += u64::from(our_time == their_time);
            found.n_equal += u64::from(our_value == their_value);
            let types = (type_name(our_value), type_name(their_value));
            if types.0 != types.1 {
                found.first_types.get_or_insert(types);
            } else if let Some(distance) = Distance::between(our_value, their_value) {
                found.farthest = found.farthest.max(distance);
                let is_near =
                    distance.relative <= rules.tolerance || distance.absolute <= 2.0 * own_movement;
                found.is_some_number_near |= is_near;
                let is_closer =
                    |(closest, ..): &(Distance, Value, Value)| distance.absolute < closest.absolute;
                if found.closest.as_ref().is_none_or(is_closer) {
                    found.closest = Some((distance, our_value.clone(), their_value.clone()));
                }
            } else if !is_near_in_time(our_value, theirs, j)
                && !is_near_in_time(their_value, ours, i)
            {
                found.first_unequal.get_or_insert((our_value.clone(), their_value.clone()));
            }
        }
        found
    }

    /// The gravest thing that is wrong with the field.
    fn finding(self, field: &CompactString, ours: &Values, theirs: &Values) -> Option<Finding> {
        let field = field.clone();
        if let Some((ours, theirs)) = self.first_types {
            return Some(Finding::TypeDiffers { field, ours, theirs });
        }
        if let Some((ours, theirs)) = self.first_unequal {
            return Some(Finding::ValueDiffers { field, ours, theirs });
        }
        if let Some((distance, ours, theirs)) = self.closest
            && !self.is_some_number_near
        {
            return Some(Finding::TooFarApart { field, ours, theirs, distance });
        }
        if self.n_pairs == 0
            && let (Some((ours, _)), Some((theirs, _))) = (ours.first(), theirs.first())
        {
            return Some(Finding::TimesApart { field, ours: *ours, theirs: *theirs });
        }
        // A round at either end may have been seen by one of the two only.
        let (ours, theirs) = (ours.len(), theirs.len());
        (ours.abs_diff(theirs) > self.n_of_one_time).then_some(Finding::CountDiffers {
            field,
            ours,
            theirs,
        })
    }
}

/// Whether a text or truth value is among those around `at`: it may have changed between the two
/// readings.
fn is_near_in_time(value: &Value, others: &Values, at: usize) -> bool {
    let around = at.saturating_sub(1)..(at + 2).min(others.len());
    others[around].iter().any(|(_, other)| other == value)
}

/// How far the numbers of a field lie apart by themselves.
fn movement(values: &Values) -> f64 {
    let numbers = || values.iter().filter_map(|(_, value)| value.as_f64());
    let (least, greatest) = numbers().fold((f64::INFINITY, f64::NEG_INFINITY), |range, number| {
        (range.0.min(number), range.1.max(number))
    });
    if least <= greatest { greatest - least } else { 0.0 }
}

/// The most values that have the same time.
fn values_of_one_time(values: &Values) -> usize {
    values.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;

//! Series that are the same but for some of their tags.

use std::collections::BTreeMap;

use super::difference::{Finding, Rules};
use super::readings::{Fields, Readings, SeriesId};
use crate::metric::Tag;

/// Up to how many series of a measurement without a counterpart are held against each other.
const MOST_SERIES: usize = 500;

/// All series of a program, without what the rules ignore.
pub(super) fn without_ignored(readings: Readings, rules: &Rules) -> BTreeMap<SeriesId, Fields> {
    let all = readings.sorted().series;
    if rules.ignored.is_empty() {
        return all;
    }
    let mut kept: BTreeMap<SeriesId, Fields> = BTreeMap::new();
    for (mut id, fields) in all {
        if rules.ignores(&id.measurement) {
            continue;
        }
        let measurement = id.measurement.clone();
        id.tags.retain(|tag| !rules.ignores_key(&measurement, &tag.key));
        let known = kept.entry(id).or_default();
        for (field, values) in fields {
            let known = known.entry(field).or_default();
            known.extend(values);
            known.sort_by_key(|(time, _)| *time);
        }
    }
    kept
}

/// Two series that are taken for one, and what their tags differ by.
pub(super) struct Likeness {
    pub ours: SeriesId,
    pub theirs: SeriesId,
    pub findings: Vec<Finding>,
}

/// Finds among series without a counterpart those that are alike but for their tags: each of ours
/// with the one of theirs that has most tags and fields in common with it.
pub(super) fn pair_up(
    ours: &BTreeMap<SeriesId, Fields>,
    theirs: &BTreeMap<SeriesId, Fields>,
) -> Vec<Likeness> {
    let mut found = Vec::new();
    let by_measurement = group(theirs);
    for (measurement, ours) in group(ours) {
        let Some(theirs) = by_measurement.get(measurement) else { continue };
        if ours.len().max(theirs.len()) > MOST_SERIES {
            continue;
        }
        let is_only_choice = ours.len() == 1 && theirs.len() == 1;
        let mut candidates = Vec::new();
        for (i, a) in ours.iter().enumerate() {
            for (j, b) in theirs.iter().enumerate() {
                if let Some(score) = score(*a, *b, is_only_choice) {
                    candidates.push((score, i, j));
                }
            }
        }
        // The best first; among equals the order of the series, so that the outcome is always the same.
        candidates.sort_by_key(|(score, i, j)| (std::cmp::Reverse(*score), *i, *j));
        let (mut our_taken, mut their_taken) = (vec![false; ours.len()], vec![false; theirs.len()]);
        for (_, i, j) in candidates {
            if our_taken[i] || their_taken[j] {
                continue;
            }
            (our_taken[i], their_taken[j]) = (true, true);
            let (ours, theirs) = (ours[i].0, theirs[j].0);
            let findings = differing_tags(&ours.tags, &theirs.tags);
            found.push(Likeness { ours: ours.clone(), theirs: theirs.clone(), findings });
        }
    }
    found
}

type Group<'s> = Vec<(&'s SeriesId, &'s Fields)>;

fn group(series: &BTreeMap<SeriesId, Fields>) -> BTreeMap<&str, Group<'_>> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for (id, fields) in series {
        groups.entry(&id.measurement).or_default().push((id, fields));
    }
    groups
}

/// How alike two series are: tags first, then fields. None if they have too little in common.
fn score(
    (our_id, our_fields): (&SeriesId, &Fields),
    (their_id, their_fields): (&SeriesId, &Fields),
    is_only_choice: bool,
) -> Option<(usize, usize)> {
    let same_tags = our_id.tags.iter().filter(|tag| their_id.tags.contains(tag)).count();
    let same_fields = our_fields.keys().filter(|field| their_fields.contains_key(*field)).count();
    let most_tags = our_id.tags.len().max(their_id.tags.len());
    let is_alike = same_fields > 0 && same_tags * 2 >= most_tags;
    (is_alike || is_only_choice).then_some((same_tags, same_fields))
}

fn differing_tags(ours: &[Tag], theirs: &[Tag]) -> Vec<Finding> {
    let mut found = Vec::new();
    for Tag { key, value } in theirs {
        match ours.iter().find(|tag| tag.key == *key) {
            None => found.push(Finding::TagMissing { key: key.clone(), value: value.clone() }),
            Some(tag) if tag.value != *value => found.push(Finding::TagDiffers {
                key: key.clone(),
                ours: tag.value.clone(),
                theirs: value.clone(),
            }),
            Some(_) => {}
        }
    }
    for Tag { key, value } in ours.iter().filter(|tag| !theirs.iter().any(|t| t.key == tag.key)) {
        found.push(Finding::TagExtra { key: key.clone(), value: value.clone() });
    }
    found
}

//! All findings of a check, as many as anybody reads.

use std::collections::BTreeMap;

use super::finding::{Finding, Kind, Weight};

/// How many findings of a kind are told one by one; more are counted.
const MOST_OF_A_KIND: usize = 200;

/// Findings in the order in which they were made, those of a kind that there are too many of counted.
#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
    counts: BTreeMap<(Kind, Weight), usize>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        let count = self.counts.entry((finding.kind, finding.weight)).or_default();
        *count += 1;
        if *count <= MOST_OF_A_KIND {
            self.all.push(finding);
        }
    }

    /// All of them, faults first, and a line for each kind of which there are more.
    pub(super) fn finish(self) -> Vec<Finding> {
        let Findings { mut all, counts } = self;
        for ((kind, weight), count) in counts {
            if count > MOST_OF_A_KIND {
                let what = format!("{} more of the kind {kind:?}", count - MOST_OF_A_KIND);
                all.push(match weight {
                    Weight::Fault => Finding::fault(kind, what),
                    Weight::Note => Finding::note(kind, what),
                });
            }
        }
        all.sort_by_key(|finding| finding.weight);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_first_and_too_many_of_a_kind_are_counted() {
        let mut findings = Findings::default();
        findings.push(Finding::note(Kind::Remark, "first"));
        (0..MOST_OF_A_KIND + 5).for_each(|_| findings.push(Finding::fault(Kind::Gap, "gap")));
        let all = findings.finish();
        assert_eq!(all.len(), MOST_OF_A_KIND + 2);
        assert_eq!(all[MOST_OF_A_KIND].what, "5 more of the kind Gap");
        assert_eq!(all.last().map(|finding| finding.what.as_str()), Some("first"));
    }
}

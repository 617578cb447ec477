//! Checking what sinks have written: files against journals, folders against each other, and all of
//! them against the topic.
//!
//! Nothing is changed, and sinks may run meanwhile: each journal is read as far as it went when the
//! check began, and what they write after that is in flight. Memory is taken by runs of offsets that
//! follow each other in one file, not by batches or bytes.
//!
//! 1. `survey`: which journals and data files there are, and which belongs to which.
//! 2. `reading`: every batch that stays by its journal is looked at in its data file
//!    (`bytes`), and claims its offsets (`coverage`).
//! 3. `judging`: doubles and gaps; with a cluster, against the log's ends, the committed offset and
//!    who owned what. Offsets without a record, such as compacted ones and markers of transactions,
//!    are told apart by reading the topic just there.
//! 4. `comparing`: if it is asked for, every record's bytes.

mod bytes;
mod comparing;
mod contents;
mod coverage;
mod finding;
mod findings;
mod judging;
mod reading;
mod report;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use finding::{Finding, Kind, Weight};
pub use judging::OfCluster;
pub use report::{PartitionReport, Report};
pub use survey::SurveyError;

use super::ownership::Committed;
use crate::kafka::group::Partition;
use crate::kafka::{ReadError, TopicReader};
use findings::Findings;
use judging::{Found, Sinks, answer, judge};
use reading::{Holdings, NO_FILE, read, read_since};
use survey::{Activity, Survey};

/// How much is compared with the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Which offsets there are.
    Offsets,
    /// Every record's bytes.
    Values,
}

/// A cluster to compare with.
pub struct Against<'c> {
    /// Reads its topics.
    pub reader: &'c mut TopicReader,
    /// Topics that should be in the files, besides those that are.
    pub topics: Vec<String>,
    /// How much is compared.
    pub depth: Depth,
}

/// Why a check came to no end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A folder or file cannot be read.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The cluster does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Checks the folders of a group.
///
/// # Errors
/// If something cannot be read, so that nobody knows whether all is well.
pub fn verify(
    folders: &[PathBuf],
    mut against: Option<Against<'_>>,
) -> Result<Report, VerifyError> {
    let survey = Survey::of(folders)?;
    let mut findings = Findings::default();
    let mut holdings = read(&survey, &mut findings)?;
    let is_running = |folder: &survey::Folder| folder.activity == Activity::Running;
    let sinks = match survey.folders.iter().any(is_running) {
        true => Sinks::SomeRunning,
        false => Sinks::AllStopped,
    };
    if let Some(against) = &against {
        add_partitions(&mut holdings, against)?;
    }
    let mut of_cluster = match &against {
        Some(against) => ask(&holdings, against.reader)?,
        None => Vec::new(),
    }
    .into_iter();
    // After the group was asked: what it has committed is in the journals.
    read_since(&survey, &mut holdings)?;
    let mut partitions = Vec::with_capacity(holdings.len());
    for (partition, held) in &holdings {
        let cluster = of_cluster.next();
        let judged = judge(partition, held, cluster.as_ref(), sinks);
        let mut found = judged.found;
        let mut missing = 0;
        for question in &judged.questions {
            let Some(against) = &mut against else { break };
            let mut count = 0_u64;
            against.reader.read(partition, &question.offsets, |_, _| count += 1)?;
            missing += count.saturating_sub(question.records);
            found.extend(answer(partition, question, count));
        }
        for Found { finding, run } in found {
            let file = run.and_then(|run| survey.data.get(run.spot.file).map(|data| (run, data)));
            findings.push(match file {
                Some((run, data)) if run.spot.file != NO_FILE => {
                    finding.of_file(&data.path).at(run.spot.byte..run.spot.byte + 1)
                }
                _ => finding,
            });
        }
        partitions.push(PartitionReport::new(
            partition,
            held,
            cluster.as_ref(),
            (judged.doubled, judged.in_flight, missing),
        ));
    }
    if let Some(Against { reader, depth: Depth::Values, .. }) = &mut against {
        comparing::compare(&survey, reader, &mut findings)?;
    }
    Ok(Report::new(folders, sinks == Sinks::SomeRunning, partitions, findings.finish()))
}

/// Adds partitions that nothing is known of here.
fn add_partitions(holdings: &mut Holdings, against: &Against<'_>) -> Result<(), ReadError> {
    let of_files = holdings.keys().map(|partition| partition.topic.to_string());
    let topics: BTreeSet<_> = of_files.chain(against.topics.iter().cloned()).collect();
    for topic in topics {
        for partition in against.reader.partitions(&topic)? {
            holdings.entry(partition).or_default();
        }
    }
    Ok(())
}

/// Asks the cluster about all partitions, in their order.
fn ask(holdings: &Holdings, reader: &TopicReader) -> Result<Vec<OfCluster>, ReadError> {
    let partitions: Vec<Partition> = holdings.keys().cloned().collect();
    let committed = reader.committed(&partitions)?;
    let of_partition = |known: crate::kafka::group::CommittedOffset| {
        let log = reader.log(&known.partition)?;
        Ok(OfCluster { log, committed: Committed::new(known.offset, &known.metadata) })
    };
    committed.into_iter().map(of_partition).collect()
}

//! What a check has found, for people and for programs.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::kafka::group::Partition;

/// What kind of thing was found. As JSON names them they are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Offsets that stand in the files more than once.
    Double,
    /// Offsets that stand in no file, as far as the journals tell.
    Gap,
    /// Records that are in the topic and in no file.
    Missing,
    /// Records that stand there although another writer's commit counts.
    Foreign,
    /// Confirmed records behind what the group has committed.
    Uncommitted,
    /// Records that are not what the topic holds.
    Different,
    /// Bytes that are not what was written.
    Damaged,
    /// A file that is shorter than its journal says.
    Shortened,
    /// A record that does not end with its line, or lines that are too few.
    Torn,
    /// Offsets of a partition that go back within a file.
    Disorder,
    /// Bytes that no journal explains.
    Unexplained,
    /// A line of a journal that is wrong.
    Journal,
    /// An end that waits for its sink to be started.
    Unsettled,
    /// Records of which nobody could tell whether they count.
    Undecided,
    /// A journal whose data file is not there.
    Left,
    /// What is on its way.
    InFlight,
    /// Something that is as it may be, and worth knowing.
    Remark,
}

/// Whether something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Something is not as it should be.
    Fault,
    /// All is well, and this is worth knowing.
    Note,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether something is wrong.
    pub weight: Weight,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Where in the file: the first byte, and the one after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Range<u64>>,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The first offset, and the one after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offsets: Option<Range<i64>>,
    /// What is the matter.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub advice: &'static str,
}

impl Finding {
    /// Says that something is wrong.
    pub fn fault(kind: Kind, what: impl Into<String>) -> Finding {
        Finding::new(Weight::Fault, kind, what)
    }

    /// Says something that is worth knowing.
    pub fn note(kind: Kind, what: impl Into<String>) -> Finding {
        Finding::new(Weight::Note, kind, what)
    }

    fn new(weight: Weight, kind: Kind, what: impl Into<String>) -> Finding {
        Finding {
            weight,
            kind,
            path: None,
            bytes: None,
            topic: None,
            partition: None,
            offsets: None,
            what: what.into(),
            advice: match weight {
                Weight::Fault => advice(kind),
                Weight::Note => "",
            },
        }
    }

    /// Adds the file.
    #[must_use]
    pub fn of_file(self, path: &Path) -> Finding {
        Finding { path: Some(path.to_owned()), ..self }
    }

    /// Adds the place in the file.
    #[must_use]
    pub fn at(self, bytes: Range<u64>) -> Finding {
        Finding { bytes: Some(bytes), ..self }
    }

    /// Adds the partition and its offsets.
    #[must_use]
    pub fn of_offsets(self, partition: &Partition, offsets: Range<i64>) -> Finding {
        let (topic, number) = (partition.topic.to_string(), partition.number);
        Finding { topic: Some(topic), partition: Some(number), offsets: Some(offsets), ..self }
    }
}

/// What to do where something is wrong.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Double => {
            "if a sink of one of these folders was not started again since it died, start it: it takes out what was \
             not committed; else take one copy out by hand"
        }
        Kind::Gap => {
            "give all folders of the group; with --brokers it is told apart from offsets that hold no record"
        }
        Kind::Missing => {
            "give all folders of the group, also those that files were moved to; records that are in none of them can \
             be read again from the topic by these offsets"
        }
        Kind::Foreign => {
            "start the sink of this folder; if it has settled this already, report it as a fault of metric-sink"
        }
        Kind::Uncommitted => {
            "the group's offset was set back or its commits are gone; if the sinks go on from there, these records \
             are written once more"
        }
        Kind::Different | Kind::Damaged => {
            "the file was changed by somebody else or its disk is failing; the records can be read again from the topic"
        }
        Kind::Shortened => {
            "somebody has cut the file; look for a copy, or read the records again from the topic"
        }
        Kind::Torn | Kind::Disorder => "report it as a fault of metric-sink, with the journal",
        Kind::Unexplained => {
            "somebody else has written to the file, or its journal is gone; metric-sink leaves them alone"
        }
        Kind::Journal => "what the line said is lost; compare with --brokers --deep",
        Kind::Unsettled => {
            "start the sink of this folder: it asks the group, and takes out what was not committed"
        }
        Kind::Undecided => {
            "compare the range with the other folders and the topic, by --brokers --deep"
        }
        Kind::Left => "give the folder that the file was moved to, too",
        Kind::InFlight | Kind::Remark => "",
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(path) = &self.path {
            write!(f, "{}", path.display())?;
            separator = ", ";
        }
        if let Some(Range { start, end }) = &self.bytes {
            write!(f, "{separator}bytes {start} to {}", end.saturating_sub(1).max(*start))?;
            separator = ", ";
        }
        if let (Some(topic), Some(number)) = (&self.topic, self.partition) {
            write!(f, "{separator}{topic} [{number}]")?;
            separator = ", ";
        }
        if let Some(Range { start, end }) = &self.offsets {
            write!(f, "{separator}offsets {start} to {}", end.saturating_sub(1).max(*start))?;
            separator = ", ";
        }
        if !separator.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

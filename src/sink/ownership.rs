//! Who has confirmed which records: the ownership of a partition, kept in the metadata of its
//! committed offset.
//!
//! A commit is what makes records count. The group's coordinator brings all commits of a partition
//! into one order and refuses those of members that the group has moved on from, so that each
//! offset is confirmed by exactly one commit. What a commit cannot say by itself is *whose* it was:
//! a writer that died with a commit under way finds a larger offset later, and its records may be
//! confirmed, or read again by somebody else. So each commit carries the last takeovers: which
//! writer took the partition over at which offset. A writer owns what lies between its takeover and
//! the next one, or the committed offset; what it wrote outside is another's, or nobody's.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What the metadata of a commit of ours begins with.
const MARK: &str = "metric-sink/1";

/// How long the metadata may get, in bytes; brokers take 4096 unless they are told otherwise.
const MOST_BYTES: usize = 1024;

/// One writer of records: a thread of the sink of one folder. It keeps its name over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Writer {
    /// The folder's own number, drawn when it was first used.
    pub store: StoreId,
    /// The number of the thread.
    pub thread: u32,
}

/// What a folder is known by, 48 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(u64);

impl StoreId {
    /// Takes an id out of a random number.
    pub fn new(random: u64) -> StoreId {
        StoreId(random & 0xffff_ffff_ffff)
    }

    /// An id for tests.
    #[cfg(test)]
    pub(super) const SAMPLE: StoreId = StoreId(0xaa);
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

/// Text that is no id, writer, history or entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not understood")]
pub struct NotUnderstood;

impl FromStr for StoreId {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<StoreId, NotUnderstood> {
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotUnderstood);
        }
        u64::from_str_radix(text, 16).map(StoreId).map_err(|_| NotUnderstood)
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.store, self.thread)
    }
}

impl FromStr for Writer {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Writer, NotUnderstood> {
        let (store, thread) = text.split_once('.').ok_or(NotUnderstood)?;
        let thread = thread.parse().map_err(|_| NotUnderstood)?;
        Ok(Writer { store: store.parse()?, thread })
    }
}

/// A writer took a partition over at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Takeover {
    writer: Writer,
    from: i64,
}

/// The last takeovers of a partition, the newest last; offsets only rise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct History(Vec<Takeover>);

impl History {
    /// Begins a history: before `from` nothing is known.
    pub fn begin(writer: Writer, from: i64) -> History {
        History(vec![Takeover { writer, from }])
    }

    /// The history after `writer` has taken over at the committed offset.
    ///
    /// Whoever confirmed nothing leaves no trace, and a writer that takes over from itself goes on;
    /// so it must have settled what it left unconfirmed before.
    #[must_use]
    pub fn taken_over(mut self, writer: Writer, committed: i64) -> History {
        if self.0.last().is_some_and(|last| last.from > committed) {
            // The offset was set back; what the history says of larger ones is void.
            return History::begin(writer, committed);
        }
        while self.0.last().is_some_and(|last| last.from == committed) {
            self.0.pop();
        }
        if self.0.last().is_none_or(|last| last.writer != writer) {
            self.0.push(Takeover { writer, from: committed });
        }
        self
    }

    /// Whoever took the partition over last.
    pub fn owner(&self) -> Option<Writer> {
        self.0.last().map(|last| last.writer)
    }

    /// The text that goes with a commit; the oldest takeovers stay out when it gets too long.
    pub fn to_metadata(&self) -> String {
        let mut takeovers: Vec<String> = Vec::new();
        let mut length = MARK.len();
        for Takeover { writer, from } in self.0.iter().rev() {
            let takeover = format!(" {writer}@{from}");
            length += takeover.len();
            if length > MOST_BYTES {
                break;
            }
            takeovers.push(takeover);
        }
        takeovers.reverse();
        MARK.to_owned() + &takeovers.concat()
    }

    /// Reads the metadata of a commit; nothing if it is none of ours, or of a later version.
    pub fn from_metadata(metadata: &str) -> Option<History> {
        let mut words = metadata.split(' ');
        if words.next() != Some(MARK) {
            return None;
        }
        let mut history: Vec<Takeover> = Vec::new();
        for word in words {
            let (writer, from) = word.split_once('@')?;
            let takeover = Takeover { writer: writer.parse().ok()?, from: from.parse().ok()? };
            if history.last().is_some_and(|last| last.from >= takeover.from) {
                return None;
            }
            history.push(takeover);
        }
        (!history.is_empty()).then_some(History(history))
    }

    /// The offset from which on it is known who owned what.
    pub(in crate::sink) fn known_from(&self) -> i64 {
        self.0.first().map_or(i64::MAX, |first| first.from)
    }

    /// What each writer has confirmed, given the committed offset.
    pub(in crate::sink) fn stretches(
        &self,
        committed: i64,
    ) -> impl Iterator<Item = (Writer, Range<i64>)> {
        let ends = self.0.iter().skip(1).map(|next| next.from).chain([committed]);
        self.0.iter().zip(ends).map(|(takeover, end)| (takeover.writer, takeover.from..end))
    }
}

/// What the group has committed of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Committed {
    /// The offset that comes next; none if nothing was ever committed, or it has expired.
    pub offset: Option<i64>,
    /// Who owned what; none if the last commit was not one of ours, such as a reset by hand.
    pub history: Option<History>,
    /// Where it begins if nothing is committed.
    pub beginning: Beginning,
}

/// Where a partition begins of which nothing is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Beginning {
    /// At its oldest record: what was written of it before is read again.
    #[default]
    Oldest,
    /// At a later one. That is committed before anything is written, so that what was written was
    /// committed at some time, or may have been.
    Later,
}

/// Whether a writer's records are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// By a commit of this writer.
    Confirmed,
    /// They are not: somebody else has read them or will read them again.
    Unconfirmed,
    /// The commits that would tell are gone.
    Undecided,
}

impl Committed {
    /// Puts together what was read from the group; `metadata` may be anybody's.
    pub fn new(offset: Option<i64>, metadata: &str) -> Committed {
        let history = offset.and_then(|_| History::from_metadata(metadata));
        Committed { offset, history, ..Committed::default() }
    }

    /// The history of whoever takes over now, and begins at `start` if nothing is committed.
    pub fn taken_over(&self, writer: Writer, start: i64) -> History {
        match (&self.history, self.offset) {
            (Some(history), Some(offset)) => history.clone().taken_over(writer, offset),
            (_, offset) => History::begin(writer, offset.unwrap_or(start)),
        }
    }

    /// Whether what `writer` wrote of these offsets is confirmed.
    ///
    /// It holds for what was written under an ownership that has ended, and whose commits the group
    /// refuses from now on; and for offsets that the writer meant to commit together.
    pub fn verdict(&self, writer: Writer, offsets: &Range<i64>) -> Verdict {
        let Some(committed) = self.offset else {
            return match self.beginning {
                Beginning::Oldest => Verdict::Unconfirmed,
                Beginning::Later => Verdict::Undecided,
            };
        };
        let Some(history) = &self.history else {
            // A commit by somebody else has replaced those that would tell.
            return if offsets.start >= committed {
                Verdict::Unconfirmed
            } else {
                Verdict::Undecided
            };
        };
        let of_writer = || history.stretches(committed).filter(|(owner, _)| *owner == writer);
        if of_writer().any(|(_, owned)| owned.start <= offsets.start && offsets.end <= owned.end) {
            return Verdict::Confirmed;
        }
        let touches = |owned: Range<i64>| owned.start < offsets.end && offsets.start < owned.end;
        let is_known = history.0.first().is_some_and(|first| first.from <= offsets.start);
        // What is committed together is confirmed together, unless somebody has set the offset
        // by hand meanwhile.
        if !is_known || of_writer().any(|(_, owned)| touches(owned)) {
            return Verdict::Undecided;
        }
        Verdict::Unconfirmed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn writer(store: u64, thread: u32) -> Writer {
        Writer { store: StoreId::new(store), thread }
    }

    const A: Writer = Writer { store: StoreId(0xa), thread: 0 };
    const B: Writer = Writer { store: StoreId(0xb), thread: 1 };

    #[test]
    fn metadata_is_short_readable_and_reads_back() {
        let history = History::begin(A, 0).taken_over(B, 120).taken_over(A, 450);
        let metadata = history.to_metadata();
        assert_eq!(
            metadata,
            "metric-sink/1 00000000000a.0@0 00000000000b.1@120 00000000000a.0@450"
        );
        assert_eq!(History::from_metadata(&metadata), Some(history));
    }

    #[test]
    fn the_metadata_of_others_is_no_history() {
        for text in [
            "",
            "metric-sink/1",
            "metric-sink/2 00000000000a.0@0",
            "metric-sink/1 00000000000a.0@",
            "metric-sink/1 0a.0@1",
            "metric-sink/1 00000000000a.0@5 00000000000b.0@5",
            "metric-sink/1 00000000000a.0@5  00000000000b.0@7",
            "written by hand",
        ] {
            assert_eq!(History::from_metadata(text), None, "{text}");
        }
    }

    #[test]
    fn who_confirmed_nothing_leaves_no_trace_and_who_follows_itself_goes_on() {
        let a = History::begin(A, 10);
        assert_eq!(a.clone().taken_over(B, 20).taken_over(A, 20), a);
        assert_eq!(a.clone().taken_over(A, 20), a);
        assert_eq!(a.clone().taken_over(B, 10), History::begin(B, 10));
        assert_eq!(a.taken_over(B, 5), History::begin(B, 5), "set back by hand");
    }

    #[test]
    fn a_writer_has_confirmed_what_lies_between_its_takeover_and_the_next() {
        // A owned 100..200 and 300..350, B 200..300.
        let history = History::begin(A, 100).taken_over(B, 200).taken_over(A, 300);
        let beginning = Beginning::Oldest;
        let ours = Committed { offset: Some(350), history: Some(history), beginning };
        let stranger = Committed { offset: Some(350), history: None, beginning };
        let nothing = Committed::default();
        let expired = Committed { beginning: Beginning::Later, ..Committed::default() };
        use Verdict::{Confirmed, Unconfirmed, Undecided};
        for (committed, writer, offsets, verdict) in [
            (&ours, A, 100..200, Confirmed),
            (&ours, A, 150..160, Confirmed),
            (&ours, A, 340..350, Confirmed),
            (&ours, A, 350..360, Unconfirmed),
            (&ours, A, 200..300, Unconfirmed),
            (&ours, A, 210..220, Unconfirmed),
            (&ours, B, 200..300, Confirmed),
            (&ours, B, 300..310, Unconfirmed),
            // B has begun it again, and has not come to its end yet.
            (&ours, B, 340..360, Unconfirmed),
            // Offsets set by hand lie within what was committed together.
            (&ours, A, 340..360, Undecided),
            (&ours, A, 190..210, Undecided),
            // Older than what the history holds.
            (&ours, A, 50..60, Undecided),
            (&ours, B, 50..110, Undecided),
            (&stranger, A, 340..350, Undecided),
            (&stranger, A, 340..360, Undecided),
            (&stranger, A, 350..360, Unconfirmed),
            (&nothing, A, 0..10, Unconfirmed),
            (&expired, A, 0..10, Undecided),
        ] {
            assert_eq!(committed.verdict(writer, &offsets), verdict, "{writer} {offsets:?}");
        }
    }

    proptest! {
        #[test]
        fn a_history_reads_back_as_far_as_it_was_kept(
            takeovers in prop::collection::vec((0u64..4, 0u32..3, 1i64..1_000_000_000_000), 1..200)
        ) {
            let mut at = 0;
            let mut history: Option<History> = None;
            for (store, thread, step) in takeovers {
                at += step;
                let writer = writer(store << 40, thread);
                history = Some(match history {
                    None => History::begin(writer, at),
                    Some(history) => history.taken_over(writer, at),
                });
            }
            let history = history.unwrap();
            let metadata = history.to_metadata();
            prop_assert!(metadata.len() <= MOST_BYTES);
            let back = History::from_metadata(&metadata).unwrap();
            prop_assert!(history.0.ends_with(&back.0));
            prop_assert!(back.0.len() == history.0.len() || metadata.len() > MOST_BYTES - 50);
        }

        #[test]
        fn every_committed_offset_has_one_owner(
            takeovers in prop::collection::vec((0u64..3, 0i64..4), 1..12), more in 0i64..4
        ) {
            let writers = [writer(1, 0), writer(2, 0), writer(3, 0)];
            let mut at = 0;
            let mut history = History::begin(writers[0], 0);
            for (number, step) in takeovers {
                at += step;
                history = history.taken_over(writers[number as usize], at);
            }
            let committed = Committed::new(Some(at + more), &history.to_metadata());
            for offset in 0..at + more {
                let owners = writers
                    .iter()
                    .filter(|writer| {
                        committed.verdict(**writer, &(offset..offset + 1)) == Verdict::Confirmed
                    })
                    .count();
                let is_known = committed
                    .history
                    .as_ref()
                    .is_some_and(|history| history.0[0].from <= offset);
                prop_assert_eq!(owners, usize::from(is_known), "offset {}", offset);
            }
        }
    }
}

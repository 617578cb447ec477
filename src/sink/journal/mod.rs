//! The journal beside a data file: what stands where in it, and how much of it is confirmed.
//!
//! `consumer-thread-0.csv` has its journal in `.consumer-thread-0.csv.journal`, for as long as it
//! lives. It is text that people can read, one entry a line, each with its checksum (CRC-32C of the
//! text before ` #`):
//!
//! ```text
//! metric-sink-journal/1 writer 5f3a9c01d2e4.0 file 2049:1312@1592553600000000000 begin 0 #8a3c11f0
//! batch 17 0..1000 9a0b1c2d my-topic:3 100..150 50 0+600,700+300 other:0 7..9 2 600+100 #…
//! confirmed 17 #…
//! settled 17 #…
//! cut 18 1000 #…
//! kept 19 1000..1300 77aa0011 my-topic:3 150..160 10 1000+300 #…
//! rewrite 19 1000..1300 77aa0011 #…
//! rewritten 19 #…
//! undecided 19 my-topic:3 150..160 #…
//! end 1300 #…
//! ```
//!
//! * A header names the format, the writer, the data file by its device, its inode and the time at
//!   which it was made, and how long the file was before: what stands there is not ours to judge. A
//!   later header begins anew.
//! * A batch is what one commit covers: its number, which rises over all files of a writer; where
//!   its bytes stand; their CRC-32C; and for each partition its topic and number, the first offset
//!   and the one after the last, how many records, and where they stand as `start+length`. A
//!   partition's records stand in the order of their offsets.
//! * `confirmed` says that the commits of all batches up to this number have been accepted.
//! * `settled` says that somebody has asked the group about all batches up to this number, and that
//!   what is left of them stays, whatever the group says later.
//! * `cut` says that the batches from this number on are void and that the file ends there.
//! * `rewrite` says the same, and that the `kept` batches right before it stand there instead; their
//!   bytes lie in `.consumer-thread-0.csv.redo` until `rewritten`.
//! * `undecided` says that nobody can tell whether these were confirmed; they were kept.
//! * `end` says that the sink has ended in order, with all confirmed and the file that long; or that
//!   it has left the journal because somebody else has changed the file.

mod entries;
mod entry;
mod file;
mod file_id;
mod kept;
mod replay;
#[cfg(test)]
mod samples;

pub(in crate::sink) use entries::{Batches, Facts, Standing};
pub use entries::{first_and_last_offset, last_offsets};
pub use entry::{Batch, Entry, Header, Part, Segment};
pub use file::{Journal, has_ended, journal_path};
pub use file_id::FileId;
pub use kept::KeptOffsets;
pub(in crate::sink) use replay::RECENT;
pub use replay::{Damage, Replay, replay};

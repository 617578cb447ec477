//! The entries of a journal as text.

use std::fmt::{self, Write};
use std::ops::Range;
use std::str::{FromStr, Split};

use super::file_id::FileId;
use crate::kafka::group::Partition;
use crate::sink::ownership::{NotUnderstood, Writer};

/// What a header begins with; the number is the format's version.
const MARK: &str = "metric-sink-journal/1";

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// What the journal is about.
    Header(Header),
    /// These bytes were appended.
    Batch(Batch),
    /// All batches up to this number are confirmed.
    Confirmed(u64),
    /// All batches up to this number are settled: the group was asked, and what is left stays.
    Settled(u64),
    /// The batches from `number` on are void; the file ends at `length`.
    Cut {
        /// The first batch that is void.
        number: u64,
        /// Where the file ends.
        length: u64,
    },
    /// A batch that a rewrite right behind it leaves.
    Kept(Batch),
    /// The batches from `number` on are replaced by those kept before this.
    Rewrite {
        /// The first batch that is replaced.
        number: u64,
        /// Where the bytes from the side file stand.
        bytes: Range<u64>,
        /// Their CRC-32C.
        checksum: u32,
    },
    /// The rewrite from this batch on is in the data file.
    Rewritten(u64),
    /// Nobody can tell whether this was confirmed; it was kept.
    Undecided {
        /// The batch.
        number: u64,
        /// The partition.
        partition: Partition,
        /// The offsets.
        offsets: Range<i64>,
    },
    /// The sink has ended in order, with the file of this length.
    End(u64),
}

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whose records these are.
    pub writer: Writer,
    /// Which file they are in.
    pub file: FileId,
    /// How long the file was before.
    pub begin: u64,
}

/// What one commit covers, in one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Its number, which rises over all files of a writer.
    pub number: u64,
    /// Where its bytes stand.
    pub bytes: Range<u64>,
    /// Their CRC-32C.
    pub checksum: u32,
    /// What it holds of each partition.
    pub parts: Vec<Part>,
}

/// What a batch holds of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// The partition.
    pub partition: Partition,
    /// The first offset, and the one after the last.
    pub offsets: Range<i64>,
    /// How many records.
    pub records: u64,
    /// Where they stand, in the order of their offsets.
    pub segments: Vec<Segment>,
}

/// A stretch of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segment {
    /// Where it begins.
    pub start: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl Entry {
    /// Appends the entry as a line with its checksum.
    pub fn encode(&self, out: &mut String) {
        let start = out.len();
        // Writing to a string never fails.
        let _ = write!(out, "{self}");
        let checksum = crc32c::crc32c(&out.as_bytes()[start..]);
        let _ = writeln!(out, " #{checksum:08x}");
    }

    /// Reads a line without its line end.
    ///
    /// # Errors
    /// If the checksum is wrong, or the text is no entry.
    pub fn decode(line: &[u8]) -> Result<Entry, NotUnderstood> {
        let line = std::str::from_utf8(line).map_err(|_| NotUnderstood)?;
        let (text, checksum) = line.rsplit_once(" #").ok_or(NotUnderstood)?;
        if checksum.len() != 8 || hexadecimal(checksum)? != crc32c::crc32c(text.as_bytes()) {
            return Err(NotUnderstood);
        }
        let mut words = Words(text.split(' '));
        let entry = match words.word()? {
            MARK => Entry::Header(words.header()?),
            "batch" => Entry::Batch(words.batch()?),
            "confirmed" => Entry::Confirmed(words.number()?),
            "settled" => Entry::Settled(words.number()?),
            "cut" => Entry::Cut { number: words.number()?, length: words.number()? },
            "kept" => Entry::Kept(words.batch()?),
            "rewrite" => Entry::Rewrite {
                number: words.number()?,
                bytes: words.range()?,
                checksum: hexadecimal(words.word()?)?,
            },
            "rewritten" => Entry::Rewritten(words.number()?),
            "undecided" => Entry::Undecided {
                number: words.number()?,
                partition: partition(words.word()?)?,
                offsets: words.range()?,
            },
            "end" => Entry::End(words.number()?),
            _ => return Err(NotUnderstood),
        };
        match words.0.next() {
            None => Ok(entry),
            Some(_) => Err(NotUnderstood),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Header(Header { writer, file, begin }) => {
                write!(f, "{MARK} writer {writer} file {file} begin {begin}")
            }
            Entry::Batch(batch) => write!(f, "batch {batch}"),
            Entry::Confirmed(number) => write!(f, "confirmed {number}"),
            Entry::Settled(number) => write!(f, "settled {number}"),
            Entry::Cut { number, length } => write!(f, "cut {number} {length}"),
            Entry::Kept(batch) => write!(f, "kept {batch}"),
            Entry::Rewrite { number, bytes: Range { start, end }, checksum } => {
                write!(f, "rewrite {number} {start}..{end} {checksum:08x}")
            }
            Entry::Rewritten(number) => write!(f, "rewritten {number}"),
            Entry::Undecided { number, partition, offsets: Range { start, end } } => {
                let Partition { topic, number: of_topic } = partition;
                write!(f, "undecided {number} {topic}:{of_topic} {start}..{end}")
            }
            Entry::End(length) => write!(f, "end {length}"),
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Batch { number, bytes: Range { start, end }, checksum, parts } = self;
        write!(f, "{number} {start}..{end} {checksum:08x}")?;
        for Part { partition, offsets: Range { start, end }, records, segments } in parts {
            let Partition { topic, number } = partition;
            write!(f, " {topic}:{number} {start}..{end} {records}")?;
            for (at, Segment { start, length }) in segments.iter().enumerate() {
                let separator = if at == 0 { ' ' } else { ',' };
                write!(f, "{separator}{start}+{length}")?;
            }
        }
        Ok(())
    }
}

/// The words of an entry that are still to be read.
struct Words<'t>(Split<'t, char>);

impl<'t> Words<'t> {
    fn word(&mut self) -> Result<&'t str, NotUnderstood> {
        self.0.next().ok_or(NotUnderstood)
    }

    fn expect(&mut self, word: &str) -> Result<(), NotUnderstood> {
        if self.word()? == word { Ok(()) } else { Err(NotUnderstood) }
    }

    fn number(&mut self) -> Result<u64, NotUnderstood> {
        decimal(self.word()?)
    }

    fn range<N: FromStr + PartialOrd>(&mut self) -> Result<Range<N>, NotUnderstood> {
        let (start, end) = self.word()?.split_once("..").ok_or(NotUnderstood)?;
        let (start, end) = (decimal(start)?, decimal(end)?);
        if start <= end { Ok(start..end) } else { Err(NotUnderstood) }
    }

    fn header(&mut self) -> Result<Header, NotUnderstood> {
        self.expect("writer")?;
        let writer = self.word()?.parse()?;
        self.expect("file")?;
        let file = self.word()?.parse().map_err(|_| NotUnderstood)?;
        self.expect("begin")?;
        Ok(Header { writer, file, begin: self.number()? })
    }

    fn batch(&mut self) -> Result<Batch, NotUnderstood> {
        let number = self.number()?;
        let bytes = self.range()?;
        let checksum = hexadecimal(self.word()?)?;
        let mut parts = Vec::new();
        while let Some(word) = self.0.next() {
            let partition = partition(word)?;
            let offsets = self.range()?;
            let records = self.number()?;
            let segments = self.word()?.split(',').map(segment).collect::<Result<Vec<_>, _>>()?;
            // What is cut and copied by these must lie in the batch.
            let lies_within = |segment: &Segment| {
                let end = segment.start.checked_add(segment.length);
                bytes.start <= segment.start && end.is_some_and(|end| end <= bytes.end)
            };
            if !segments.iter().all(lies_within) {
                return Err(NotUnderstood);
            }
            parts.push(Part { partition, offsets, records, segments });
        }
        Ok(Batch { number, bytes, checksum, parts })
    }
}

fn decimal<N: FromStr>(text: &str) -> Result<N, NotUnderstood> {
    text.parse().map_err(|_| NotUnderstood)
}

fn hexadecimal(text: &str) -> Result<u32, NotUnderstood> {
    u32::from_str_radix(text, 16).map_err(|_| NotUnderstood)
}

fn partition(text: &str) -> Result<Partition, NotUnderstood> {
    // The names of topics hold letters, digits, dots, dashes and underscores.
    let (topic, number) = text.split_once(':').ok_or(NotUnderstood)?;
    Ok(Partition { topic: topic.into(), number: decimal(number)? })
}

fn segment(text: &str) -> Result<Segment, NotUnderstood> {
    let (start, length) = text.split_once('+').ok_or(NotUnderstood)?;
    Ok(Segment { start: decimal(start)?, length: decimal(length)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ownership::StoreId;

    fn part(topic: &str, number: i32, offsets: Range<i64>, segments: &[(u64, u64)]) -> Part {
        Part {
            partition: Partition { topic: topic.into(), number },
            records: offsets.end.abs_diff(offsets.start),
            offsets,
            segments: segments.iter().map(|&(start, length)| Segment { start, length }).collect(),
        }
    }

    fn entries() -> Vec<(Entry, &'static str)> {
        let writer = Writer { store: StoreId::new(0x5f3a_9c01_d2e4), thread: 0 };
        let header = Header {
            writer,
            file: FileId { device: 2049, inode: 1312, born_ns: Some(1_592_553_600_000_000_000) },
            begin: 70,
        };
        let my_topic = part("my-topic", 3, 100..150, &[(1000, 600), (1700, 300)]);
        let other = part("other", 0, 7..9, &[(1600, 100)]);
        let partition = other.partition.clone();
        let batch = Batch {
            number: 17,
            bytes: 1000..2000,
            checksum: 0x9a0b_1c2d,
            parts: vec![my_topic, other],
        };
        vec![
            (
                Entry::Header(header),
                "metric-sink-journal/1 writer 5f3a9c01d2e4.0 file 2049:1312@1592553600000000000 begin 70",
            ),
            (
                Entry::Batch(batch.clone()),
                "batch 17 1000..2000 9a0b1c2d my-topic:3 100..150 50 1000+600,1700+300 other:0 7..9 2 1600+100",
            ),
            (Entry::Confirmed(17), "confirmed 17"),
            (Entry::Settled(17), "settled 17"),
            (Entry::Cut { number: 18, length: 2000 }, "cut 18 2000"),
            (
                Entry::Kept(Batch { parts: batch.parts[..1].to_vec(), ..batch }),
                "kept 17 1000..2000 9a0b1c2d my-topic:3 100..150 50 1000+600,1700+300",
            ),
            (
                Entry::Rewrite { number: 17, bytes: 1000..1900, checksum: 0xa },
                "rewrite 17 1000..1900 0000000a",
            ),
            (Entry::Rewritten(17), "rewritten 17"),
            (
                Entry::Undecided { number: 17, partition, offsets: 7..9 },
                "undecided 17 other:0 7..9",
            ),
            (Entry::End(2000), "end 2000"),
        ]
    }

    #[test]
    fn every_entry_is_a_line_with_a_checksum_and_reads_back() {
        for (entry, text) in entries() {
            let mut line = String::new();
            entry.encode(&mut line);
            let checksum = crc32c::crc32c(text.as_bytes());
            assert_eq!(line, format!("{text} #{checksum:08x}\n"));
            assert_eq!(Entry::decode(line.trim_end().as_bytes()), Ok(entry));
        }
    }

    #[test]
    fn a_line_of_which_any_byte_is_wrong_or_missing_is_no_entry() {
        for (entry, _) in entries() {
            let mut line = String::new();
            entry.encode(&mut line);
            let line = line.trim_end().as_bytes();
            for at in 0..line.len() {
                assert_eq!(Entry::decode(&line[..at]), Err(NotUnderstood));
                let mut wrong = line.to_vec();
                wrong[at] ^= 1;
                assert_eq!(Entry::decode(&wrong), Err(NotUnderstood), "byte {at}");
            }
        }
    }

    #[test]
    fn segments_outside_of_their_batch_and_offsets_backwards_are_not_believed() {
        for text in [
            "batch 1 10..20 00000000 t:0 0..1 1 9+2",
            "batch 1 10..20 00000000 t:0 0..1 1 19+2",
            "batch 1 10..20 00000000 t:0 1..0 1 10+1",
            "batch 1 20..10 00000000",
            "batch 1 10..20 00000000 t:0 0..1 1 18446744073709551615+2",
            "cut 1 2 3",
        ] {
            let line = format!("{text} #{:08x}", crc32c::crc32c(text.as_bytes()));
            assert_eq!(Entry::decode(line.as_bytes()), Err(NotUnderstood), "{text}");
        }
    }
}

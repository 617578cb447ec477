//! Whether a data file holds what its journal says.

use std::io;

use super::contents::Contents;
use crate::sink::journal::{Batch, Segment};

/// What is wrong with the bytes of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The file ends before the batch does.
    Short {
        /// How long it is.
        length: u64,
    },
    /// They are not what was written.
    Checksum,
    /// A partition's records do not end with a line end here.
    Torn {
        /// The byte that should be one.
        at: u64,
    },
    /// There are fewer lines than records.
    FewLines {
        /// How many lines.
        lines: u64,
        /// How many records.
        records: u64,
    },
    /// Two stretches of it overlap.
    Overlap {
        /// Where the second begins.
        at: u64,
    },
}

/// Checks the bytes of a batch: that they are what was written, and whole lines.
///
/// # Errors
/// Whatever reading fails with.
pub(super) fn check(contents: &mut Contents, batch: &Batch) -> io::Result<Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut segments: Vec<Segment> =
        batch.parts.iter().flat_map(|part| part.segments.iter().copied()).collect();
    segments.sort_by_key(|segment| segment.start);
    let pairs = segments.windows(2);
    let overlap = pairs.filter(|pair| pair[0].start + pair[0].length > pair[1].start);
    wrong.extend(overlap.map(|pair| Wrong::Overlap { at: pair[1].start }).take(1));
    let mut ends: Vec<u64> = segments.iter().map(|it| it.start + it.length).collect();
    ends.sort_unstable();
    let mut ends = ends.into_iter().peekable();
    let (mut checksum, mut lines, mut torn) = (0, 0, None);
    let is_whole = contents.read(batch.bytes.start, batch.bytes.end, |at, piece| {
        checksum = crc32c::crc32c_append(checksum, piece);
        lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        let piece_end = at + piece.len() as u64;
        while let Some(end) = ends.next_if(|end| *end <= piece_end) {
            // What has no byte has no line end to look at.
            let last = end.checked_sub(1 + at).and_then(|last| usize::try_from(last).ok());
            if last.and_then(|last| piece.get(last)).is_some_and(|byte| *byte != b'\n') {
                torn.get_or_insert(end - 1);
            }
        }
    })?;
    if !is_whole {
        return Ok(vec![Wrong::Short { length: contents.length()? }]);
    }
    if checksum != batch.checksum {
        // The lines of something else say nothing.
        return Ok(vec![Wrong::Checksum]);
    }
    wrong.extend(torn.map(|at| Wrong::Torn { at }));
    let records = batch.parts.iter().map(|part| part.records).sum();
    if lines < records {
        wrong.push(Wrong::FewLines { lines, records });
    }
    Ok(wrong)
}

/// Whether a file holds a batch where it should.
///
/// # Errors
/// Whatever reading fails with.
pub(super) fn holds(contents: &mut Contents, batch: &Batch) -> io::Result<bool> {
    let mut checksum = 0;
    let is_whole = contents.read(batch.bytes.start, batch.bytes.end, |_, piece| {
        checksum = crc32c::crc32c_append(checksum, piece);
    })?;
    Ok(is_whole && checksum == batch.checksum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::group::Partition;
    use crate::sink::journal::Part;
    use crate::sink::verify::contents::PIECE;

    fn check_in(content: &[u8], batch: &Batch) -> Vec<Wrong> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        check(&mut Contents::open(file.path()).unwrap(), batch).unwrap()
    }

    fn batch(content: &[u8], records: u64, segments: &[(u64, u64)]) -> Batch {
        let part = Part {
            partition: Partition { topic: "t".into(), number: 0 },
            offsets: 0..10,
            records,
            segments: segments.iter().map(|&(start, length)| Segment { start, length }).collect(),
        };
        let bytes = 0..content.len() as u64;
        Batch { number: 1, bytes, checksum: crc32c::crc32c(content), parts: vec![part] }
    }

    #[test]
    fn whole_lines_that_are_what_was_written_are_right() {
        let content = b"a\nbb\nccc\n";
        let whole = batch(content, 3, &[(0, 2), (2, 7)]);
        assert_eq!(check_in(content, &whole), []);
        // A record of several lines, and a file that goes on.
        let fewer = batch(content, 2, &[(0, 9)]);
        assert_eq!(check_in(b"a\nbb\nccc\nmore", &fewer), []);
        assert_eq!(check_in(b"", &batch(b"", 0, &[])), []);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let content = b"a\nbb\nccc\n";
        for (in_file, records, segments, wrong) in [
            (&b"a\nbb\n"[..], 3, &[(0, 9)][..], Wrong::Short { length: 5 }),
            (b"a\nbb\ncXc\n", 3, &[(0, 9)], Wrong::Checksum),
            (content, 3, &[(0, 3), (3, 6)], Wrong::Torn { at: 2 }),
            (content, 4, &[(0, 9)], Wrong::FewLines { lines: 3, records: 4 }),
            (content, 3, &[(0, 5), (2, 7)], Wrong::Overlap { at: 2 }),
        ] {
            let found = check_in(in_file, &batch(content, records, segments));
            assert_eq!(found, [wrong]);
        }
    }

    #[test]
    fn line_ends_at_the_border_of_two_pieces_are_seen() {
        let mut content = vec![b'x'; 2 * PIECE];
        content[PIECE - 1] = b'\n';
        content[2 * PIECE - 1] = b'\n';
        let piece = PIECE as u64;
        let right = batch(&content, 2, &[(0, piece), (piece, piece)]);
        assert_eq!(check_in(&content, &right), []);
        let torn = batch(&content, 2, &[(0, piece + 1), (piece + 1, piece - 1)]);
        assert_eq!(check_in(&content, &torn), [Wrong::Torn { at: piece }]);
    }
}

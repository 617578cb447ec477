//! Taking records out.

use std::io;
use std::ops::Range;
use std::time::Duration;

use rustix::io::Errno;

use super::cursor::{Cursor, Place};
use super::record::{self, Parsed};
use super::segment::{SEGMENT_HEADER, Segment};
use super::{CHUNK_BYTES, CursorId, Notice, Spool, seconds_now};

/// The bytes of a segment that are at hand.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    /// Where in the file they begin.
    offset: u64,
}

/// What became of a record that was to be read.
enum Step {
    /// It is this long, and its payload is here in the window.
    Read { length: u64, time_s: u32, payload: Range<usize> },
    /// It is none.
    Unreadable,
}

/// What a read is for and has got so far.
struct Reading<'c, V> {
    cursor: &'c mut Cursor,
    visit: V,
    most: usize,
    count: usize,
    /// Records from before are too old.
    oldest_s: u32,
}

impl Spool {
    /// Shows the oldest records that a reader is not done with to `visit`, with their numbers, and
    /// returns how many.
    ///
    /// They are out from then on, until [`Spool::finish`] ends that; a reader has one such batch
    /// at a time. Records that are too old or cannot be read are left out and counted as lost.
    ///
    /// # Errors
    /// If a file cannot be read for now; records before that have been shown.
    pub fn read(
        &mut self,
        CursorId(at): CursorId,
        most: usize,
        visit: impl FnMut(u64, &[u8]),
    ) -> io::Result<usize> {
        let age = self.options.limits.age.unwrap_or(Duration::MAX).as_secs();
        let now = u64::from(seconds_now(self.clock.as_ref()));
        let oldest_s = u32::try_from(now.saturating_sub(age)).unwrap_or(u32::MAX);
        let cursor = &mut self.cursors[at];
        let mut reading = Reading { cursor, visit, most, count: 0, oldest_s };
        let mut window = Window { bytes: std::mem::take(&mut self.buffer), offset: 0 };
        let mut place = reading.start();
        for segment in &mut self.segments {
            if reading.count == most || place.number >= segment.end {
                continue;
            }
            // Between two segments there is nothing, or what had vanished before the start.
            let gap = place.number..segment.first;
            let vanished = if gap.is_empty() { 0 } else { reading.cursor.mark(gap) };
            if vanished > 0 {
                reading.cursor.lost.damaged += vanished;
                let before = segment.name();
                self.notices.push(Notice::Missing { before, records: vanished });
            }
            if place.segment != segment.first {
                place = Place {
                    number: segment.first,
                    segment: segment.first,
                    offset: SEGMENT_HEADER as u64,
                };
            }
            window.bytes.clear();
            window.offset = place.offset;
            let lost = reading.segment(&mut place, segment, &mut window, |window, least| {
                let rest = segment.size.saturating_sub(window.offset);
                let wanted =
                    least.max(CHUNK_BYTES).min(usize::try_from(rest).unwrap_or(usize::MAX));
                window.bytes.clear();
                self.files.read(
                    &Segment::name_of(segment.first),
                    window.offset,
                    wanted,
                    &mut window.bytes,
                )
            });
            match lost {
                Ok(0) => {}
                Ok(lost) => {
                    segment.is_damaged = true;
                    self.notices.push(Notice::Unreadable { file: segment.name(), records: lost });
                }
                Err(error) if is_for_good(&error) => {
                    let records = reading.cursor.mark(place.number..segment.end);
                    reading.cursor.lost.damaged += records;
                    place.number = segment.end;
                    segment.is_damaged = true;
                    self.notices.push(Notice::Unreadable { file: segment.name(), records });
                }
                Err(error) => {
                    reading.end(None);
                    self.buffer = window.bytes;
                    return Err(error);
                }
            }
        }
        for (number, time_s, payload) in self.staged.records() {
            if reading.count == most {
                break;
            }
            reading.take(number, time_s, payload);
        }
        // What is in memory will stand right behind the place at which the files end.
        reading.end(Some(place));
        let count = reading.count;
        self.buffer = window.bytes;
        self.buffer.shrink_to(CHUNK_BYTES);
        Ok(count)
    }
}

impl<V: FnMut(u64, &[u8])> Reading<'_, V> {
    /// Where to begin; a place from before, unless that is behind what was dropped since.
    fn start(&self) -> Place {
        let next = self.cursor.done.next();
        let unknown = Place { number: next, segment: u64::MAX, offset: 0 };
        self.cursor.place.filter(|place| place.number <= next).unwrap_or(unknown)
    }

    /// Reads the records of a segment from `place` on, and returns how many are lost in it.
    fn segment(
        &mut self,
        place: &mut Place,
        segment: &Segment,
        window: &mut Window,
        mut fill: impl FnMut(&mut Window, usize) -> io::Result<()>,
    ) -> io::Result<u64> {
        while place.number < segment.end && self.count < self.most {
            match step(place, window, &mut fill)? {
                Step::Read { length, time_s, payload } => {
                    self.take(place.number, time_s, &window.bytes[payload]);
                    place.number += 1;
                    place.offset += length;
                }
                Step::Unreadable => {
                    let lost = self.cursor.mark(place.number..segment.end);
                    self.cursor.lost.damaged += lost;
                    place.number = segment.end;
                    return Ok(lost);
                }
            }
        }
        Ok(0)
    }

    fn take(&mut self, number: u64, time_s: u32, payload: &[u8]) {
        if self.cursor.done.contains(number) {
            return;
        }
        if time_s < self.oldest_s {
            self.cursor.mark(number..number + 1);
            self.cursor.lost.expired += 1;
            return;
        }
        (self.visit)(number, payload);
        self.count += 1;
        self.cursor.out_end = number + 1;
    }

    fn end(&mut self, place: Option<Place>) {
        self.cursor.place_after = place.filter(|place| place.segment != u64::MAX);
        if let Some(after) = self.cursor.place_after
            && after.number <= self.cursor.done.next()
        {
            self.cursor.place = Some(after);
        }
    }
}

/// Whether a file that cannot be read will not be readable later either: it has gone, or the disk
/// cannot read it.
fn is_for_good(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Looks at the record at `place`, filling the window with what comes from there on if need be.
fn step(
    place: &Place,
    window: &mut Window,
    fill: &mut impl FnMut(&mut Window, usize) -> io::Result<()>,
) -> io::Result<Step> {
    let mut least = 0;
    loop {
        let start = (place.offset - window.offset) as usize;
        match record::parse(&window.bytes, start, place.number) {
            Parsed::Record { time_s, payload } => {
                let length = (payload.end - start) as u64;
                return Ok(Step::Read { length, time_s, payload });
            }
            Parsed::Bad => return Ok(Step::Unreadable),
            // The window was filled for just that many, and the file has no more.
            Parsed::Incomplete(needed) if needed <= least => return Ok(Step::Unreadable),
            Parsed::Incomplete(needed) => {
                least = needed;
                window.offset = place.offset;
                fill(window, least)?;
            }
        }
    }
}

//! Bodies of line protocol, read piece by piece: memory is for what is being parsed, however much
//! is sent.

use std::io::{self, Read};
use std::time::Duration;

use crate::metric::{Metric, Timestamp};
use crate::plugin::line_protocol::{Lines, ParseError, first_line};

/// How much is read before it is parsed.
const PART_BYTES: usize = 1 << 20;

/// How many metrics are handed on at a time.
const HAND_ON_AT: usize = 1_000;

/// What was wrong with the lines of a body.
#[derive(Debug, Default)]
pub(super) struct Faults {
    first: Option<ParseError>,
    count: usize,
}

impl Faults {
    /// Tells of the first one and how many others there were; nothing if all was well.
    pub(super) fn summary(self) -> Option<String> {
        let first = self.first?;
        Some(match self.count {
            0 | 1 => first.to_string(),
            2 => format!("{first} (and 1 other parse error)"),
            count => format!("{first} (and {} other parse errors)", count - 1),
        })
    }
}

/// Turns a body into metrics.
pub(super) struct BodyReader<T, N> {
    /// The unit of timestamps.
    pub(super) unit: Duration,
    /// A line may not be longer.
    pub(super) max_line_bytes: usize,
    /// The time of metrics that have none.
    pub(super) now: N,
    /// Takes metrics and leaves the list empty.
    pub(super) take: T,
}

impl<T: FnMut(&mut Vec<Metric>), N: Fn() -> Timestamp> BodyReader<T, N> {
    /// Reads a body to its end; a line that is wrong costs no other.
    ///
    /// # Errors
    /// If the body does not come to its end; whole lines before that count.
    pub(super) fn read(&mut self, mut body: impl Read) -> io::Result<Faults> {
        let mut faults = Faults::default();
        let mut buffer = Vec::new();
        let mut lines_before = 0;
        loop {
            let read = body.by_ref().take(PART_BYTES as u64).read_to_end(&mut buffer);
            if let Ok(0..PART_BYTES) = read {
                self.parse(&buffer, lines_before, &mut faults);
                return Ok(faults);
            }
            let end = end_of_lines(&buffer);
            self.parse(&buffer[..end], lines_before, &mut faults);
            read?;
            if buffer.len() - end > self.max_line_bytes {
                return Err(super::door::too_large());
            }
            lines_before += memchr::memchr_iter(b'\n', &buffer[..end]).count();
            buffer.drain(..end);
        }
    }

    fn parse(&mut self, part: &[u8], lines_before: usize, faults: &mut Faults) {
        let unit_nanos = i64::try_from(self.unit.as_nanos()).unwrap_or(1);
        let mut lines = Lines::new(part, unit_nanos);
        let mut metrics = Vec::new();
        loop {
            match lines.next(|| (self.now)().truncate(self.unit)) {
                Ok(Some(metric)) => metrics.push(metric),
                Ok(None) => break,
                Err(fault) => {
                    faults.count += 1;
                    faults
                        .first
                        .get_or_insert_with(|| ParseError::in_stream(fault, part, lines_before));
                    lines.skip_faulty(fault);
                }
            }
            if metrics.len() >= HAND_ON_AT {
                (self.take)(&mut metrics);
            }
        }
        if !metrics.is_empty() {
            (self.take)(&mut metrics);
        }
    }
}

/// Where the last line ends that has come as a whole.
fn end_of_lines(buffer: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = first_line(&buffer[end..]) {
        end += length;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body comes to: the number of metrics, and what was wrong.
    fn read(body: impl Read, max_line_bytes: usize) -> (usize, String) {
        let mut count = 0;
        let take = |metrics: &mut Vec<Metric>| count += metrics.drain(..).count();
        let unit = Duration::from_nanos(1);
        let now = || Timestamp::EPOCH;
        let told = match (BodyReader { unit, max_line_bytes, now, take }).read(body) {
            Ok(faults) => faults.summary().unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        (count, told)
    }

    #[test]
    fn a_line_that_is_wrong_costs_no_other() {
        for (body, count, told) in [
            ("", 0, ""),
            ("m v=1\nn v=1", 2, ""),
            ("bad\r\nm v=1\n", 1, "metric parse error: expected tag at 1:4: \"bad\""),
            (
                "m v=1\nbad\nn v=1\nbad,x v\n",
                2,
                "metric parse error: expected tag at 2:4: \"bad\" (and 1 other parse error)",
            ),
            (
                "# c\n\nm v=\nm v=\nm v=\nn v=1",
                1,
                "metric parse error: expected field at 3:5: \"m v=\" (and 2 other parse errors)",
            ),
            (
                "m v=\"a\nb\" x\nm v=1",
                1,
                "metric parse error: expected timestamp at 2:4: \"b\\\" \"",
            ),
        ] {
            assert_eq!(read(body.as_bytes(), 100), (count, told.to_owned()), "{body:?}");
        }
    }

    #[test]
    fn large_bodies_are_read_in_parts_and_lines_counted_on() {
        let line = format!("m,t=\"{} v=\"a\nb\"\n", "x".repeat(1000));
        let body = format!("{}bad\n{line}", line.repeat(3 * PART_BYTES / line.len()));
        let lines = 2 * (3 * PART_BYTES / line.len());
        let (count, told) = read(body.as_bytes(), 2000);
        assert_eq!(count, lines / 2 + 1);
        assert_eq!(told, format!("metric parse error: expected tag at {}:4: \"bad\"", lines + 1));
        let endless = format!("m v=\"{body}").replace("\"\n", "\n");
        assert_eq!(read(endless.as_bytes(), 2000), (0, "http: request body too large".to_owned()));
    }

    #[test]
    fn lines_before_the_body_breaks_off_count() {
        let broken = b"m v=1\nn v=1\nm v".chain(Broken);
        assert_eq!(read(broken, 100), (2, "broken".to_owned()));
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
}

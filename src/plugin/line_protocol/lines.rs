//! Reads the parts of lines out of line protocol, one byte after the other.

use std::ops::Range;

use super::error::{Fault, Reason};
use super::number::{self, Number};
use super::parts::{FieldValue, LastLine, MetricParts, Parts};
use super::plain::plain_length;
use super::text::{Place, Text};
use crate::metric::{Metric, Timestamp};

/// Ends a plain run in a measurement.
const IN_NAME: u8 = 1;
/// Ends a plain run in the key or value of a tag and in the key of a field.
const IN_KEY: u8 = 2;

/// What each byte ends.
const ENDS: [u8; 256] = {
    let mut table = [0; 256];
    let both = b"\t\n\x0b\x0c\r ,\\";
    let mut at = 0;
    while at < both.len() {
        table[both[at] as usize] = IN_NAME | IN_KEY;
        at += 1;
    }
    table[b'=' as usize] = IN_KEY;
    table
};

const BOOLEANS: [(&[u8], bool); 10] = [
    (b"true", true),
    (b"True", true),
    (b"TRUE", true),
    (b"t", true),
    (b"T", true),
    (b"false", false),
    (b"False", false),
    (b"FALSE", false),
    (b"f", false),
    (b"F", false),
];

/// What a backslash does to the backslash that follows it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    /// Takes it along, so that it escapes nothing.
    Takes,
    /// Leaves it, so that it escapes what follows it.
    Leaves,
}

/// What a look for the next line has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLine {
    /// It was read; this is its time, if it has one.
    Read(Option<Timestamp>),
    /// There is none.
    None,
}

/// The lines of some input.
pub struct Lines<'i> {
    input: &'i [u8],
    /// The same input, if it is UTF-8 without a backslash: all of its texts mean what they say.
    plain: Option<&'i str>,
    at: usize,
    unit_nanos: i64,
    last: LastLine,
}

type Parsed<T> = Result<T, Fault>;

impl<'i> Lines<'i> {
    /// Begins at the first line; timestamps are in units of `unit_nanos`.
    pub fn new(input: &'i [u8], unit_nanos: i64) -> Lines<'i> {
        // Once for all of them is far quicker than text by text.
        let plain = match memchr::memchr(b'\\', input) {
            None => std::str::from_utf8(input).ok(),
            Some(_) => None,
        };
        Lines { input, plain, at: 0, unit_nanos, last: LastLine::default() }
    }

    /// The metric of the next line that has one, with the time `now` tells if it has none.
    ///
    /// # Errors
    /// What is wrong with the line; [`Lines::skip_faulty`] goes on after it.
    pub fn next(&mut self, now: impl FnOnce() -> Timestamp) -> Result<Option<Metric>, Fault> {
        let mut last = std::mem::take(&mut self.last);
        let mut parts = MetricParts::behind(&mut last);
        let metric = self.next_parts(&mut parts).map(|read| match read {
            NextLine::Read(time) => Some(parts.into_metric(time.unwrap_or_else(now))),
            NextLine::None => None,
        });
        self.last = last;
        metric
    }

    /// Hands the parts of the next line that has a metric over, as they stand there.
    ///
    /// # Errors
    /// What is wrong with the line, of which parts may have been handed over before;
    /// [`Lines::skip_faulty`] goes on after it.
    pub fn next_parts(&mut self, parts: &mut impl Parts) -> Result<NextLine, Fault> {
        self.skip_blank_lines()?;
        if self.at == self.input.len() {
            return Ok(NextLine::None);
        }
        self.name(parts)?;
        self.tags(parts)?;
        self.skip_blanks();
        self.fields(parts)?;
        Ok(NextLine::Read(self.timestamp()?))
    }

    /// Goes past the end of the line in which a fault was found.
    ///
    /// That is the next line end there is, also of a string that had not come to its end.
    pub fn skip_faulty(&mut self, fault: Fault) {
        let rest = &self.input[fault.at..];
        self.at = fault.at + memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
    }

    fn skip_blank_lines(&mut self) -> Parsed<()> {
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(b'\n') => self.at += 1,
                Some(b'\r') => self.line_end()?,
                Some(b'#') => {
                    let rest = &self.input[self.at..];
                    self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                }
                _ => return Ok(()),
            }
        }
    }

    fn name(&mut self, parts: &mut impl Parts) -> Parsed<()> {
        let start = self.at;
        if self.peek() == Some(b',') {
            return self.fault(Reason::Name);
        }
        // Telegraf takes a text that ends in the middle of an escape for the metric before it once
        // more; here it is an error as a line that ends so is.
        self.skip_text(IN_NAME, Backslash::Takes, Reason::Line)?;
        match self.peek() {
            Some(b',' | b'\t' | b'\x0b' | b'\x0c' | b' ') => {
                parts.name(self.text(start..self.at, Place::Name));
                Ok(())
            }
            _ => self.fault(Reason::Tag),
        }
    }

    fn tags(&mut self, parts: &mut impl Parts) -> Parsed<()> {
        while self.peek() == Some(b',') {
            self.at += 1;
            let key = self.tag_text()?;
            if self.peek() != Some(b'=') {
                return self.fault(Reason::Tag);
            }
            self.at += 1;
            let value = self.tag_text()?;
            if !matches!(self.peek(), Some(b',' | b'\t' | b'\x0b' | b'\x0c' | b' ')) {
                return self.fault(Reason::Tag);
            }
            parts.tag(self.text(key, Place::Key), self.text(value, Place::Key));
        }
        Ok(())
    }

    fn tag_text(&mut self) -> Parsed<Range<usize>> {
        let start = self.at;
        self.skip_text(IN_KEY, Backslash::Leaves, Reason::Tag)?;
        if self.at == start {
            return self.fault(Reason::Tag);
        }
        Ok(start..self.at)
    }

    fn fields(&mut self, parts: &mut impl Parts) -> Parsed<()> {
        loop {
            let start = self.at;
            self.skip_text(IN_KEY, Backslash::Takes, Reason::Field)?;
            if self.at == start || self.peek() != Some(b'=') {
                return self.fault(Reason::Field);
            }
            let key = self.text(start..self.at, Place::Key);
            self.at += 1;
            let value = self.value()?;
            self.require_end_of_value()?;
            if let Err(reason) = parts.field(key, value) {
                return self.fault(reason);
            }
            if self.peek() != Some(b',') {
                return Ok(());
            }
            self.at += 1;
        }
    }

    fn value(&mut self) -> Parsed<FieldValue<'i>> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b't' | b'T' | b'f' | b'F') => self.boolean(),
            Some(b'-' | b'.' | b'0'..=b'9') => self.number(),
            _ => self.fault(Reason::Field),
        }
    }

    fn string(&mut self) -> Parsed<FieldValue<'i>> {
        self.at += 1;
        let start = self.at;
        loop {
            let rest = &self.input[self.at..];
            let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.input.len();
                return self.fault(Reason::Field);
            };
            self.at += found;
            if self.peek() == Some(b'"') {
                break;
            }
            self.at += 1;
            if !matches!(self.peek(), Some(b'"' | b'\\')) {
                return self.fault(Reason::Field);
            }
            self.at += 1;
        }
        let text = start..self.at;
        self.at += 1;
        Ok(FieldValue::String(self.text(text, Place::String)))
    }

    fn boolean(&mut self) -> Parsed<FieldValue<'i>> {
        let rest = &self.input[self.at..];
        let common = |word: &[u8]| word.iter().zip(rest).take_while(|(a, b)| a == b).count();
        let longest = BOOLEANS.iter().map(|(word, _)| common(word)).max().unwrap_or(0);
        self.at += longest;
        let found = BOOLEANS.iter().find(|(word, _)| *word == &rest[..longest]);
        match found {
            Some((_, value)) => Ok(FieldValue::Boolean(*value)),
            None => self.fault(Reason::Field),
        }
    }

    fn number(&mut self) -> Parsed<FieldValue<'i>> {
        let start = self.at;
        let negative = self.skip_if(b"-");
        let digits_start = self.at;
        let digits = self.skip_digits();
        let mut whole = true;
        if self.skip_if(b".") {
            whole = false;
            if self.skip_digits() == 0 && digits == 0 {
                return self.fault(Reason::Field);
            }
        } else if digits == 0 {
            return self.fault(Reason::Field);
        }
        if self.skip_if(b"eE") {
            whole = false;
            // The quote is what Telegraf's grammar lets pass, to be refused as a number.
            self.skip_if(b"+-\"");
            if self.skip_digits() == 0 {
                return self.fault(Reason::Field);
            }
        }
        let text = &self.input[start..self.at];
        let leading_zero = digits > 1 && self.input[digits_start] == b'0';
        let number = match self.peek() {
            Some(b'i') if whole && !leading_zero => Number::Integer(text),
            Some(b'u') if whole && !leading_zero && !negative => Number::Unsigned(text),
            _ => Number::Float(text),
        };
        if !matches!(number, Number::Float(_)) {
            self.at += 1;
        }
        Ok(FieldValue::Number(number))
    }

    /// The time at the end of the line if there is one, and the end of the line.
    fn timestamp(&mut self) -> Parsed<Option<Timestamp>> {
        let mut time = None;
        if self.skip_blanks() {
            match self.peek() {
                None | Some(b'\r' | b'\n') => {}
                _ => {
                    time = Some(self.time()?);
                    self.skip_blanks();
                }
            }
        }
        self.line_end()?;
        Ok(time)
    }

    fn time(&mut self) -> Parsed<Timestamp> {
        const MOST_DIGITS: usize = 19;
        let start = self.at;
        self.skip_if(b"-");
        let digits_start = self.at;
        let digits = self.skip_digits();
        if digits > MOST_DIGITS {
            self.at = digits_start + MOST_DIGITS;
        }
        let ended =
            matches!(self.peek(), None | Some(b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r' | b' '));
        if digits == 0 || !ended {
            return self.fault(Reason::Timestamp);
        }
        // Telegraf lets a time overflow that does not fit once it is in nanoseconds.
        number::integer(&self.input[start..self.at])
            .ok()
            .and_then(|units| units.checked_mul(self.unit_nanos))
            .map_or_else(|| self.fault(Reason::Range), |nanos| Ok(Timestamp::from_nanos(nanos)))
    }

    /// Goes past the end of the line; the input may also end, even between CR and LF.
    fn line_end(&mut self) -> Parsed<()> {
        if self.skip_if(b"\r") && self.peek().is_none() || self.peek().is_none() {
            return Ok(());
        }
        if self.skip_if(b"\n") { Ok(()) } else { self.fault(Reason::Line) }
    }

    fn require_end_of_value(&self) -> Parsed<()> {
        match self.peek() {
            None | Some(b',' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r' | b' ') => Ok(()),
            _ => self.fault(Reason::Field),
        }
    }

    /// Goes past a text up to the first byte that ends it and has no backslash before it.
    fn skip_text(&mut self, ends: u8, backslash: Backslash, fault: Reason) -> Parsed<()> {
        loop {
            self.at += plain_length(&self.input[self.at..]);
            while self.peek().is_some_and(|byte| ENDS[usize::from(byte)] & ends == 0) {
                self.at += 1;
            }
            if self.peek() != Some(b'\\') {
                return Ok(());
            }
            self.at += 1;
            match self.peek() {
                None | Some(b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r') => return self.fault(fault),
                Some(b'\\') if backslash == Backslash::Leaves => {}
                Some(_) => self.at += 1,
            }
        }
    }

    /// What the bytes in this range mean.
    fn text(&self, range: Range<usize>, place: Place) -> Text<'i> {
        match self.plain.and_then(|plain| plain.get(range.clone())) {
            Some(text) => Text::plain(text),
            None => Text::written(&self.input[range], place),
        }
    }

    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b'\t' | b'\x0b' | b'\x0c' | b' ')) {
            self.at += 1;
        }
        self.at > start
    }

    fn skip_digits(&mut self) -> usize {
        let rest = &self.input[self.at..];
        let count = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        count
    }

    fn skip_if(&mut self, any_of: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| any_of.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn fault<T>(&self, reason: Reason) -> Parsed<T> {
        Err(Fault { reason, at: self.at })
    }
}

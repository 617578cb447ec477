//! Reading times.

use jiff::Zoned;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::{Colons, Element, Item, MONTHS, OffsetPrecision, TimeLayout, UtcForm, WEEKDAYS};
use crate::metric::Timestamp;
use crate::plugin::Quoted;

/// Why a text is no time of a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeParseError {
    /// Some part is not what the layout has there.
    #[error(
        "parsing time {} as {}: cannot parse {} as {}",
        Quoted::new(text),
        Quoted::new(layout),
        Quoted::new(rest),
        Quoted::new(expected)
    )]
    Mismatch {
        /// The whole text.
        text: String,
        /// The whole layout.
        layout: String,
        /// What is left of the text.
        rest: String,
        /// What the layout has there.
        expected: String,
    },
    /// Something is left at the end.
    #[error("parsing time {}: extra text: {}", Quoted::new(text), Quoted::new(rest))]
    Extra {
        /// The whole text.
        text: String,
        /// What is left of it.
        rest: String,
    },
    /// A number is larger than such a part can be.
    #[error("parsing time {}: {part} out of range", Quoted::new(text))]
    OutOfRange {
        /// The whole text.
        text: String,
        /// Which part it is, such as `month`.
        part: &'static str,
    },
    /// A time zone has no rules that this machine knows.
    #[error("cannot resolve timezone abbreviation {}", Quoted::new(.0))]
    UnknownZone(String),
}

/// What has been read so far.
#[derive(Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    half: Option<Half>,
    zone: Option<Zone>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

enum Zone {
    /// Seconds east of UTC.
    Offset(i32),
    Name(String),
}

/// Why a part could not be read.
enum Fault {
    Mismatch,
    OutOfRange(&'static str),
}

type Read<'t, T> = Result<(T, &'t str), Fault>;

impl TimeLayout {
    /// Reads a time; one without an offset or zone is taken to be in `zone`, and one without a
    /// year to be in `current_year`.
    ///
    /// # Errors
    /// If the text is not of this layout, or not a time.
    pub fn parse(
        &self,
        text: &str,
        zone: &TimeZone,
        current_year: i16,
    ) -> Result<Timestamp, TimeParseError> {
        let instant = self.parse_zoned(text, zone, current_year)?.timestamp();
        i64::try_from(instant.as_nanosecond())
            .map(Timestamp::from_nanos)
            .map_err(|_| TimeParseError::OutOfRange { text: text.to_owned(), part: "time" })
    }

    /// Reads a time as [`TimeLayout::parse`] does, and keeps the offset or zone that it is given in.
    ///
    /// # Errors
    /// If the text is not of this layout, or not a time.
    pub fn parse_zoned(
        &self,
        text: &str,
        zone: &TimeZone,
        current_year: i16,
    ) -> Result<Zoned, TimeParseError> {
        let mut parts = Parts::default();
        let mut rest = text;
        for (at, item) in self.items.iter().enumerate() {
            let result = match item.element {
                None => skip_literal(rest, &item.text).map(|rest| ((), rest)),
                Some(element) => parts.read(element, self.items.get(at + 1), rest),
            };
            rest = match result {
                Ok(((), rest)) => rest,
                Err(Fault::OutOfRange(part)) => {
                    return Err(TimeParseError::OutOfRange { text: text.into(), part });
                }
                Err(Fault::Mismatch) => {
                    return Err(TimeParseError::Mismatch {
                        text: text.into(),
                        layout: self.text.clone(),
                        rest: rest.into(),
                        expected: item.text.clone(),
                    });
                }
            };
        }
        if !rest.is_empty() {
            return Err(TimeParseError::Extra { text: text.into(), rest: rest.into() });
        }
        parts.resolve(text, zone, current_year)
    }
}

impl Parts {
    fn read<'t>(&mut self, element: Element, next: Option<&Item>, text: &'t str) -> Read<'t, ()> {
        let rest = match element {
            Element::LongYear => keep(&mut self.year, digits(text, 4, 4)?),
            Element::Year => {
                let (year, rest) = digits::<i16>(text, 2, 2)?;
                self.year = Some(if year >= 69 { 1900 + year } else { 2000 + year });
                rest
            }
            Element::LongMonth => self.read_month(text, usize::MAX)?,
            Element::Month => self.read_month(text, 3)?,
            Element::NumMonth | Element::ZeroMonth => {
                let (month, rest) = digits(text, fixed(element), 2)?;
                self.month = Some(within(month, 1..=12, "month")?);
                rest
            }
            Element::LongWeekday => name(text, &WEEKDAYS, usize::MAX)?.1,
            Element::Weekday => name(text, &WEEKDAYS, 3)?.1,
            Element::Day | Element::UnderDay | Element::ZeroDay => {
                let padded = element == Element::UnderDay;
                let text = if padded { text.strip_prefix(' ').unwrap_or(text) } else { text };
                keep(&mut self.day, digits(text, fixed(element), 2)?)
            }
            Element::UnderYearDay | Element::ZeroYearDay => {
                let number = text.trim_start_matches(' ');
                let padding = text.len() - number.len();
                let padding = if element == Element::UnderYearDay { padding } else { 0 };
                let width = 3_usize.checked_sub(padding).filter(|width| *width > 0);
                let width = width.ok_or(Fault::Mismatch)?;
                keep(&mut self.year_day, digits(&text[padding..], width, width)?)
            }
            Element::Hour => {
                let (hour, rest) = digits(text, 1, 2)?;
                self.hour = within(hour, 0..=23, "hour")?;
                rest
            }
            Element::Hour12 | Element::ZeroHour12 => {
                let (hour, rest) = digits(text, fixed(element), 2)?;
                self.hour = within(hour, 0..=12, "hour")?;
                rest
            }
            Element::Minute | Element::ZeroMinute => {
                let (minute, rest) = digits(text, fixed(element), 2)?;
                self.minute = within(minute, 0..=59, "minute")?;
                rest
            }
            Element::Second | Element::ZeroSecond => {
                let (second, rest) = digits(text, fixed(element), 2)?;
                self.second = within(second, 0..=59, "second")?;
                self.read_unasked_fraction(rest, next)?
            }
            Element::UpperPm => self.read_half(text, "AM", "PM")?,
            Element::LowerPm => self.read_half(text, "am", "pm")?,
            Element::FractionZeros(count) => {
                let digits = text.strip_prefix(['.', ',']).ok_or(Fault::Mismatch)?;
                self.read_fraction(digits, Some(count))?
            }
            Element::FractionNines(_) => match fraction(text) {
                Some(digits) => self.read_fraction(digits, None)?,
                None => text,
            },
            Element::Offset { utc, precision, colons } => {
                let (seconds, rest) = read_offset(text, utc, precision, colons)?;
                self.zone = Some(Zone::Offset(seconds));
                rest
            }
            Element::ZoneName => {
                let length = text.bytes().take_while(u8::is_ascii_uppercase).count();
                if !(3..=5).contains(&length) {
                    return Err(Fault::Mismatch);
                }
                self.zone = Some(Zone::Name(text[..length].to_owned()));
                &text[length..]
            }
        };
        Ok(((), rest))
    }

    fn read_month<'t>(&mut self, text: &'t str, letters: usize) -> Result<&'t str, Fault> {
        let (month, rest) = name(text, &MONTHS, letters)?;
        self.month = i8::try_from(month + 1).ok();
        Ok(rest)
    }

    fn read_half<'t>(&mut self, text: &'t str, am: &str, pm: &str) -> Result<&'t str, Fault> {
        let halves = [(am, Half::Am), (pm, Half::Pm)];
        let found = halves
            .iter()
            .find_map(|(name, half)| text.strip_prefix(name).map(|rest| (*half, rest)));
        let (half, rest) = found.ok_or(Fault::Mismatch)?;
        self.half = Some(half);
        Ok(rest)
    }

    /// Reads a fraction of a second that stands in the text though not in the layout.
    fn read_unasked_fraction<'t>(
        &mut self,
        text: &'t str,
        next: Option<&Item>,
    ) -> Result<&'t str, Fault> {
        let is_asked_for = matches!(
            next.and_then(|item| item.element),
            Some(Element::FractionZeros(_) | Element::FractionNines(_))
        );
        match fraction(text) {
            Some(digits) if !is_asked_for => self.read_fraction(digits, None),
            _ => Ok(text),
        }
    }

    fn read_fraction<'t>(&mut self, text: &'t str, count: Option<usize>) -> Result<&'t str, Fault> {
        let found = text.bytes().take_while(u8::is_ascii_digit).count();
        let count = count.unwrap_or(found);
        if found < count || count == 0 {
            return Err(Fault::Mismatch);
        }
        let (digits, rest) = text.split_at(count);
        let nanos = format!("{:0<9}", &digits[..count.min(9)]);
        self.nanos = nanos.parse().map_err(|_| Fault::Mismatch)?;
        Ok(rest)
    }

    fn resolve(
        self,
        text: &str,
        zone: &TimeZone,
        current_year: i16,
    ) -> Result<Zoned, TimeParseError> {
        let out_of_range =
            |part: &'static str| TimeParseError::OutOfRange { text: text.to_owned(), part };
        let hour = match self.half {
            Some(Half::Pm) if self.hour < 12 => self.hour + 12,
            Some(Half::Am) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let year = self.year.unwrap_or(current_year);
        let date = match self.year_day {
            Some(day) => Date::new(year, 1, 1)
                .and_then(|date| date.with().day_of_year(day).build())
                .map_err(|_| out_of_range("day-of-year"))?,
            None => Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1))
                .map_err(|_| out_of_range("day"))?,
        };
        let time = Time::new(hour, self.minute, self.second, self.nanos)
            .map_err(|_| out_of_range("time"))?;
        let zone = match self.zone {
            None => zone.clone(),
            Some(Zone::Offset(seconds)) => {
                TimeZone::fixed(Offset::from_seconds(seconds).map_err(|_| out_of_range("offset"))?)
            }
            Some(Zone::Name(name)) if name == "UTC" || name == "GMT" => TimeZone::UTC,
            // The most probable of what an abbreviation may mean is the zone of that name.
            Some(Zone::Name(name)) => {
                TimeZone::get(&name).map_err(|_| TimeParseError::UnknownZone(name))?
            }
        };
        DateTime::from_parts(date, time).to_zoned(zone).map_err(|_| out_of_range("time"))
    }
}

/// The fewest digits of a part: one, or two where the layout has a zero before it.
fn fixed(element: Element) -> usize {
    match element {
        Element::ZeroMonth
        | Element::ZeroDay
        | Element::ZeroHour12
        | Element::ZeroMinute
        | Element::ZeroSecond => 2,
        _ => 1,
    }
}

fn keep<'t, T>(part: &mut Option<T>, (value, rest): (T, &'t str)) -> &'t str {
    *part = Some(value);
    rest
}

fn digits<T: std::str::FromStr>(text: &str, fewest: usize, most: usize) -> Read<'_, T> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < fewest {
        return Err(Fault::Mismatch);
    }
    let (digits, rest) = text.split_at(count);
    digits.parse().map(|number| (number, rest)).map_err(|_| Fault::Mismatch)
}

fn within(
    number: i8,
    range: std::ops::RangeInclusive<i8>,
    part: &'static str,
) -> Result<i8, Fault> {
    if range.contains(&number) { Ok(number) } else { Err(Fault::OutOfRange(part)) }
}

/// Finds which of `names`, or of their first letters, the text begins with.
fn name<'t>(text: &'t str, names: &[&str], letters: usize) -> Read<'t, usize> {
    for (at, name) in names.iter().enumerate() {
        let name = &name[..letters.min(name.len())];
        if let Some((start, rest)) = text.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return Ok((at, rest));
        }
    }
    Err(Fault::Mismatch)
}

/// What follows the point of a fraction, if there is one.
fn fraction(text: &str) -> Option<&str> {
    text.strip_prefix(['.', ',']).filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
}

fn read_offset(
    text: &str,
    utc: UtcForm,
    precision: OffsetPrecision,
    colons: Colons,
) -> Read<'_, i32> {
    if utc == UtcForm::Z
        && let Some(rest) = text.strip_prefix('Z')
    {
        return Ok((0, rest));
    }
    let (sign, mut rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(Fault::Mismatch),
    };
    let units: &[i32] = match precision {
        OffsetPrecision::Hours => &[3600],
        OffsetPrecision::Minutes => &[3600, 60],
        OffsetPrecision::Seconds => &[3600, 60, 1],
    };
    let mut seconds = 0;
    for (at, unit) in units.iter().enumerate() {
        if at > 0 && colons == Colons::With {
            rest = rest.strip_prefix(':').ok_or(Fault::Mismatch)?;
        }
        let (number, after) = digits::<i32>(rest, 2, 2)?;
        if number > if at == 0 { 24 } else { 60 } {
            return Err(Fault::OutOfRange("time zone offset"));
        }
        seconds += number * unit;
        rest = after;
    }
    Ok((sign * seconds, rest))
}

/// Goes past a literal; any run of blanks stands for any other.
fn skip_literal<'t>(mut text: &'t str, literal: &str) -> Result<&'t str, Fault> {
    let mut literal = literal;
    while let Some(c) = literal.chars().next() {
        if c == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(Fault::Mismatch);
            }
            literal = literal.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(c).ok_or(Fault::Mismatch)?;
            literal = &literal[c.len_utf8()..];
        }
    }
    Ok(text)
}

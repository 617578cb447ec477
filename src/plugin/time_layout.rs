//! Times in text, their form given as Go gives it: by how a certain moment would be written.
//!
//! The moment is Monday, January 2 2006, 15:04:05, seven hours behind UTC. Telegraf's options for
//! time formats take such layouts.
//!
//! # References
//! Go's package `time`, the constants at its top.

mod format;
mod parse;

pub use parse::TimeParseError;

/// A compiled layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeLayout {
    text: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    /// How it stands in the layout, for messages.
    text: String,
    element: Option<Element>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset {
        utc: UtcForm,
        precision: OffsetPrecision,
        colons: Colons,
    },
    /// So many digits, and the point before them.
    FractionZeros(usize),
    /// At most so many digits, zeros at the end left out, and the point before them.
    FractionNines(usize),
}

/// How an offset of zero is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UtcForm {
    Digits,
    Z,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OffsetPrecision {
    Hours,
    Minutes,
    Seconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colons {
    With,
    Without,
}

const fn offset(utc: UtcForm, precision: OffsetPrecision, colons: Colons) -> Element {
    Element::Offset { utc, precision, colons }
}

/// How the parts of the moment are written; of two that begin alike the longer comes first.
const ELEMENTS: [(&str, Element); 33] = [
    ("January", Element::LongMonth),
    ("Jan", Element::Month),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::Weekday),
    ("MST", Element::ZoneName),
    ("002", Element::ZeroYearDay),
    ("01", Element::ZeroMonth),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour),
    ("1", Element::NumMonth),
    ("2006", Element::LongYear),
    ("2", Element::Day),
    ("__2", Element::UnderYearDay),
    ("_2", Element::UnderDay),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::UpperPm),
    ("pm", Element::LowerPm),
    ("-07:00:00", offset(UtcForm::Digits, OffsetPrecision::Seconds, Colons::With)),
    ("-070000", offset(UtcForm::Digits, OffsetPrecision::Seconds, Colons::Without)),
    ("-07:00", offset(UtcForm::Digits, OffsetPrecision::Minutes, Colons::With)),
    ("-0700", offset(UtcForm::Digits, OffsetPrecision::Minutes, Colons::Without)),
    ("-07", offset(UtcForm::Digits, OffsetPrecision::Hours, Colons::Without)),
    ("Z07:00:00", offset(UtcForm::Z, OffsetPrecision::Seconds, Colons::With)),
    ("Z070000", offset(UtcForm::Z, OffsetPrecision::Seconds, Colons::Without)),
    ("Z07:00", offset(UtcForm::Z, OffsetPrecision::Minutes, Colons::With)),
    ("Z0700", offset(UtcForm::Z, OffsetPrecision::Minutes, Colons::Without)),
    ("Z07", offset(UtcForm::Z, OffsetPrecision::Hours, Colons::Without)),
];

/// Layouts that have names, in lower case.
const NAMED: [(&str, &str); 14] = [
    ("ansic", "Mon Jan _2 15:04:05 2006"),
    ("unixdate", "Mon Jan _2 15:04:05 MST 2006"),
    ("rubydate", "Mon Jan 02 15:04:05 -0700 2006"),
    ("rfc822", "02 Jan 06 15:04 MST"),
    ("rfc822z", "02 Jan 06 15:04 -0700"),
    ("rfc850", "Monday, 02-Jan-06 15:04:05 MST"),
    ("rfc1123", "Mon, 02 Jan 2006 15:04:05 MST"),
    ("rfc1123z", "Mon, 02 Jan 2006 15:04:05 -0700"),
    ("rfc3339", "2006-01-02T15:04:05Z07:00"),
    ("rfc3339nano", "2006-01-02T15:04:05.999999999Z07:00"),
    ("stamp", "Jan _2 15:04:05"),
    ("stampmilli", "Jan _2 15:04:05.000"),
    ("stampmicro", "Jan _2 15:04:05.000000"),
    ("stampnano", "Jan _2 15:04:05.000000000"),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl TimeLayout {
    /// Compiles a layout; every text is one, what is no part of the moment stands for itself.
    pub fn new(layout: &str) -> TimeLayout {
        let mut items: Vec<Item> = Vec::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            let found = element_at(rest);
            let length = found.map_or(first.len_utf8(), |(length, _)| length);
            let (text, after) = rest.split_at(length);
            match (found, items.last_mut()) {
                (None, Some(Item { text: literal, element: None })) => literal.push_str(text),
                (found, _) => {
                    let element = found.map(|(_, element)| element);
                    items.push(Item { text: text.to_owned(), element });
                }
            }
            rest = after;
        }
        TimeLayout { text: layout.to_owned(), items }
    }

    /// Compiles a layout or the name of one, such as `RFC3339`.
    pub fn new_or_named(layout: &str) -> TimeLayout {
        let lower = layout.to_ascii_lowercase();
        let named = NAMED.iter().find(|(name, _)| *name == lower);
        TimeLayout::new(named.map_or(layout, |(_, layout)| layout))
    }
}

/// The part of the moment that `layout` begins with, and its length.
fn element_at(layout: &str) -> Option<(usize, Element)> {
    if layout.starts_with("_2006") {
        return None;
    }
    if let Some(fraction) = fraction_at(layout) {
        return Some(fraction);
    }
    let (text, element) = ELEMENTS.iter().find(|(text, _)| layout.starts_with(text))?;
    let is_word = matches!(element, Element::Month | Element::Weekday)
        && layout[text.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    if is_word { None } else { Some((text.len(), *element)) }
}

fn fraction_at(layout: &str) -> Option<(usize, Element)> {
    let digits = layout.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.chars().take_while(|c| *c == digit).count();
    if digits[count..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let element =
        if digit == '0' { Element::FractionZeros(count) } else { Element::FractionNines(count) };
    Some((count + 1, element))
}

#[cfg(test)]
mod tests;

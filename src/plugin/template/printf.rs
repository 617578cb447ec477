//! Text after a format, as Go's `Sprintf` makes it.
//!
//! # References
//! Go's package `fmt`, "Printing" and "Format errors".

use std::iter::Peekable;
use std::str::Chars;

use super::data::{Data, Dict};
use super::print::shown;
use crate::metric::PlainFloat;
use crate::plugin::{Quoted, ShownFloat};

/// How one verb is to be written.
#[derive(Debug, Clone, Default)]
struct Directive {
    is_left: bool,
    has_plus: bool,
    is_alternate: bool,
    has_space: bool,
    has_zeros: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// What a width or a precision can be at most; the standard library formats no wider.
const MAX_WIDTH: i128 = 60_000;

/// Writes `arguments` after `format`; what does not fit is shown as Go shows it: `%!d(string=x)`.
pub(super) fn sprintf(format: &str, arguments: &[Data<'_>]) -> String {
    let mut out = String::with_capacity(format.len() + 16);
    let mut chars = format.chars().peekable();
    let mut next = 0;
    let mut is_reordered = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = Directive::default();
        read_flags(&mut chars, &mut directive);
        is_reordered |= read_index(&mut chars, &mut next);
        directive.width = read_number(&mut chars, arguments, &mut next, |negative| {
            directive.is_left |= negative;
            directive.has_zeros &= !negative;
        });
        if chars.next_if_eq(&'.').is_some() {
            is_reordered |= read_index(&mut chars, &mut next);
            let precision = read_number(&mut chars, arguments, &mut next, |_| {});
            directive.precision = Some(precision.unwrap_or(0));
        }
        is_reordered |= read_index(&mut chars, &mut next);
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => {
                match arguments.get(next) {
                    None => {
                        let problem = if is_reordered { "(BADINDEX)" } else { "(MISSING)" };
                        out.extend(["%!", verb.encode_utf8(&mut [0; 4]), problem]);
                    }
                    Some(argument) => push_directive(&mut out, &directive, verb, argument),
                }
                next = next.saturating_add(1);
            }
        }
    }
    if !is_reordered && next < arguments.len() {
        out.push_str("%!(EXTRA ");
        for (at, argument) in arguments[next..].iter().enumerate() {
            out.push_str(if at > 0 { ", " } else { "" });
            push_typed(&mut out, argument);
        }
        out.push(')');
    }
    out
}

fn push_typed(out: &mut String, argument: &Data<'_>) {
    out.push_str(argument.type_name());
    if !matches!(argument, Data::Nil) {
        out.push('=');
        out.push_str(&shown(argument));
    }
}

fn read_flags(chars: &mut Peekable<Chars<'_>>, directive: &mut Directive) {
    while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '+' | '#' | ' ' | '0')) {
        match flag {
            '-' => directive.is_left = true,
            '+' => directive.has_plus = true,
            '#' => directive.is_alternate = true,
            ' ' => directive.has_space = true,
            _ => directive.has_zeros = true,
        }
    }
    directive.has_zeros &= !directive.is_left;
}

/// Reads `[3]`, which goes on with the third argument.
fn read_index(chars: &mut Peekable<Chars<'_>>, next: &mut usize) -> bool {
    if chars.next_if_eq(&'[').is_none() {
        return false;
    }
    let digits: String = chars.by_ref().take_while(|c| *c != ']').collect();
    *next = digits.parse::<usize>().map_or(usize::MAX, |index| index.wrapping_sub(1));
    true
}

/// Reads a width or precision, or takes it from the arguments where a star stands for it.
fn read_number(
    chars: &mut Peekable<Chars<'_>>,
    arguments: &[Data<'_>],
    next: &mut usize,
    mut negative: impl FnMut(bool),
) -> Option<usize> {
    if chars.next_if_eq(&'*').is_some() {
        let value = arguments.get(*next).and_then(Data::as_integer)?;
        *next += 1;
        negative(value < 0);
        return usize::try_from(value.abs().min(MAX_WIDTH)).ok();
    }
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        let value = number.unwrap_or(0) * 10 + i128::from(digit);
        number = Some(value.min(MAX_WIDTH));
    }
    number.and_then(|number| usize::try_from(number).ok())
}

fn push_directive(out: &mut String, directive: &Directive, verb: char, argument: &Data<'_>) {
    let written = match verb {
        'T' => Some(argument.type_name().to_owned()),
        'v' => Some(directive.value(argument)),
        _ => match argument {
            Data::Boolean(value) => (verb == 't').then(|| value.to_string()),
            Data::Float(value) => directive.float(verb, *value),
            Data::Text(text) => directive.text(verb, text),
            Data::List(list) => Some(directive.list(verb, &list.items)),
            Data::Dict(dict) => Some(directive.dict(verb, dict)),
            Data::Span(_) | Data::Month(_) | Data::Weekday(_) | Data::Time(_) | Data::Metric(_)
                if matches!(verb, 's' | 'q') =>
            {
                directive.text(verb, &shown(argument))
            }
            _ => argument.as_integer().and_then(|value| directive.integer(verb, value)),
        },
    };
    match written {
        Some(written) => directive.push_padded(out, &written, verb, argument),
        None => {
            out.extend(["%!", verb.encode_utf8(&mut [0; 4]), "("]);
            push_typed(out, argument);
            out.push(')');
        }
    }
}

impl Directive {
    fn push_padded(&self, out: &mut String, text: &str, verb: char, argument: &Data<'_>) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        let is_finite = !matches!(argument, Data::Float(value) if !value.is_finite());
        let is_number = argument.as_integer().is_some() && self.precision.is_none()
            || matches!(argument, Data::Float(_)) && is_finite;
        if missing == 0 {
            out.push_str(text);
        } else if self.is_left {
            out.push_str(text);
            out.extend(std::iter::repeat_n(' ', missing));
        } else if self.has_zeros && is_number && !matches!(verb, 'c' | 'q' | 'U' | 'T') {
            let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
            out.push_str(&text[..sign]);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(&text[sign..]);
        } else {
            let fill = if self.has_zeros && matches!(argument, Data::Text(_)) { '0' } else { ' ' };
            out.extend(std::iter::repeat_n(fill, missing));
            out.push_str(text);
        }
    }

    fn value(&self, argument: &Data<'_>) -> String {
        match argument {
            Data::Float(value) => match self.precision {
                Some(_) => self.float('g', *value).unwrap_or_default(),
                None => self.signed(ShownFloat(*value).to_string()),
            },
            Data::Text(text) => self.text('s', text).unwrap_or_default(),
            Data::Int(_) | Data::Integer(_) | Data::Unsigned(_) | Data::Byte(_) => {
                self.signed(shown(argument))
            }
            other => shown(other),
        }
    }

    /// Puts the sign that the flags ask for before a number that has none.
    fn signed(&self, number: String) -> String {
        let has_sign = number.starts_with(['-', '+']);
        match (has_sign, self.has_plus, self.has_space) {
            (false, true, _) if number != "NaN" => format!("+{number}"),
            (false, false, true) => format!(" {number}"),
            _ => number,
        }
    }

    fn text(&self, verb: char, text: &str) -> Option<String> {
        let cut: String = match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.to_owned(),
        };
        match verb {
            's' => Some(cut),
            'q' if self.is_alternate && !cut.contains('`') => Some(format!("`{cut}`")),
            'q' => Some(Quoted::new(&cut).to_string()),
            'x' => Some(cut.bytes().map(|byte| format!("{byte:02x}")).collect()),
            'X' => Some(cut.bytes().map(|byte| format!("{byte:02X}")).collect()),
            _ => None,
        }
    }

    /// The same directive for what is within a value.
    fn inner(&self) -> Directive {
        Directive { width: None, ..self.clone() }
    }

    fn list(&self, verb: char, items: &[Data<'_>]) -> String {
        let mut out = "[".to_owned();
        for (at, item) in items.iter().enumerate() {
            out.push_str(if at > 0 { " " } else { "" });
            push_directive(&mut out, &self.inner(), verb, item);
        }
        out.push(']');
        out
    }

    fn dict(&self, verb: char, dict: &Dict<'_>) -> String {
        let mut out = "map[".to_owned();
        for (at, (key, value)) in dict.entries().into_iter().enumerate() {
            out.push_str(if at > 0 { " " } else { "" });
            push_directive(&mut out, &self.inner(), verb, &Data::Text(key));
            out.push(':');
            push_directive(&mut out, &self.inner(), verb, &value);
        }
        out.push(']');
        out
    }

    fn integer(&self, verb: char, value: i128) -> Option<String> {
        let magnitude = value.unsigned_abs();
        let prefix = |prefix: &'static str| if self.is_alternate { prefix } else { "" };
        let (prefix, digits) = match verb {
            'd' => ("", magnitude.to_string()),
            'b' => (prefix("0b"), format!("{magnitude:b}")),
            'o' => (prefix("0"), format!("{magnitude:o}")),
            'O' => ("0o", format!("{magnitude:o}")),
            'x' => (prefix("0x"), format!("{magnitude:x}")),
            'X' => (prefix("0X"), format!("{magnitude:X}")),
            'c' => return Some(character(value).to_string()),
            'q' => return Some(format!("'{}'", character(value))),
            'U' => return Some(format!("U+{magnitude:04X}")),
            _ => return None,
        };
        let digits = match self.precision {
            Some(0) if value == 0 => String::new(),
            Some(precision) => format!("{digits:0>precision$}"),
            None => digits,
        };
        let sign = if value < 0 { "-" } else { "" };
        Some(self.signed(format!("{sign}{prefix}{digits}")))
    }

    fn float(&self, verb: char, value: f64) -> Option<String> {
        if !matches!(verb, 'e' | 'E' | 'f' | 'F' | 'g' | 'G') {
            return None;
        }
        if !value.is_finite() {
            return Some(ShownFloat(value).to_string());
        }
        let text = match verb {
            'f' | 'F' => format!("{value:.*}", self.precision.unwrap_or(6)),
            'e' | 'E' => with_exponent(&format!("{value:.*e}", self.precision.unwrap_or(6))),
            _ => match self.precision {
                None => ShownFloat(value).to_string(),
                Some(precision) => general(value, precision.max(1)),
            },
        };
        let text = if verb.is_ascii_uppercase() { text.to_uppercase() } else { text };
        Some(self.signed(text))
    }
}

fn character(code: i128) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `%g` with a number of digits: an exponent where it is below -4 or as large as that number.
fn general(value: f64, digits: usize) -> String {
    let shown = format!("{value:.*e}", digits - 1);
    let exponent: i64 = shown.rsplit('e').next().and_then(|e| e.parse().ok()).unwrap_or(0);
    let mantissa = shown.split('e').next().unwrap_or_default();
    if exponent < -4 || exponent >= i64::try_from(digits).unwrap_or(i64::MAX) {
        let short = match mantissa.contains('.') {
            true => mantissa.trim_end_matches('0').trim_end_matches('.'),
            false => mantissa,
        };
        return with_exponent(&format!("{short}e{exponent}"));
    }
    // The digits read back as a number whose shortest form has no more of them.
    shown.parse().map_or(shown, |rounded: f64| PlainFloat(rounded).to_string())
}

/// Gives an exponent the sign and the two digits that Go writes.
fn with_exponent(shown: &str) -> String {
    let (digits, exponent) = shown.split_once('e').unwrap_or((shown, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

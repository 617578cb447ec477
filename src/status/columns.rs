//! Tables and spans of time, for people.

use std::fmt::Write as _;

/// What stands for something that is not known.
pub const UNKNOWN: &str = "-";

/// Rows below their heads, as wide as they have to be, with an empty line in the end; nothing where
/// there are no rows. Columns whose head begins with `<` are numbers and stand to the right.
pub fn columns<const N: usize>(head: [&str; N], rows: Vec<Vec<String>>) -> String {
    let mut text = String::new();
    if rows.is_empty() {
        return text;
    }
    let names = head.map(|name| name.trim_start_matches('<'));
    let wide = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([names[at].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(wide);
    let names = names.map(str::to_owned).to_vec();
    for row in std::iter::once(&names).chain(&rows) {
        let mut line = String::new();
        for ((cell, name), width) in row.iter().zip(head).zip(widths) {
            let gap = if line.is_empty() { "" } else { "  " };
            if name.starts_with('<') {
                push(&mut line, format_args!("{gap}{cell:>width$}"));
            } else {
                push(&mut line, format_args!("{gap}{cell:width$}"));
            }
        }
        push(&mut text, format_args!("{}\n", line.trim_end()));
    }
    text.push('\n');
    text
}

/// A span of time in seconds, for people.
pub struct Span(pub f64);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.0 as u64;
        let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
        match whole {
            0..10 => write!(f, "{:.1} s", self.0),
            10..60 => write!(f, "{whole} s"),
            60..3_600 => write!(f, "{minutes} min {} s", whole % 60),
            3_600..86_400 => write!(f, "{hours} h {minutes} min"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = text.write_fmt(more);
}

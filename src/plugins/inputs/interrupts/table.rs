//! The tables in `/proc/interrupts` and `/proc/softirqs`: a line for each interrupt, a column for
//! each processor that is online.
//!
//! # References
//! proc_interrupts(5).

use compact_str::CompactString;

/// An interrupt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interrupt<'a> {
    /// Its number or name, such as `24` or `NMI`.
    pub(super) id: &'a str,
    /// What brings it; of those without a number, what they are for.
    pub(super) kind: CompactString,
    /// What asks for it.
    pub(super) device: CompactString,
    /// How often each processor has handled it, in the order of the columns.
    pub(super) counts: &'a [i64],
}

impl Interrupt<'_> {
    /// How often all processors have handled it.
    pub(super) fn total(&self) -> i64 {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }
}

/// Why a file is no such table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected first line to start with CPU0, but was {0}")]
pub(super) struct ParseError(String);

/// Shows `visit` each interrupt; lines that are none are passed over.
///
/// # Errors
/// If the first line names no processors.
pub(super) fn parse(
    text: &str,
    counts: &mut Vec<i64>,
    mut visit: impl FnMut(&Interrupt<'_>),
) -> Result<(), ParseError> {
    let mut lines = text.lines();
    let Some(head) = lines.next() else { return Ok(()) };
    if head.split_ascii_whitespace().next() != Some("CPU0") {
        return Err(ParseError(head.to_owned()));
    }
    let n_columns = head.split_ascii_whitespace().count();
    for line in lines {
        let mut words = line.split_ascii_whitespace();
        let Some(id) = words.next().filter(|id| id.ends_with(':')) else { continue };
        counts.clear();
        // Errors are counted for all processors together: then there are fewer columns.
        let mut columns = words.by_ref().take(n_columns);
        if !columns.all(|count| count.parse().map(|count| counts.push(count)).is_ok()) {
            continue;
        }
        let id = id.trim_end_matches(':');
        let has_number = id.parse::<i64>().is_ok();
        let kind =
            if has_number { words.next().unwrap_or_default().into() } else { join(&mut words) };
        let device = join(&mut words);
        visit(&Interrupt { id, kind, device, counts });
    }
    Ok(())
}

fn join<'a>(words: impl Iterator<Item = &'a str>) -> CompactString {
    let mut joined = CompactString::default();
    for word in words {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Vec<String>, String> {
        let mut seen = Vec::new();
        let visit = |interrupt: &Interrupt<'_>| {
            let Interrupt { id, kind, device, counts } = interrupt;
            seen.push(format!("{id}|{kind}|{device}|{counts:?}|{}", interrupt.total()));
        };
        parse(text, &mut Vec::new(), visit).map_err(|error| error.to_string())?;
        Ok(seen)
    }

    #[test]
    fn numbered_interrupts_have_a_device_and_named_ones_a_purpose() {
        let text = "           CPU0       CPU1\n\
                    \x20  0:        134          0   IO-APIC    2-edge      timer\n\
                    \x20NMI:          0          7   Non-maskable   interrupts\n\
                    \x20 16:          1          2\n\
                    \x20ERR:          3\n";
        assert_eq!(
            parsed(text).unwrap(),
            [
                "0|IO-APIC|2-edge timer|[134, 0]|134",
                "NMI|Non-maskable interrupts||[0, 7]|7",
                "16|||[1, 2]|3",
                "ERR|||[3]|3",
            ]
        );
    }

    #[test]
    fn lines_that_are_no_interrupt_are_passed_over() {
        let text = "CPU0 CPU1\nno colon 1 2\n\nX: 1 y\nY: 1 99999999999999999999\nZ:: 1 2\nQ:\n";
        assert_eq!(parsed(text).unwrap(), ["Z|||[1, 2]|3", "Q|||[]|0"]);
    }

    #[test]
    fn a_table_without_processors_is_none() {
        let error = parsed("  0: 1 2\n").unwrap_err();
        assert_eq!(error, "expected first line to start with CPU0, but was   0: 1 2");
        assert_eq!(parsed("").unwrap(), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(.|\n){0,200}") {
            let _ = parsed(&text);
            let _ = parsed(&format!("CPU0 CPU1\n{text}"));
        }
    }
}

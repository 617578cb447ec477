//! The two forms in which the kernel writes its network counters.
//!
//! # References
//! proc_pid_net(5), "/proc/net/snmp"; the kernel's `net/ipv4/proc.c` and `net/ipv6/proc.c`.

use compact_str::CompactString;

use crate::metric::Field;

/// What becomes of counters that stand at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// They are reported.
    Report,
    /// They are left out.
    LeaveOut,
}

/// Parses `netstat` and `snmp`: a line of names and a line of values for each protocol, both
/// behind the protocol's name, which stands before each counter's.
///
/// What is no number, or too large for one with a sign, is left out.
pub(super) fn parse_pairs_of_lines(text: &str, zeros: Zeros) -> Vec<Field> {
    let mut fields = Vec::with_capacity(256);
    let mut lines = text.split('\n').filter(|line| !line.is_empty());
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let mut names = names.split_ascii_whitespace();
        let Some(protocol) = names.next() else { continue };
        let protocol = protocol.strip_suffix(':').unwrap_or(protocol);
        let values = values.split_ascii_whitespace().skip(1);
        for (name, value) in names.zip(values) {
            let Some(value) = counter(value, zeros) else { continue };
            let mut key = CompactString::with_capacity(protocol.len() + name.len());
            key.push_str(protocol);
            key.push_str(name);
            fields.push(Field { key, value: value.into() });
        }
    }
    fields
}

/// Parses `snmp6`: a name and a value on each line.
pub(super) fn parse_lines(text: &str, zeros: Zeros) -> Vec<Field> {
    let mut fields = Vec::with_capacity(128);
    let mut words = text.split_ascii_whitespace();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        if let Some(value) = counter(value, zeros) {
            fields.push(Field { key: name.into(), value: value.into() });
        }
    }
    fields
}

fn counter(text: &str, zeros: Zeros) -> Option<i64> {
    if text == "0" && zeros == Zeros::LeaveOut {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::Value;

    fn plain(fields: Vec<Field>) -> Vec<(String, i64)> {
        let number = |value| match value {
            Value::Integer(number) => number,
            other => panic!("{other:?}"),
        };
        fields.into_iter().map(|field| (field.key.to_string(), number(field.value))).collect()
    }

    #[test]
    fn names_follow_their_protocol_and_zeros_may_be_left_out() {
        let text = "Ip: Forwarding InReceives\nIp: 1 0\nTcp: MaxConn InErrs\nTcp: -1 7\n";
        let found = plain(parse_pairs_of_lines(text, Zeros::LeaveOut));
        let expected = [("IpForwarding", 1), ("TcpMaxConn", -1), ("TcpInErrs", 7)];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(parse_pairs_of_lines(text, Zeros::Report).len(), 4);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let text = "A: Word Large Small More\nA: x 9223372036854775808 9223372036854775807\nB: C";
        let found = plain(parse_pairs_of_lines(text, Zeros::Report));
        assert_eq!(found, [("ASmall".to_owned(), i64::MAX)]);
        let found =
            plain(parse_lines("Ip6In 18446744073709551615\nIp6Out 5\nIp6Odd", Zeros::Report));
        assert_eq!(found, [("Ip6Out".to_owned(), 5)]);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(.|\n){0,200}") {
            parse_pairs_of_lines(&text, Zeros::Report);
            parse_lines(&text, Zeros::LeaveOut);
        }
    }
}

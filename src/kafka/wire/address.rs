//! The addresses that a client begins with.

/// Where a broker listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a broker: it should be host:port")]
pub struct BadAddress(String);

/// The port of Kafka where an address names none.
const DEFAULT_PORT: u16 = 9_092;

impl Address {
    /// Reads `host:port`, `host`, or `[::1]:port`; a protocol before it, as listeners have it, does
    /// not matter.
    pub(super) fn parse(text: &str) -> Result<Address, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        let rest = text.trim().split_once("://").map_or(text.trim(), |(_, rest)| rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
                (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")))
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, Some("")),
            },
        };
        let port = match port.ok_or_else(bad)? {
            "" if rest.ends_with(':') => return Err(bad()),
            "" => DEFAULT_PORT,
            port => port.parse().map_err(|_| bad())?,
        };
        if host.is_empty() || port == 0 {
            return Err(bad());
        }
        Ok(Address { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_ports_and_may_be_numbers() {
        for (text, host, port) in [
            ("kafka:9093", "kafka", 9093),
            ("kafka", "kafka", 9092),
            (" 10.0.0.1:1 ", "10.0.0.1", 1),
            ("[::1]:9094", "::1", 9094),
            ("[::1]", "::1", 9092),
            ("SASL_SSL://kafka:9095", "kafka", 9095),
        ] {
            let expected = Address { host: host.to_owned(), port };
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
        for text in ["", ":9092", "kafka:", "kafka:0", "kafka:99999", "[::1", "[::1]x", "::1"] {
            assert_eq!(Address::parse(text), Err(BadAddress(text.to_owned())), "{text}");
        }
    }
}

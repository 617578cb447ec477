//! The lists of sockets in `/proc/net`: `tcp`, `udp` and `unix`.
//!
//! # References
//! proc_pid_net(5); the kernel's `include/net/tcp_states.h` for the states.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::plugin::Quoted;

/// The states of a TCP connection, by the kernel's number less one.
pub(super) const STATES: [&str; N_STATES] = [
    "tcp_established",
    "tcp_syn_sent",
    "tcp_syn_recv",
    "tcp_fin_wait1",
    "tcp_fin_wait2",
    "tcp_time_wait",
    "tcp_close",
    "tcp_close_wait",
    "tcp_last_ack",
    "tcp_listen",
    "tcp_closing",
];

/// How many states are told apart.
pub(super) const N_STATES: usize = 11;

/// The type of a Unix socket that keeps no connection; `SOCK_DGRAM`.
const DATAGRAM: i32 = 2;

/// A list of Internet sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    /// `tcp` and `tcp6`.
    Tcp,
    /// `udp` and `udp6`.
    Udp,
}

/// What tells one Internet socket from another. Several that listen on the same address count as
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Connection {
    protocol: Protocol,
    /// By the kernel's number; always the same where the protocol has none.
    state: Option<usize>,
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
}

/// How many sockets there are of each sort.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// TCP connections, as [`STATES`] lists them.
    pub(super) states: [i64; N_STATES],
    /// What keeps no connection.
    pub(super) datagram: i64,
    /// Everything else: Unix sockets that keep one.
    pub(super) none: i64,
    seen: HashSet<Connection>,
}

impl Counts {
    /// Counts the sockets of an Internet protocol; IPv4 and IPv6 in turn.
    pub(super) fn add_internet(&mut self, protocol: Protocol, text: &str) {
        for line in text.lines().skip(1) {
            let Some(connection) = connection(protocol, line) else { continue };
            if !self.seen.insert(connection) {
                continue;
            }
            match (protocol, connection.state) {
                (Protocol::Udp, _) => self.datagram += 1,
                (Protocol::Tcp, Some(state)) => self.states[state] += 1,
                // States that only the kernel itself knows.
                (Protocol::Tcp, None) => {}
            }
        }
    }

    /// Counts Unix sockets, each as often as `holders` says that processes hold it open.
    pub(super) fn add_unix(&mut self, sockets: &[UnixSocket<'_>], holders: impl Fn(u64) -> i64) {
        // Connections that nobody has accepted yet have no inode, and those to one path cannot be
        // told apart.
        let mut seen = HashSet::with_capacity(sockets.len());
        for socket in sockets {
            if !seen.insert(socket) {
                continue;
            }
            let count = holders(socket.inode).max(1);
            match socket.kind {
                DATAGRAM => self.datagram += count,
                _ => self.none += count,
            }
        }
    }
}

fn connection(protocol: Protocol, line: &str) -> Option<Connection> {
    let mut columns = line.split_ascii_whitespace().skip(1);
    let local = address(columns.next()?)?;
    let remote = address(columns.next()?)?;
    let state = columns.next()?;
    // A line that ends before the inode was cut off.
    columns.nth(5)?;
    let state = match protocol {
        Protocol::Tcp => state_index(state),
        Protocol::Udp => None,
    };
    Some(Connection { protocol, state, local, remote })
}

fn state_index(text: &str) -> Option<usize> {
    let number = usize::from_str_radix(text, 16).ok()?;
    number.checked_sub(1).filter(|state| *state < N_STATES)
}

/// Reads an address such as `0100007F:0050`: words of 32 bits in the order of this machine, and a
/// port. An IPv4 address that is mapped into IPv6 is the same as itself.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let hexadecimal = address.get(8 * at..8 * (at + 1))?;
        u32::from_str_radix(hexadecimal, 16).ok().map(u32::to_ne_bytes)
    };
    match address.len() {
        8 => Some((IpAddr::from(word(0)?), port)),
        32 => {
            let mut bytes = [0; 16];
            for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(at)?);
            }
            Some((Ipv6Addr::from(bytes).to_canonical(), port))
        }
        _ => None,
    }
}

/// A socket between processes of this machine.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct UnixSocket<'a> {
    kind: i32,
    pub(super) inode: u64,
    path: &'a str,
}

/// Why the list of Unix sockets cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseInt: parsing {}: invalid syntax", Quoted::new(text.as_str()))]
pub(super) struct ParseError {
    text: String,
}

/// Parses the list of Unix sockets; lines that are too short are passed over.
///
/// # Errors
/// The first type or inode that is no number.
pub(super) fn parse_unix(text: &str) -> Result<Vec<UnixSocket<'_>>, ParseError> {
    let mut sockets = Vec::new();
    for line in text.lines().skip(1) {
        let mut columns = line.split_ascii_whitespace().skip(4);
        let (Some(kind), Some(_state), Some(inode)) =
            (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let path = columns.next().filter(|_| columns.next().is_none()).unwrap_or_default();
        let wrong = |text: &str| ParseError { text: text.to_owned() };
        sockets.push(UnixSocket {
            kind: kind.parse().map_err(|_| wrong(kind))?,
            inode: inode.parse().map_err(|_| wrong(inode))?,
            path,
        });
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REST: &str = "00000000:00000000 00:00000000 00000000 0 0 1 1";

    fn internet(protocol: Protocol, lines: &[&str]) -> Counts {
        let lines: Vec<_> = lines.iter().map(|line| format!("   0: {line} {REST}\n")).collect();
        let mut counts = Counts::default();
        counts.add_internet(protocol, &format!("  sl  head\n{}", lines.concat()));
        counts
    }

    fn unix(text: &str, holders: impl Fn(u64) -> i64) -> (i64, i64) {
        let text = format!("Num RefCount Protocol Flags Type St Inode Path\n{text}");
        let mut counts = Counts::default();
        counts.add_unix(&parse_unix(&text).unwrap(), holders);
        (counts.none, counts.datagram)
    }

    #[test]
    fn connections_are_counted_by_state_and_unknown_states_are_not() {
        let lines: Vec<_> = (0..16)
            .map(|state| format!("0100007F:{state:04X} 00000000:0000 {state:02X}"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let counts = internet(Protocol::Tcp, &lines);
        assert_eq!(counts.states, [1; N_STATES]);
        assert_eq!((counts.none, counts.datagram), (0, 0));
    }

    #[test]
    fn sockets_on_the_same_addresses_count_once() {
        let line = "00000000:0050 00000000:0000 0A";
        assert_eq!(internet(Protocol::Tcp, &[line, line]).states[9], 1);
        assert_eq!(internet(Protocol::Udp, &[line, line]).datagram, 1);
        let mapped = "0000000000000000FFFF00000100007F:0050 00000000:0000 01";
        let plain = "0100007F:0050 00000000:0000 01";
        let any6 = "00000000000000000000000000000000:0050 00000000:0000 01";
        assert_eq!(internet(Protocol::Tcp, &[mapped, plain, any6]).states[0], 2);
    }

    #[test]
    fn addresses_that_are_none_are_passed_over() {
        let lines = ["0100007F 0100007F:1 01", "0100007F:1 x:1 01", "00007F:1 0100007F:1 01"];
        assert_eq!(internet(Protocol::Tcp, &lines).states, [0; N_STATES]);
        let mut counts = Counts::default();
        counts.add_internet(Protocol::Tcp, "head\n0: 0100007F:1 0100007F:1 01 a b c d e\n");
        assert_eq!(counts.states, [0; N_STATES]);
    }

    #[test]
    fn a_unix_socket_counts_once_for_each_descriptor_and_at_least_once() {
        let text =
            "0: 2 0 0 0001 03 11\n0: 2 0 0 0005 01 12 /run/a b\n0: 2 0 0 0002 01 13\nshort\n";
        assert_eq!(unix(text, |_| 0), (2, 1));
        assert_eq!(unix(text, |inode| if inode == 11 { 3 } else { 0 }), (4, 1));
        assert_eq!(unix(text, |inode| if inode == 13 { 2 } else { 1 }), (2, 2));
    }

    #[test]
    fn connections_that_wait_at_one_path_count_once() {
        let text = "0: 2 0 0 0001 02 0 /a\n0: 2 0 0 0001 02 0 /a\n0: 2 0 0 0001 02 0 /b\n";
        assert_eq!(unix(text, |_| 0), (2, 0));
    }

    #[test]
    fn a_type_that_is_no_number_voids_the_list() {
        let error = parse_unix("head\n0: 2 0 0 x 03 11\n").unwrap_err();
        assert_eq!(error.to_string(), "strconv.ParseInt: parsing \"x\": invalid syntax");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(.|\n){0,200}") {
            let mut counts = Counts::default();
            counts.add_internet(Protocol::Tcp, &text);
            let _ = parse_unix(&text);
            let _ = address(&text);
        }
    }
}

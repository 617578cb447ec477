//! The sockets of processes.

use std::collections::{HashMap, HashSet};

use crate::metric::{Metric, Timestamp};
use crate::system::socket_diag::{
    InetSocket, IpVersion, Transport, UnixSocket, inet_sockets, unix_sockets,
};

use super::config::{Protocol, Report, Tags};
use super::fields::Known;
use super::process::Reader;

/// Why the sockets of a process are not known.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// The process's files cannot be listed.
    #[error("cannot get connections for {protocol:?} of PID {pid}")]
    Connections {
        /// The kind of socket.
        protocol: &'static str,
        /// The process.
        pid: i32,
    },
    /// The kernel does not tell.
    #[error("cannot get statistics for {protocol:?} of PID {pid}")]
    Statistics {
        /// The kind of socket.
        protocol: &'static str,
        /// The process.
        pid: i32,
    },
}

/// The sockets of the machine, asked for once in a round.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    inet: HashMap<&'static str, Option<Vec<InetSocket>>>,
    unix: Option<Option<Vec<UnixSocket>>>,
}

impl Sockets {
    fn inet(&mut self, protocol: Protocol) -> Option<&[InetSocket]> {
        let (transport, version) = match protocol {
            Protocol::Tcp4 => (Transport::Tcp, IpVersion::V4),
            Protocol::Tcp6 => (Transport::Tcp, IpVersion::V6),
            Protocol::Udp4 => (Transport::Udp, IpVersion::V4),
            Protocol::Udp6 => (Transport::Udp, IpVersion::V6),
            Protocol::Unix => return None,
        };
        let sockets = self.inet.entry(protocol.name());
        sockets.or_insert_with(|| inet_sockets(transport, version).ok()).as_deref()
    }

    fn unix(&mut self) -> Option<&[UnixSocket]> {
        self.unix.get_or_insert_with(|| unix_sockets().ok()).as_deref()
    }

    /// Adds a metric for each socket of a process.
    ///
    /// # Errors
    /// If the kernel does not tell; metrics added before stay.
    pub(super) fn metrics(
        &mut self,
        process: &Known,
        main: &Metric,
        report: &Report,
        reader: &mut Reader<'_>,
        metrics: &mut Vec<Metric>,
    ) -> Result<(), SocketsError> {
        let pid = process.pid;
        let Some(first) = report.sockets.first() else { return Ok(()) };
        let unknown = |_| SocketsError::Connections { protocol: first.name(), pid };
        let inodes: HashSet<u32> = reader.sockets(pid).map_err(unknown)?.into_iter().collect();
        if inodes.is_empty() {
            return Ok(());
        }
        let shape = Shape { main, tags: report.tags, pid, time: main.time };
        for protocol in &report.sockets {
            let name = protocol.name();
            let refused = || SocketsError::Statistics { protocol: name, pid };
            if *protocol == Protocol::Unix {
                let names = unix_names(&reader.text(pid, "net/unix").unwrap_or_default());
                let all = self.unix().ok_or_else(refused)?;
                shape.unix(&inodes, all, &names, metrics);
                continue;
            }
            let all = self.inet(*protocol).ok_or_else(refused)?;
            let own = all.iter().filter(|socket| inodes.contains(&socket.inode));
            metrics.extend(own.map(|socket| shape.inet(*protocol, socket)));
        }
        Ok(())
    }
}

/// What the metrics of all sockets of a process have in common.
struct Shape<'a> {
    main: &'a Metric,
    tags: Tags,
    pid: i32,
    time: Timestamp,
}

impl Shape<'_> {
    fn metric(&self) -> Metric {
        let mut metric = Metric::new("procstat_socket", self.time);
        for tag in self.main.tags() {
            metric.set_tag(tag.key.clone(), tag.value.clone());
        }
        metric
    }

    fn inet(&self, protocol: Protocol, socket: &InetSocket) -> Metric {
        let tags = self.tags;
        let mut metric = self.metric();
        let (source, destination) = (socket.source, socket.destination);
        let texts = [
            ("protocol", protocol.name().to_owned(), tags.protocol),
            ("state", state_name(socket.state).to_owned(), tags.state),
            ("src", source.0.to_canonical().to_string(), tags.src),
            ("dest", destination.0.to_canonical().to_string(), tags.dest),
        ];
        for (key, text, is_tag) in texts {
            set(&mut metric, key, text, is_tag);
        }
        for (key, port, is_tag) in
            [("src_port", source.1, tags.src_port), ("dest_port", destination.1, tags.dest_port)]
        {
            if is_tag {
                metric.set_tag(key, port.to_string());
            } else {
                metric.set_field(key, u64::from(port));
            }
        }
        if matches!(protocol, Protocol::Tcp4 | Protocol::Tcp6) {
            metric.set_field("bytes_received", socket.tcp.bytes_received);
            metric.set_field("bytes_sent", socket.tcp.bytes_sent);
            metric.set_field("lost", u64::from(socket.tcp.lost));
            metric.set_field("retransmits", u64::from(socket.tcp.retransmits));
        }
        metric.set_field("pid", i64::from(self.pid));
        metric.set_field("rx_queue", u64::from(socket.receive_queue));
        metric.set_field("tx_queue", u64::from(socket.send_queue));
        metric
    }

    fn unix(
        &self,
        inodes: &HashSet<u32>,
        all: &[UnixSocket],
        names: &HashMap<u32, UnixName>,
        metrics: &mut Vec<Metric>,
    ) {
        let streams = all.iter().filter(|socket| inodes.contains(&socket.inode));
        for socket in streams {
            if let Some(name) = names.get(&socket.inode).filter(|name| name.kind == STREAM) {
                metrics.push(self.unix_metric(socket, name, "stream", state_name(socket.state)));
            }
        }
        // Of the others Telegraf tells no more than that they are there.
        let mut others: Vec<_> = inodes
            .iter()
            .filter_map(|inode| Some((*inode, names.get(inode)?)))
            .filter(|(_, name)| name.kind != STREAM)
            .collect();
        others.sort_by_key(|(inode, _)| *inode);
        for (inode, name) in others {
            let socket =
                UnixSocket { inode, state: 0, peer: None, receive_queue: 0, send_queue: 0 };
            metrics.push(self.unix_metric(&socket, name, kind_name(name.kind), "close"));
        }
    }

    fn unix_metric(&self, socket: &UnixSocket, name: &UnixName, kind: &str, state: &str) -> Metric {
        let mut metric = self.metric();
        let inode = socket.inode;
        let path = match name.path.as_str() {
            "" => format!("inode-{inode}"),
            path => path.to_owned(),
        };
        set(&mut metric, "protocol", "unix".to_owned(), self.tags.protocol);
        set(&mut metric, "state", state.to_owned(), self.tags.state);
        set(&mut metric, "name", path, self.tags.name);
        metric.set_field("type", kind);
        metric.set_field("pid", i64::from(self.pid));
        metric.set_field("rx_queue", u64::from(socket.receive_queue));
        metric.set_field("tx_queue", u64::from(socket.send_queue));
        metric.set_field("inode", u64::from(inode));
        if let Some(peer) = socket.peer {
            metric.set_field("peer", u64::from(peer));
        }
        metric
    }
}

fn set(metric: &mut Metric, key: &'static str, text: String, is_tag: bool) {
    if is_tag {
        metric.set_tag(key, text);
    } else {
        metric.set_field(key, text);
    }
}

/// What `/proc/PID/net/unix` tells of a socket.
#[derive(Debug, PartialEq, Eq)]
struct UnixName {
    kind: u8,
    path: String,
}

const STREAM: u8 = 1;

fn unix_names(text: &str) -> HashMap<u32, UnixName> {
    let parse = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let kind = u8::from_str_radix(words.get(4)?.trim_start_matches("00"), 16).ok()?;
        let path = words.get(7).copied().unwrap_or_default().to_owned();
        Some((words.get(6)?.parse().ok()?, UnixName { kind, path }))
    };
    text.lines().skip(1).filter_map(parse).collect()
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        1 => "stream",
        2 => "dgram",
        3 => "raw",
        4 => "rdm",
        5 => "seqpacket",
        6 => "dccp",
        10 => "packet",
        _ => "unknown",
    }
}

fn state_name(state: u8) -> &'static str {
    match state {
        1 => "established",
        2 => "syn-sent",
        3 => "syn-recv",
        4 => "fin-wait1",
        5 => "fin-wait2",
        6 => "time-wait",
        7 => "closed",
        8 => "close-wait",
        9 => "last-ack",
        10 => "listen",
        11 => "closing",
        12 => "sync-recv",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds_of_unix_sockets_are_read() {
        let names = unix_names(
            "Num       RefCount Protocol Flags    Type St Inode Path\n\
             0000000000000000: 00000002 00000000 00010000 0001 01 15 /run/a\n\
             0000000000000000: 00000003 00000000 00000000 0005 03 16 @abstract\n\
             0000000000000000: 00000003 00000000 00000000 0002 03 17\n",
        );
        assert_eq!(names[&15], UnixName { kind: 1, path: "/run/a".into() });
        assert_eq!(names[&16], UnixName { kind: 5, path: "@abstract".into() });
        assert_eq!(names[&17], UnixName { kind: 2, path: String::new() });
        assert_eq!(kind_name(5), "seqpacket");
    }
}

//! The network links of this machine and their state, as the kernel tells them through rtnetlink.
//!
//! The kernel answers for the network namespace of the one who asks, as it does in
//! `/proc/net/dev`; the flags in `/sys/class/net` may belong to another one.
//!
//! # References
//! netlink(7), rtnetlink(7), netdevice(7).

use std::io;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// The kernel fills at most this much into one answer.
const ANSWER_BYTES: usize = 32 * 1024;

const HEADER_BYTES: usize = 16;
const LINK_BYTES: usize = 16;
const ATTRIBUTE_BYTES: usize = 4;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const IFLA_IFNAME: u16 = 3;
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;

/// A network link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name, such as `eth0`.
    pub name: String,
    flags: u32,
}

impl Link {
    /// Makes a link with the flags of netdevice(7).
    pub fn new(name: impl Into<String>, flags: u32) -> Link {
        Link { name: name.into(), flags }
    }

    /// Whether somebody has switched it on.
    pub fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// Whether what it sends comes back to this machine.
    pub fn is_loopback(&self) -> bool {
        self.flags & IFF_LOOPBACK != 0
    }

    /// Asks the kernel for all links.
    ///
    /// # Errors
    /// Whatever the kernel refuses, or an answer that is cut off.
    pub fn all() -> io::Result<Vec<Link>> {
        let flags = SocketFlags::CLOEXEC;
        // NETLINK_ROUTE is protocol 0, the one that is taken where none is named.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&socket, &request(), SendFlags::empty(), &kernel)?;
        let mut links = Vec::new();
        let mut buffer = vec![0; ANSWER_BYTES];
        loop {
            let (length, _) = match recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            if read_answer(&buffer[..length], &mut links)? == Answer::Last {
                return Ok(links);
            }
        }
    }
}

/// The message that asks for all links.
fn request() -> [u8; HEADER_BYTES + LINK_BYTES] {
    let mut message = [0; HEADER_BYTES + LINK_BYTES];
    let length = message.len() as u32;
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_GETLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    message
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    More,
    Last,
}

/// Takes the links out of one answer.
fn read_answer(mut rest: &[u8], links: &mut Vec<Link>) -> io::Result<Answer> {
    if rest.is_empty() {
        return Err(cut_off());
    }
    while !rest.is_empty() {
        let length = u32_at(rest, 0)? as usize;
        let message = rest.get(HEADER_BYTES..length).ok_or_else(cut_off)?;
        match u16_at(rest, 4)? {
            NLMSG_DONE => return Ok(Answer::Last),
            NLMSG_ERROR => {
                let number = u32_at(message, 0)?.cast_signed();
                return Err(io::Error::from_raw_os_error(number.wrapping_neg()));
            }
            RTM_NEWLINK => links.push(read_link(message)?),
            _ => {}
        }
        rest = after(rest, length);
    }
    Ok(Answer::More)
}

fn read_link(message: &[u8]) -> io::Result<Link> {
    let flags = u32_at(message, 8)?;
    let mut rest = message.get(LINK_BYTES..).ok_or_else(cut_off)?;
    while !rest.is_empty() {
        let length = usize::from(u16_at(rest, 0)?);
        let value = rest.get(ATTRIBUTE_BYTES..length).ok_or_else(cut_off)?;
        if u16_at(rest, 2)? == IFLA_IFNAME {
            let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
            return Ok(Link::new(String::from_utf8_lossy(name), flags));
        }
        rest = after(rest, length);
    }
    Ok(Link::new("", flags))
}

/// What follows a message or attribute of `length` bytes; each begins at a multiple of four.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length.next_multiple_of(4)..).unwrap_or_default()
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or_else(|| Err(cut_off()), |bytes| Ok(u16::from_ne_bytes(*bytes)))
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or_else(|| Err(cut_off()), |bytes| Ok(u32::from_ne_bytes(*bytes)))
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's list of network links is cut off")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = (HEADER_BYTES + body.len()) as u32;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn link(name: &str, flags: u32) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        // An attribute of another type, three bytes long, and the padding behind it.
        body.extend(7_u16.to_ne_bytes());
        body.extend(1_u16.to_ne_bytes());
        body.extend([9, 9, 9, 0]);
        body.extend((5 + name.len() as u16).to_ne_bytes());
        body.extend(IFLA_IFNAME.to_ne_bytes());
        body.extend(name.bytes());
        body.push(0);
        message(RTM_NEWLINK, &body)
    }

    #[test]
    fn this_machine_has_a_loopback() {
        let links = Link::all().unwrap();
        assert!(links.iter().any(|link| link.is_loopback() && link.name == "lo"), "{links:?}");
    }

    #[test]
    fn links_are_read_until_the_kernel_is_done() {
        let mut links = Vec::new();
        let answer = [link("lo", 0x9), link("eth0", 0x1002)].concat();
        assert_eq!(read_answer(&answer, &mut links).unwrap(), Answer::More);
        let last = message(NLMSG_DONE, &[0; 4]);
        assert_eq!(read_answer(&last, &mut links).unwrap(), Answer::Last);
        assert_eq!(links, [Link::new("lo", 0x9), Link::new("eth0", 0x1002)]);
        assert!(links[0].is_up() && links[0].is_loopback());
        assert!(!links[1].is_up() && !links[1].is_loopback());
    }

    #[test]
    fn a_refusal_is_an_error() {
        let refusal = message(NLMSG_ERROR, &(-13_i32).to_ne_bytes());
        let error = read_answer(&refusal, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_or_go_on_for_ever(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..80,
        ) {
            let _ = read_answer(&bytes, &mut Vec::new());
            let whole = link("eth0", 1);
            let cut = cut.clamp(1, whole.len());
            let _ = read_answer(&whole[..whole.len() - cut], &mut Vec::new());
        }
    }
}

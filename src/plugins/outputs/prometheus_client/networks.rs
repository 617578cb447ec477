//! Networks that callers may be in.

use std::net::IpAddr;

/// A list of networks; an empty one is all there are.
#[derive(Debug, Default)]
pub(super) struct Networks(Vec<Network>);

#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    n_bits: u32,
}

/// A text that is no network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing ip_range: invalid CIDR address: {0} (it has to be as 192.168.0.0/24)")]
pub(super) struct NetworkError(String);

impl Networks {
    /// Reads a list of networks such as `192.168.0.0/24`.
    pub(super) fn parse(texts: &[String]) -> Result<Networks, NetworkError> {
        let networks =
            texts.iter().map(|text| Network::parse(text).ok_or_else(|| NetworkError(text.clone())));
        networks.collect::<Result<_, _>>().map(Networks)
    }

    /// Whether a caller is let in; one without an address is in no network.
    pub(super) fn let_in(&self, caller: Option<IpAddr>) -> bool {
        let is_in = |caller: IpAddr| self.0.iter().any(|network| network.has(caller));
        self.0.is_empty() || caller.is_some_and(is_in)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, n_bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let is_number = !n_bits.is_empty() && n_bits.bytes().all(|byte| byte.is_ascii_digit());
        let n_bits = is_number.then(|| n_bits.parse().ok()).flatten()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        (n_bits <= most).then_some(Network { address, n_bits })
    }

    fn has(&self, caller: IpAddr) -> bool {
        // Sockets for both families show addresses of IPv4 as such of IPv6.
        let (bits, difference) = match (self.address, caller.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (32, u128::from(own.to_bits() ^ other.to_bits()))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => (128, own.to_bits() ^ other.to_bits()),
            _ => return false,
        };
        difference.checked_shr(bits - self.n_bits).unwrap_or(0) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_let_in_from_the_networks() {
        let parse = |texts: &[&str]| {
            Networks::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        for (networks, caller, is_let_in) in [
            (&[][..], "1.2.3.4", true),
            (&["10.0.0.0/8", "192.168.1.77/30"][..], "10.200.0.1", true),
            (&["10.0.0.0/8", "192.168.1.77/30"], "192.168.1.79", true),
            (&["10.0.0.0/8", "192.168.1.77/30"], "192.168.1.80", false),
            (&["10.0.0.0/8"], "::ffff:10.1.2.3", true),
            (&["0.0.0.0/0"], "1.2.3.4", true),
            (&["0.0.0.0/0"], "::1", false),
            (&["::/0"], "::1", true),
            (&["fd00::/64", "1.2.3.4/32"], "fd00::1", true),
            (&["fd00::/64", "1.2.3.4/32"], "fd00:0:0:1::1", false),
            (&["fd00::/64", "1.2.3.4/32"], "1.2.3.4", true),
        ] {
            let networks = parse(networks).unwrap();
            assert_eq!(networks.let_in(Some(caller.parse().unwrap())), is_let_in, "{caller}");
        }
        assert!(!parse(&["::/0"]).unwrap().let_in(None));
        for wrong in ["", "1.2.3.4", "1.2.3.4/33", "1.2.3.4/+8", "1.2.3/8", "::/129", "x/8"] {
            assert_eq!(parse(&[wrong]).unwrap_err(), NetworkError(wrong.to_owned()));
        }
    }
}

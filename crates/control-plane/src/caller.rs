//! Pure: the address a request comes from, for who counts tries.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// The proxies whose word about their callers is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks with commas between them; the first that is none comes back.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(written: &str) -> Result<Self, String> {
        let read = |part: &str| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| part.to_owned())
        };
        written
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The last address on the way here that is none of these. `forwarded` is `X-Forwarded-For`, to which each proxy adds
    /// who called it at the end; what stands before the last stranger is that stranger's invention.
    #[must_use]
    pub fn caller(&self, peer: IpAddr, forwarded: &str) -> IpAddr {
        let mut caller = peer.to_canonical();
        for hop in forwarded.rsplit(',') {
            if !self.has(caller) {
                break;
            }
            let Ok(hop) = hop.trim().parse::<IpAddr>() else { break };
            caller = hop.to_canonical();
        }
        caller
    }
}

/// What counts as one caller: whoever has one address of IPv6 has all of its network.
#[must_use]
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_its_own_caller() {
        let proxies = TrustedProxies::read("10.0.0.1, fd00::/8,").unwrap();
        for (sentence, peer, forwarded, expected) in [
            ("nobody in between", "1.2.3.4", "", "1.2.3.4"),
            ("a stranger says what it likes", "1.2.3.4", "9.9.9.9", "1.2.3.4"),
            ("the proxy says who called", "10.0.0.1", "9.9.9.9", "9.9.9.9"),
            ("what the caller invented stands before", "10.0.0.1", "8.8.8.8, 9.9.9.9", "9.9.9.9"),
            ("two proxies in a row", "10.0.0.1", "8.8.8.8, 9.9.9.9, fd00::1", "9.9.9.9"),
            ("a proxy in IPv6's clothes", "::ffff:10.0.0.1", "9.9.9.9", "9.9.9.9"),
            ("the proxy itself", "10.0.0.1", "", "10.0.0.1"),
            ("nonsense", "10.0.0.1", "unknown", "10.0.0.1"),
            ("nonsense before", "10.0.0.1", "<script>, 9.9.9.9", "9.9.9.9"),
        ] {
            assert_eq!(proxies.caller(ip(peer), forwarded), ip(expected), "{sentence}");
        }
        assert_eq!(TrustedProxies::default().caller(ip("10.0.0.1"), "9.9.9.9"), ip("10.0.0.1"));
    }

    #[test]
    fn a_list_of_proxies_that_is_none_says_which_part() {
        for (written, part) in [("10.0.0.1,proxy", "proxy"), ("10.0.0.0/33", "10.0.0.0/33"), ("a b", "a b")] {
            assert_eq!(TrustedProxies::read(written), Err(part.to_owned()));
        }
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_caller() {
        assert_eq!(household(ip("2001:db8:1:2:3:4:5:6")), household(ip("2001:db8:1:2::1")));
        assert_ne!(household(ip("2001:db8:1:2::1")), household(ip("2001:db8:1:3::1")));
        assert_eq!(household(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
    }
}

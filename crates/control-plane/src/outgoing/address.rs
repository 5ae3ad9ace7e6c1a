//! Pure: where calls may go. Whoever may make webhooks or plans may not look around in the network of the control plane.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::Uri;

const MAX_URL: usize = 2_048;

/// Which calls, and what the operator of the control plane allows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    what: &'static str,
    setting: &'static str,
    /// They may go into private networks and to this machine.
    allow_private: bool,
    /// Inside private networks they may go without TLS.
    plain_in_private: bool,
}

impl Leave {
    /// Webhooks: what they tell is for one receiver alone.
    #[must_use]
    pub fn of_webhooks(allow_private: bool) -> Self {
        Self { what: "webhook", setting: "WEBHOOK_ALLOW_PRIVATE", allow_private, plain_in_private: false }
    }

    /// Gates: they bring nothing along, and what they ask is mostly served without TLS inside a network.
    #[must_use]
    pub fn of_gates(allow_private: bool) -> Self {
        Self { what: "gate", setting: "GATE_ALLOW_PRIVATE", allow_private, plain_in_private: true }
    }
}

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere.
    Public,
    /// A network of the operator.
    Private,
    /// This very machine.
    Loopback,
    /// Link-local, metadata of a cloud, or no place at all.
    Never,
}

/// Holds a URL against the rules that need no look-up.
///
/// # Errors
/// What was expected.
pub fn url(text: &str, leave: Leave) -> Result<Uri, String> {
    let expected = "`url` must be a URL such as https://example.com/, without user, password and fragment";
    let uri = text.parse::<Uri>().map_err(|_| expected.to_owned())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(expected.to_owned());
    };
    if authority.as_str().contains('@') || text.contains('#') || authority.host().is_empty() {
        return Err(expected.to_owned());
    }
    if text.len() > MAX_URL {
        return Err(format!("`url` must have at most {MAX_URL} characters, it has {}", text.len()));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let literal = host.parse::<IpAddr>().ok();
    if let Some(ip) = literal {
        may_call(scheme, ip, leave)?;
    }
    let is_loopback =
        literal.map_or(host.eq_ignore_ascii_case("localhost"), |ip| place(ip) == Place::Loopback);
    match scheme {
        "https" => Ok(uri),
        "http" if is_loopback => Ok(uri),
        // Where a name leads is seen when it is called.
        "http" if leave.plain_in_private && leave.allow_private => Ok(uri),
        "http" if leave.plain_in_private => Err(format!(
            "`url` must begin with https://; plain http is for private networks, which a {} may be in with {}=true at the control plane",
            leave.what, leave.setting
        )),
        _ => {
            Err("`url` must begin with https://; plain http is for this machine's own loopback alone"
                .to_owned())
        }
    }
}

/// Whether an address, as it was found just now, may be connected to.
///
/// # Errors
/// Why not.
pub fn may_call(scheme: &str, ip: IpAddr, leave: Leave) -> Result<(), String> {
    let Leave { what, setting, .. } = leave;
    match place(ip) {
        Place::Never => Err(format!("no {what} may be at {ip}: it is link-local, metadata or reserved")),
        Place::Private | Place::Loopback if !leave.allow_private => {
            Err(format!("a {what} at {ip}, in a private network, wants {setting}=true at the control plane"))
        }
        Place::Private if leave.plain_in_private => Ok(()),
        at if scheme != "https" && at != Place::Loopback => {
            let near = if leave.plain_in_private { "private networks" } else { "loopback" };
            Err(format!("plain http is for {near} alone, and {ip} is not: use https"))
        }
        _ => Ok(()),
    }
}

/// What kind of place this is.
#[must_use]
pub fn place(ip: IpAddr) -> Place {
    match ip.to_canonical() {
        IpAddr::V4(ip) => place_v4(ip),
        IpAddr::V6(ip) => place_v6(ip),
    }
}

fn place_v4(ip: Ipv4Addr) -> Place {
    match ip.octets() {
        // Services of clouds outside the link-local range: Alibaba's, Oracle's and Azure's.
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] => Place::Never,
        [127, ..] => Place::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] => {
            Place::Private
        }
        [0 | 224..=255, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Place::Never
        }
        _ => Place::Public,
    }
}

fn place_v6(ip: Ipv6Addr) -> Place {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        place_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Place::Loopback,
        // Metadata of Amazon's and Google's clouds.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Place::Never,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Place::Private,
        // What a translator on the way turns into IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Of the rest only what is given out as global unicast, without Teredo and documentation.
        [0x2001, 0 | 0xdb8, ..] => Place::Never,
        [0x2000..=0x3fff, ..] => Place::Public,
        _ => Place::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_address_is_known() {
        for (ip, expected) in [
            ("93.184.216.34", Place::Public),
            ("172.15.0.1", Place::Public),
            ("100.63.255.255", Place::Public),
            ("2606:2800:220:1::1", Place::Public),
            ("127.0.0.1", Place::Loopback),
            ("127.255.0.3", Place::Loopback),
            ("::1", Place::Loopback),
            ("::ffff:127.0.0.1", Place::Loopback),
            ("10.1.2.3", Place::Private),
            ("172.16.0.1", Place::Private),
            ("172.31.255.255", Place::Private),
            ("192.168.1.1", Place::Private),
            ("100.64.0.1", Place::Private),
            ("198.19.0.1", Place::Private),
            ("fd12::1", Place::Private),
            ("::ffff:10.0.0.1", Place::Private),
            ("64:ff9b::10.0.0.1", Place::Private),
            ("2002:a00:1::", Place::Private),
            ("169.254.169.254", Place::Never),
            ("::ffff:169.254.169.254", Place::Never),
            ("64:ff9b::169.254.169.254", Place::Never),
            ("2002:a9fe:a9fe::", Place::Never),
            ("100.100.100.200", Place::Never),
            ("168.63.129.16", Place::Never),
            ("192.0.0.192", Place::Never),
            ("fd00:ec2::254", Place::Never),
            ("fd20:ce::254", Place::Never),
            ("fe80::1", Place::Never),
            ("ff02::1", Place::Never),
            ("0.0.0.0", Place::Never),
            ("::", Place::Never),
            ("::127.0.0.1", Place::Never),
            ("224.0.0.1", Place::Never),
            ("255.255.255.255", Place::Never),
            ("2001::1", Place::Never),
            ("64:ff9b:1::1", Place::Never),
        ] {
            assert_eq!(place(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn plain_http_goes_to_loopback_alone_and_private_networks_want_leave() {
        for (scheme, ip, allow_private, is_allowed) in [
            ("https", "93.184.216.34", false, true),
            ("http", "93.184.216.34", true, false),
            ("https", "10.0.0.1", false, false),
            ("https", "10.0.0.1", true, true),
            ("http", "10.0.0.1", true, false),
            ("http", "127.0.0.1", false, false),
            ("http", "127.0.0.1", true, true),
            ("https", "169.254.169.254", true, false),
        ] {
            let may = may_call(scheme, ip.parse().unwrap(), Leave::of_webhooks(allow_private));
            assert_eq!(may.is_ok(), is_allowed, "{scheme} {ip} {allow_private} {may:?}");
            // Gates may do the same, and go without TLS where only a private network sees it.
            let may = may_call(scheme, ip.parse().unwrap(), Leave::of_gates(allow_private));
            let is_inside = (scheme, ip, allow_private) == ("http", "10.0.0.1", true);
            assert_eq!(may.is_ok(), is_allowed || is_inside, "{scheme} {ip} {allow_private} {may:?}");
        }
    }

    #[test]
    fn a_url_is_refused_for_what_can_be_seen_of_it() {
        for (text, allow_private, is_allowed) in [
            ("https://example.com/hook?token=x", false, true),
            ("https://example.com:8443", false, true),
            ("https://[2606:2800:220:1::1]/", false, true),
            ("http://example.com/hook", true, false),
            ("http://localhost:9/hook", true, true),
            ("http://[::1]:9/hook", true, true),
            ("http://127.0.0.1:9/hook", true, true),
            ("http://127.0.0.1:9/hook", false, false),
            ("https://user:secret@example.com/", false, false),
            ("https://example.com/#part", false, false),
            ("https:///hook", false, false),
            ("/hook", false, false),
            ("ftp://example.com/", false, false),
            ("file:///etc/passwd", false, false),
            ("https://169.254.169.254/latest/meta-data/", true, false),
            ("https://[::ffff:a9fe:a9fe]/", true, false),
            ("https://10.0.0.1/", false, false),
            ("https://10.0.0.1/", true, true),
            ("", false, false),
        ] {
            let read = url(text, Leave::of_webhooks(allow_private));
            assert_eq!(read.is_ok(), is_allowed, "{text} {read:?}");
            let read = url(text, Leave::of_gates(allow_private));
            let is_name_inside = text == "http://example.com/hook" && allow_private;
            assert_eq!(read.is_ok(), is_allowed || is_name_inside, "{text} {read:?}");
        }
        assert!(
            url(&format!("https://example.com/{}", "x".repeat(3_000)), Leave::of_webhooks(false)).is_err()
        );
    }
}

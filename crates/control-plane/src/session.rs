//! Pure: the cookie of a session, and how a request shows that it was made by our own pages.
//!
//! The cookie is `SameSite=Strict`, so that no other site can make a browser send it. That alone is not trusted: every
//! change also has to carry a token that only a reader of `GET /session` can know, and come from our own origin by the
//! browser's own account.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::problem::ApiError;
use crate::secrets::{SecretHash, hex};

/// Without a request it ends after this.
pub const IDLE: SignedDuration = SignedDuration::from_hours(12);
/// It ends after this in any case.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How exactly it is known when it was last used: not every request is worth a durable write.
pub const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// The cookie of a session.
pub const COOKIE: &str = "novacula";
/// The header that carries the token of the session on a change.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Where people's browsers find us.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// As configured.
    pub public_url: Option<&'a str>,
    /// Browsers reach us by https.
    pub is_https: bool,
}

impl Site<'_> {
    /// The name of a cookie here: with https one that no other host and no plain http can set or overwrite.
    #[must_use]
    pub fn cookie_name(self, name: &str) -> String {
        if self.is_https { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// A cookie that no script can read.
    #[must_use]
    pub fn cookie(self, name: &str, value: &str, same_site: &str, max_age: SignedDuration) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        let (name, seconds) = (self.cookie_name(name), max_age.as_secs());
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
    }

    /// The value of a cookie of ours; nothing where two claim to be it.
    #[must_use]
    pub fn read_cookie(self, headers: &HeaderMap, name: &str) -> Option<String> {
        let name = self.cookie_name(name);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned());
        found.next().filter(|value| !value.is_empty() && found.next().is_none())
    }

    /// Whether the browser says that one of our own pages made the request. What says nothing is no browser of today.
    #[must_use]
    pub fn is_own(self, headers: &HeaderMap) -> Option<bool> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let (fetch_site, origin) = (text("sec-fetch-site"), text("origin"));
        if fetch_site.is_none() && origin.is_none() {
            return None;
        }
        let is_same_origin = fetch_site.is_none_or(|site| site == "same-origin");
        let is_our_origin = origin.is_none_or(|origin| self.is_our_origin(origin, text("host")));
        Some(is_same_origin && is_our_origin)
    }

    /// Whether a change that a browser asks for was asked by our own pages, with the session's own token.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn check_change(self, headers: &HeaderMap, secret: &str) -> Result<(), ApiError> {
        let shown = headers.get(CSRF_HEADER).map(|value| SecretHash::of(value.to_str().unwrap_or_default()));
        // Hashes are compared, so that the time it takes tells nothing about the token.
        if shown != Some(SecretHash::of(&csrf_token(secret))) {
            return Err(csrf(
                "a change with a session needs the header `X-CSRF-Token` with the `csrfToken` of GET /api/v1/session",
            ));
        }
        self.check_origin(headers, false)
    }

    /// Whether the browser says that our own pages ask.
    ///
    /// # Errors
    /// When it says otherwise, or nothing where nothing is not enough.
    pub(crate) fn check_origin(self, headers: &HeaderMap, is_silence_fine: bool) -> Result<(), ApiError> {
        match self.is_own(headers) {
            Some(true) => Ok(()),
            None if is_silence_fine => Ok(()),
            None => Err(csrf(
                "a change with a session needs the header `Origin` or `Sec-Fetch-Site`, as browsers send it",
            )),
            Some(false) => Err(csrf(
                "this was asked by another site's page; if it is the control plane's own, set PUBLIC_URL to where browsers \
                 find it",
            )),
        }
    }

    fn is_our_origin(self, origin: &str, host: Option<&str>) -> bool {
        let Some((scheme, place)) = origin.split_once("://") else { return false };
        let same = |a: &str, b: &str| place_of(scheme, a).is_some_and(|a| Some(a) == place_of(scheme, b));
        let configured = self.public_url.and_then(|url| url.split_once("://"));
        let is_as_configured = configured.is_some_and(|(configured, rest)| {
            configured.eq_ignore_ascii_case(scheme) && same(place, rest.split('/').next().unwrap_or_default())
        });
        let is_safe = !self.is_https || scheme.eq_ignore_ascii_case("https");
        is_as_configured || is_safe && host.is_some_and(|host| same(place, host))
    }
}

fn csrf(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "csrf", sentence)
}

/// Host and port, the port also where it goes without saying.
fn place_of(scheme: &str, authority: &str) -> Option<(String, u16)> {
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority: Authority = authority.parse().ok().filter(|_| !authority.contains('@'))?;
    Some((authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(default)))
}

/// The token of a session: made from its secret, so that it needs no place of its own, and tells nothing about it.
#[must_use]
pub fn csrf_token(secret: &str) -> String {
    derived(secret, "csrf")
}

/// One of several values that come from one secret and tell nothing about it or each other.
#[must_use]
pub fn derived(secret: &str, what: &str) -> String {
    hex(&Sha256::digest(format!("novacula {what}\n{secret}")))
}

/// Whether a session goes on.
#[must_use]
pub fn is_live(last_seen_at: Timestamp, expires_at: Timestamp, now: Timestamp) -> bool {
    now < expires_at && now < last_seen_at + IDLE
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Site<'_> = Site { public_url: None, is_https: false };
    const HTTPS: Site<'_> = Site { public_url: Some("https://cp.example/novacula"), is_https: true };

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites() {
        let day = SignedDuration::from_hours(24);
        assert_eq!(
            HTTPS.cookie("novacula", "x", "Strict", day),
            "__Host-novacula=x; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            PLAIN.cookie("novacula", "x", "Strict", day),
            "novacula=x; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn only_a_cookie_of_ours_is_read_and_only_if_it_stands_once() {
        for (sentence, site, line, expected) in [
            ("ours", PLAIN, "a=b; novacula=x", Some("x")),
            ("with https another name", HTTPS, "__Host-novacula=x; novacula=y", Some("x")),
            ("one that plain http could have set", HTTPS, "novacula=y", None),
            ("another's", PLAIN, "xnovacula=x; novaculax=x", None),
            ("two", PLAIN, "novacula=x; novacula=y", None),
            ("an empty one", PLAIN, "novacula=", None),
            ("none", PLAIN, "", None),
        ] {
            let found = site.read_cookie(&headers(&[("cookie", line)]), "novacula");
            assert_eq!(found.as_deref(), expected, "{sentence}");
        }
        assert_eq!(PLAIN.read_cookie(&HeaderMap::new(), "novacula"), None);
    }

    #[test]
    fn a_change_comes_from_our_own_pages_by_the_browsers_account() {
        let host = ("host", "cp.example");
        for (sentence, site, pairs, expected) in [
            ("no browser", PLAIN, &[host][..], None),
            ("our page", PLAIN, &[host, ("sec-fetch-site", "same-origin")], Some(true)),
            ("another site's", PLAIN, &[host, ("sec-fetch-site", "cross-site")], Some(false)),
            ("a neighbour's", PLAIN, &[host, ("sec-fetch-site", "same-site")], Some(false)),
            ("typed in", PLAIN, &[host, ("sec-fetch-site", "none")], Some(false)),
            ("our origin", PLAIN, &[host, ("origin", "http://cp.example")], Some(true)),
            ("with its port", PLAIN, &[host, ("origin", "http://CP.example:80")], Some(true)),
            ("another port", PLAIN, &[host, ("origin", "http://cp.example:81")], Some(false)),
            ("another host", PLAIN, &[host, ("origin", "http://evil.example")], Some(false)),
            ("one that begins like ours", PLAIN, &[host, ("origin", "http://cp.example.evil")], Some(false)),
            ("a user in front", PLAIN, &[host, ("origin", "http://x@cp.example")], Some(false)),
            ("none that is one", PLAIN, &[host, ("origin", "null")], Some(false)),
            ("a file", PLAIN, &[host, ("origin", "file://cp.example")], Some(false)),
            ("behind a proxy", HTTPS, &[("host", "10.0.0.1"), ("origin", "https://cp.example")], Some(true)),
            ("http where https is", HTTPS, &[host, ("origin", "http://cp.example")], Some(false)),
            (
                "the two disagree",
                PLAIN,
                &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
                Some(false),
            ),
        ] {
            assert_eq!(site.is_own(&headers(pairs)), expected, "{sentence}");
        }
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_a_week_at_the_latest() {
        let start = Timestamp::UNIX_EPOCH;
        let end = start + LONGEST;
        let ms = SignedDuration::from_millis(1);
        for (sentence, last_seen, now, expected) in [
            ("just used", start, start, true),
            ("used half a day ago", start, start + IDLE - ms, true),
            ("used longer ago", start, start + IDLE, false),
            ("used all week", end - ms, end - ms, true),
            ("used all week and a moment", end - ms, end, false),
        ] {
            assert_eq!(is_live(last_seen, end, now), expected, "{sentence}");
        }
    }

    #[test]
    fn what_is_derived_tells_nothing_about_the_rest() {
        let values = [derived("s", "a"), derived("s", "b"), derived("t", "a"), csrf_token("s")];
        for (n, value) in values.iter().enumerate() {
            assert_eq!(value.len(), 64);
            assert!(!values[n + 1..].contains(value));
        }
    }
}

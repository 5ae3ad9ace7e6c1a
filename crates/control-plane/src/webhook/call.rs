//! The only home of calls that go out: one POST to one webhook, and to no address that is not allowed.

use std::io::Read as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use ureq::http::{HeaderMap, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, config::Config};

use super::Tried;
use super::address::may_call;
use super::signature::signatures;
use crate::store::Due;

/// For the whole call, look-up and answer included.
const LIMIT: Duration = Duration::from_secs(10);
const MOST_READ: u64 = 1_024;
const MOST_KEPT: usize = 200;
const USER_AGENT: &str = concat!("novacula-control-plane/", env!("CARGO_PKG_VERSION"));

/// The client of all webhooks.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    /// Webhooks may be in private networks and on this machine.
    pub allow_private: bool,
}

impl Client {
    /// A client that trusts the usual roots, or those in `ca_pem`.
    ///
    /// # Errors
    /// There is no certificate in `ca_pem`.
    pub(crate) fn new(allow_private: bool, ca_pem: Option<&[u8]>) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = ca_pem {
            let certificates: Vec<Certificate<'static>> = parse_pem(pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err("must hold PEM certificates, it holds none".to_owned());
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would look names up by itself, behind the back of the resolver below.
            .proxy(None)
            .timeout_global(Some(LIMIT))
            .max_response_header_size(16 * 1024)
            .max_idle_connections(0)
            .tls_config(tls.build())
            .user_agent(USER_AGENT)
            .build();
        let resolver = Guarded { inner: DefaultResolver::default(), allow_private };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Ok(Self { agent, allow_private })
    }

    /// Sends one delivery. Blocks.
    pub(crate) fn send(&self, due: &Due, now: Timestamp) -> Tried {
        let (id, timestamp) = (due.id.to_string(), now.as_second());
        let signed = signatures(due.secrets.iter().map(String::as_str), &id, timestamp, &due.payload);
        let sent = self
            .agent
            .post(&due.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signed)
            .send(&due.payload);
        let mut answer = match sent {
            Ok(answer) => answer,
            Err(e) => return Tried { said: beginning(&e.to_string()), ..Tried::default() },
        };
        let retry_after_ms = retry_after_ms(answer.headers(), now);
        let mut read = Vec::new();
        // What counts is the status; of an answer that breaks off there is what came.
        let _ = answer.body_mut().as_reader().take(MOST_READ).read_to_end(&mut read);
        let said = beginning(&String::from_utf8_lossy(&read));
        Tried { status: Some(answer.status().as_u16()), said, retry_after_ms }
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(MOST_KEPT).collect()
}

/// As seconds, or as a time of day.
fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000);
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.duration_since(now).as_millis()).ok()
}

/// Finds the addresses that are connected to, and leaves out those that are not allowed. It is asked for every
/// connection, so a name that leads elsewhere by now is found out.
#[derive(Debug)]
struct Guarded {
    inner: DefaultResolver,
    allow_private: bool,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let (mut allowed, mut why_not) = (self.empty(), String::new());
        for address in &found {
            match may_call(uri.scheme_str().unwrap_or_default(), address.ip(), self.allow_private) {
                Ok(()) => allowed.push(*address),
                Err(sentence) => why_not = sentence,
            }
        }
        if allowed.is_empty() {
            return Err(Error::Other(why_not.into()));
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use uuid::Uuid;

    use super::*;
    use crate::webhook::receiver::{Receiver, Reply, status};

    fn due(url: &str) -> Due {
        Due {
            id: Uuid::from_u128(1),
            webhook_id: Uuid::from_u128(2),
            account_id: Uuid::from_u128(3),
            url: url.to_owned(),
            secrets: vec!["nvw_AAAA".to_owned(), "nvw_BBBB".to_owned()],
            payload: "{}".to_owned(),
            is_failing: false,
        }
    }

    fn send(url: &str, allow_private: bool) -> Tried {
        Client::new(allow_private, None).unwrap().send(&due(url), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn no_name_and_no_spelling_leads_to_an_address_that_is_not_allowed() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let port = inside.local_addr().unwrap().port();
        for (url, allow_private, expected) in [
            (format!("https://localhost:{port}/"), false, "WEBHOOK_ALLOW_PRIVATE"),
            (format!("https://127.0.0.1:{port}/"), false, "WEBHOOK_ALLOW_PRIVATE"),
            (format!("https://2130706433:{port}/"), false, "WEBHOOK_ALLOW_PRIVATE"),
            (format!("https://0x7f.1:{port}/"), false, "WEBHOOK_ALLOW_PRIVATE"),
            (format!("https://[::ffff:127.0.0.1]:{port}/"), false, "WEBHOOK_ALLOW_PRIVATE"),
            (format!("http://0.0.0.0:{port}/"), true, "reserved"),
            ("http://169.254.169.254/latest/meta-data/".to_owned(), true, "metadata"),
            ("https://2852039166/".to_owned(), true, "metadata"),
            ("http://192.168.0.1/".to_owned(), true, "use https"),
        ] {
            let tried = send(&url, allow_private);
            assert!(tried.status.is_none() && tried.said.contains(expected), "{url}: {tried:?}");
        }
        assert!(inside.accept().is_err(), "nobody has knocked");
    }

    #[test]
    fn a_redirect_is_not_followed_and_of_a_long_answer_there_is_the_beginning() {
        let inside = Receiver::start(|_| status(200));
        let to: &'static str = format!("Location: {}\r\n", inside.url()).leak();
        let outside = Receiver::start(move |_| Reply::With(307, to, "x".repeat(1 << 20)));
        let tried = send(&outside.url(), true);
        assert_eq!(tried, Tried { status: Some(307), said: "x".repeat(200), retry_after_ms: None });
        assert_eq!(inside.received().len(), 0);
        let call = &outside.received()[0];
        assert!(call.is_signed_with("nvw_AAAA") && call.is_signed_with("nvw_BBBB"), "{call:?}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_time_of_day() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        for (text, expected) in [
            ("120", Some(120_000)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37_000)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("99999999999999999999", None),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after_ms(&headers, now), expected, "{text}");
        }
    }
}

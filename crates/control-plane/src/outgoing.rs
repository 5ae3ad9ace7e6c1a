//! The only home of calls that go out to where people say, which webhooks and gates do: to no address that is not
//! allowed, for no longer than a limit, and never reading more than was asked for.

pub mod address;

#[cfg(test)]
pub(crate) mod receiver;

use std::io::Read as _;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Error, config::Config};

use address::{Leave, may_call};

/// For the whole call, look-up and answer included.
const LIMIT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("novacula-control-plane/", env!("CARGO_PKG_VERSION"));

/// The client of all calls of one kind.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    /// Where they may go.
    pub leave: Leave,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// As much of it as was asked for.
    pub body: Vec<u8>,
    /// Why that is not the whole of it.
    pub cut: Option<String>,
}

impl Client {
    /// A client that trusts the usual roots, or those in `ca_pem`.
    ///
    /// # Errors
    /// There is no certificate in `ca_pem`.
    pub(crate) fn new(leave: Leave, ca_pem: Option<&[u8]>) -> Result<Self, String> {
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
        let resolver = Guarded { inner: DefaultResolver::default(), leave };
        let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
        Ok(Self { agent, leave })
    }

    /// Sends something, and reads at most so many bytes of the answer. Blocks.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &[(HeaderName, String)],
        body: &str,
        most: u64,
    ) -> Result<Answer, String> {
        let request =
            headers.iter().fold(self.agent.post(url), |request, (name, value)| request.header(name, value));
        request.send(body).map(|answer| read(answer, most)).map_err(|e| e.to_string())
    }

    /// Asks, and reads at most so many bytes of the answer. Blocks.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) fn get(&self, url: &str, most: u64) -> Result<Answer, String> {
        self.agent.get(url).call().map(|answer| read(answer, most)).map_err(|e| e.to_string())
    }
}

fn read(mut answer: Response<Body>, most: u64) -> Answer {
    let mut body = Vec::new();
    if most == 0 {
        return Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body,
            cut: None,
        };
    }
    let read = answer.body_mut().as_reader().take(most.saturating_add(1)).read_to_end(&mut body);
    let has_more = body.len() as u64 > most;
    body.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let cut = match read {
        Err(e) => Some(format!("the answer broke off: {e}")),
        Ok(_) if has_more => Some(format!("the answer is longer than {most} bytes")),
        Ok(_) => None,
    };
    Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body, cut }
}

/// Finds the addresses that are connected to, and leaves out those that are not allowed. It is asked for every
/// connection, so a name that leads elsewhere by now is found out.
#[derive(Debug)]
struct Guarded {
    inner: DefaultResolver,
    leave: Leave,
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
            match may_call(uri.scheme_str().unwrap_or_default(), address.ip(), self.leave) {
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

    use super::*;
    use receiver::{Receiver, Reply};

    #[test]
    fn no_name_and_no_spelling_leads_to_an_address_that_is_not_allowed() {
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let port = inside.local_addr().unwrap().port();
        for (leave, setting) in [
            (Leave::of_webhooks as fn(bool) -> Leave, "WEBHOOK_ALLOW_PRIVATE"),
            (Leave::of_gates, "GATE_ALLOW_PRIVATE"),
        ] {
            for (url, allow_private, expected) in [
                (format!("https://localhost:{port}/"), false, setting),
                (format!("https://127.0.0.1:{port}/"), false, setting),
                (format!("https://2130706433:{port}/"), false, setting),
                (format!("https://0x7f.1:{port}/"), false, setting),
                (format!("https://[::ffff:127.0.0.1]:{port}/"), false, setting),
                (format!("http://0.0.0.0:{port}/"), true, "reserved"),
                ("http://169.254.169.254/latest/meta-data/".to_owned(), true, "metadata"),
                ("https://2852039166/".to_owned(), true, "metadata"),
                ("http://93.184.216.34/".to_owned(), true, "use https"),
            ] {
                let client = Client::new(leave(allow_private), None).unwrap();
                for refused in [client.get(&url, 10), client.post(&url, &[], "", 10)] {
                    let said = refused.unwrap_err();
                    assert!(said.contains(expected), "{url}: {said}");
                }
            }
        }
        assert!(inside.accept().is_err(), "nobody has knocked");
    }

    #[test]
    fn of_an_answer_no_more_is_read_than_was_asked_for() {
        let client = Client::new(Leave::of_gates(true), None).unwrap();
        for (length, most, cut) in
            [(10, 10, false), (11, 10, true), (1 << 20, 10, true), (0, 5, false), (5, 0, false)]
        {
            let there = Receiver::start(move |_| Reply::With(200, "", "x".repeat(length)));
            let answer = client.get(&there.url(), most).unwrap();
            assert_eq!(answer.body.len() as u64, most.min(length as u64));
            assert_eq!(answer.cut.is_some(), cut, "{length} of {most}: {answer:?}");
        }
        let there = Receiver::start(|_| Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
        let answer = client.get(&there.url(), 100).unwrap();
        assert!(answer.cut.unwrap().contains("broke off"));
    }

    #[test]
    fn certificates_to_trust_must_be_some() {
        let refused = Client::new(Leave::of_gates(true), Some(b"none")).err().unwrap();
        assert!(refused.contains("PEM"), "{refused}");
    }
}

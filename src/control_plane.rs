//! HTTP to the control plane, and the one client that everything else uses too.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use novacula_protocol::enroll::{ENROLL_PATH, EnrollRequest, EnrollResponse};
use novacula_protocol::problem::ErrorBody;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{SYNC_PATH, SyncRequest, SyncResponse};
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::DefaultConnector;

use crate::config::ControlPlaneConfig;
use crate::error::{Doing as _, Error, printable};

mod addresses; // remembered between two syncs

use addresses::Addresses;

/// The largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// How long an answer may take to begin.
const RESPONSE_LIMIT: Duration = Duration::from_secs(10);

/// The control plane of this executor.
pub struct ControlPlane {
    client: ureq::Agent,
    addresses: Addresses,
    url: String,
    origin: Origin,
    key: String,
}

/// Why a sync brought no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// One sentence.
    pub reason: String,
    /// How long the control plane asks to wait.
    pub retry_after_ms: Option<u64>,
}

impl NoAnswer {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after_ms: None }
    }
}

/// Scheme, host and port: where a key may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String, String, u16);

impl Origin {
    /// The origin of a URL; `None` for anything but http and https.
    #[must_use]
    pub fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let port = uri.port_u16().or(match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        })?;
        Some(Self(scheme.to_owned(), uri.host()?.to_ascii_lowercase(), port))
    }
}

/// The one HTTP client: proxies from the environment, trust from the config, no redirects followed unseen, no
/// status taken for an error.
///
/// # Errors
/// The file with the certificates cannot be used.
pub fn client(config: &ControlPlaneConfig, version: &semver::Version) -> Result<ureq::Agent, Error> {
    client_with(config, version, Addresses::default())
}

fn client_with(
    config: &ControlPlaneConfig,
    version: &semver::Version,
    addresses: Addresses,
) -> Result<ureq::Agent, Error> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = &config.ca_file {
        let pem = fs::read(path).doing(|| format!("read ca_file {}", path.display()))?;
        let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        if certificates.is_empty() {
            return Err(Error::host(format!(
                "ca_file {} must hold PEM certificates, it holds none",
                path.display()
            )));
        }
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
    }
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(format!("novacula-agent/{version}"))
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_resolve(Some(Duration::from_secs(5)))
        .timeout_recv_response(Some(RESPONSE_LIMIT))
        .max_idle_connections(1)
        .max_idle_age(Duration::from_secs(60))
        // Two small buffers instead of two of 128 KiB: an idle agent shall not be noticed.
        .input_buffer_size(16 * 1024)
        .output_buffer_size(16 * 1024)
        .tls_config(tls.build())
        .build();
    Ok(ureq::Agent::with_parts(config, DefaultConnector::default(), addresses))
}

impl ControlPlane {
    /// The control plane at the configured URL.
    ///
    /// # Errors
    /// As [`client`].
    pub fn new(config: &ControlPlaneConfig, key: String, version: &semver::Version) -> Result<Self, Error> {
        let origin = config.url.parse::<Uri>().ok().and_then(|uri| Origin::of(&uri)).ok_or_else(|| {
            Error::host(format!("the control plane's url must be a URL, it is {}", config.url))
        })?;
        let addresses = Addresses::default();
        let client = client_with(config, version, addresses.clone())?;
        Ok(Self { client, addresses, url: config.url.clone(), origin, key })
    }

    /// The client, for downloads.
    #[must_use]
    pub fn client(&self) -> &ureq::Agent {
        &self.client
    }

    /// What to send as `Authorization` to `origin`: the key goes to the control plane and to nobody else.
    #[must_use]
    pub fn authorization_for(&self, origin: &Origin) -> Option<String> {
        (*origin == self.origin).then(|| format!("Bearer {}", self.key))
    }

    /// One sync, within `limit`.
    ///
    /// # Errors
    /// Anything but a readable 200.
    pub fn sync(&self, request: &SyncRequest, limit: Duration) -> Result<SyncResponse, NoAnswer> {
        self.sync_waiting(request, limit, 0).map(|(answer, _)| answer)
    }

    /// One sync that may wait there for `wait_s` until there is something to tell, and then within `limit`. Gives whether
    /// it was let wait.
    ///
    /// # Errors
    /// Anything but a readable 200.
    pub fn sync_waiting(
        &self,
        request: &SyncRequest,
        limit: Duration,
        wait_s: u64,
    ) -> Result<(SyncResponse, bool), NoAnswer> {
        let body = serde_json::to_vec(request).map_err(|e| NoAnswer::because(e.to_string()))?;
        let mut post = self
            .client
            .post(format!("{}{SYNC_PATH}", self.url))
            .header("Authorization", format!("Bearer {}", self.key))
            .header("Content-Type", "application/json");
        if wait_s > 0 {
            post = post.header("Prefer", format!("wait={wait_s}"));
        }
        let wait = Duration::from_secs(wait_s);
        let answer = post
            .config()
            .timeout_global(Some(limit + wait))
            .timeout_recv_response(Some(RESPONSE_LIMIT + wait))
            .build()
            .send(&body)
            .map_err(|e| {
                self.addresses.forget();
                NoAnswer::because(format!("{} cannot be reached: {e}", self.url))
            })?;
        let applied = answer.headers().get("Preference-Applied").and_then(|value| value.to_str().ok());
        let is_applied = applied.is_some_and(|value| value.trim_start().starts_with("wait"));
        read_answer(answer, &self.url).map(|answer| (answer, is_applied))
    }

    /// The control plane itself answers and is well. A portal that answers everything with 404 is not it, and one
    /// that is overloaded blames nobody.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.health().is_ok()
    }

    /// As [`Self::is_healthy`]; gives the `Date` of the answer.
    ///
    /// # Errors
    /// It does not answer, or with something else than a 2xx.
    pub fn health(&self) -> Result<Option<Timestamp>, NoAnswer> {
        let url = format!("{}/healthz", self.url);
        let answer = self
            .client
            .get(&url)
            .config()
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .call()
            .map_err(|e| NoAnswer::because(format!("{} cannot be reached: {e}", self.url)))?;
        if !answer.status().is_success() {
            return Err(NoAnswer::because(format!("{url} answered {}", answer.status().as_u16())));
        }
        let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp()))
    }
}

/// Exchanges an enrolment token for a key of this executor.
///
/// # Errors
/// Anything but a readable 200.
pub fn enroll(client: &ureq::Agent, url: &str, token: &str, name: &str) -> Result<String, NoAnswer> {
    let request = EnrollRequest { name: name.to_owned(), kind: Kind::Agent };
    let body = serde_json::to_vec(&request).map_err(|e| NoAnswer::because(e.to_string()))?;
    let answer = client
        .post(format!("{url}{ENROLL_PATH}"))
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
        .config()
        .timeout_global(Some(Duration::from_secs(10)))
        .build()
        .send(&body)
        .map_err(|e| NoAnswer::because(format!("{url} cannot be reached: {e}")))?;
    read_answer::<EnrollResponse>(answer, url).map(|answer| answer.access_token)
}

fn read_answer<T: serde::de::DeserializeOwned>(
    mut answer: Response<ureq::Body>,
    url: &str,
) -> Result<T, NoAnswer> {
    let status = answer.status();
    let retry_after_ms = answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok())
        .map(|seconds| seconds.saturating_mul(1_000));
    let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec().map_err(|e| {
        NoAnswer { reason: format!("the answer of {url} cannot be read: {e}"), retry_after_ms }
    })?;
    if status == 200 || status == 201 {
        return serde_json::from_slice(&body).map_err(|e| {
            NoAnswer::because(format!(
                "the answer of {url} must be JSON of the protocol: {}",
                printable(&e.to_string())
            ))
        });
    }
    let said = match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(problem) => printable(&format!("{}: {}", problem.error.code, problem.error.message)),
        Err(_) => "no reason given".to_owned(),
    };
    let said: String = said.chars().take(500).collect();
    Err(NoAnswer { reason: format!("{url} answered {}: {said}", status.as_u16()), retry_after_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_shown_to_the_same_scheme_host_and_port_only() {
        let config = ControlPlaneConfig {
            url: "https://cp.example.com".to_owned(),
            access: crate::config::Access::Stored,
            allow_plain_http: false,
            ca_file: None,
        };
        let control_plane =
            ControlPlane::new(&config, "nva_x".to_owned(), &semver::Version::new(1, 0, 0)).unwrap();
        let shown = |url: &str| {
            let origin = Origin::of(&url.parse().unwrap()).unwrap();
            control_plane.authorization_for(&origin).is_some()
        };
        assert!(shown("https://cp.example.com/a"));
        assert!(shown("https://CP.example.com:443/a"));
        assert!(!shown("http://cp.example.com/a"));
        assert!(!shown("https://cp.example.com:8443/a"));
        assert!(!shown("https://cp.example.com.evil.org/a"));
        assert!(!shown("https://evil.org/cp.example.com"));
    }

    #[test]
    fn an_origin_needs_a_host_and_a_known_scheme() {
        for url in ["ftp://x/y", "/relative"] {
            assert_eq!(Origin::of(&url.parse().unwrap()), None, "{url}");
        }
    }
}

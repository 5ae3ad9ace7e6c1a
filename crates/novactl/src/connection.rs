//! Which control plane is asked, and with whose token.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use novacula_protocol::enroll::{ENROLMENT_TOKEN_PREFIX, EXECUTOR_KEY_PREFIX, USER_TOKEN_PREFIX};
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, parse_pem};

use crate::ending::{Ending, Failure, wrong_usage};
use crate::terminal::Terminal;

const TOKEN_VARIABLE: &str = "NOVACULA_TOKEN";
const MAX_TOKEN_BYTES: u64 = 4096;

/// The options that every command has.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct Options {
    /// The control plane
    #[arg(
        long,
        global = true,
        env = "NOVACULA_URL",
        default_value = "http://127.0.0.1:3000",
        value_name = "URL"
    )]
    url: String,

    /// File with your token (nvu_…), mode 0600
    ///
    /// Without it the environment variable NOVACULA_TOKEN is read. There is no option that takes the token itself,
    /// because every user of a machine can read the command lines of all others.
    #[arg(long, global = true, value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// PEM file with the certificates to trust instead of the public ones, for a control plane with a private one
    #[arg(long, global = true, env = "NOVACULA_CA_FILE", value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

/// A control plane and the right to speak to it.
pub struct Connection {
    /// Without a slash at its end.
    pub url: String,
    /// `nvu_…`
    pub token: String,
    /// What its certificate is checked against.
    pub roots: RootCerts,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (token not shown)", self.url)
    }
}

impl Options {
    /// Checks the URL and finds the token.
    pub fn connection(&self, terminal: &Terminal) -> Result<Connection, Failure> {
        let url = base_url(&self.url)?;
        let token = match &self.token_file {
            Some(path) => read_token(path, terminal)?,
            None => token_from_environment()?,
        };
        if url.starts_with("http://") && !is_loopback(&url) {
            terminal.note(format!("warning: {url} is not https: your token travels in the clear"));
        }
        let roots = match &self.ca_file {
            Some(path) => read_roots(path)?,
            None => RootCerts::WebPki,
        };
        Ok(Connection { url, token, roots })
    }
}

/// A URL that paths can be put behind.
pub fn base_url(text: &str) -> Result<String, Failure> {
    let wrong = |found: &str| {
        wrong_usage(format!(
            "expected the control plane's URL like https://novacula.example.com, {found} in `{text}`; \
             set --url or NOVACULA_URL"
        ))
    };
    let uri: Uri = text.parse().map_err(|_| wrong("no URL can be read"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(wrong("neither http:// nor https:// stands")),
    }
    let authority = uri.authority().ok_or_else(|| wrong("no host stands"))?;
    if authority.host().is_empty() {
        return Err(wrong("no host stands"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong("a user name stands"));
    }
    if uri.query().is_some() {
        return Err(wrong("a query stands"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a URL leads to this very machine.
pub fn is_loopback(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token must not pass through the command line, so clap does not read it"
)]
fn token_from_environment() -> Result<String, Failure> {
    match std::env::var(TOKEN_VARIABLE) {
        Ok(text) => checked(&text, TOKEN_VARIABLE),
        Err(std::env::VarError::NotUnicode(_)) => checked("\u{fffd}", TOKEN_VARIABLE),
        Err(std::env::VarError::NotPresent) => Err(wrong_usage(format!(
            "a token is needed and none was given: name its file with --token-file or set {TOKEN_VARIABLE}"
        ))),
    }
}

fn read_token(path: &Path, terminal: &Terminal) -> Result<String, Failure> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| {
        Failure::new(
            Ending::Failed,
            "token_file",
            format!("the token file {shown} cannot be read ({e}): name a file that holds your token"),
        )
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        terminal.note(format!(
            "warning: the token file {shown} is open to others (mode {:04o}): run `chmod 600 {shown}`",
            metadata.mode() & 0o7777
        ));
    }
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_end(&mut text))
        .map_err(unreadable)?;
    checked(&String::from_utf8_lossy(&text), &format!("the token file {shown}"))
}

fn read_roots(path: &Path) -> Result<RootCerts, Failure> {
    let unusable = |found: String| {
        let shown = path.display();
        Failure::new(
            Ending::Failed,
            "ca_file",
            format!("the CA file {shown} must hold PEM certificates, {found}"),
        )
    };
    let pem = fs::read(path).map_err(|e| unusable(format!("it cannot be read ({e})")))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|e| unusable(format!("it does not ({e})")))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(unusable("it holds none".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// The token is never part of a message.
fn checked(text: &str, place: &str) -> Result<String, Failure> {
    let token = text.trim();
    let wrong = |found: &str| {
        Failure::new(
            Ending::Failed,
            "token_malformed",
            format!("{place} must hold a person's token ({USER_TOKEN_PREFIX}…), it holds {found}"),
        )
    };
    if token.is_empty() {
        return Err(wrong("nothing"));
    }
    if token.starts_with(EXECUTOR_KEY_PREFIX) {
        return Err(wrong("an executor's key: that one opens syncs only"));
    }
    if token.starts_with(ENROLMENT_TOKEN_PREFIX) {
        return Err(wrong("an enrolment token: that one opens enrolment only"));
    }
    if !token.starts_with(USER_TOKEN_PREFIX) || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("something else"));
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_last_slash_and_nothing_else() {
        assert_eq!(base_url("https://n.example.com/").unwrap(), "https://n.example.com");
        assert_eq!(base_url("http://[::1]:3000").unwrap(), "http://[::1]:3000");
        assert_eq!(base_url("https://example.com/novacula/").unwrap(), "https://example.com/novacula");
    }

    #[test]
    fn what_is_no_url_of_a_control_plane_is_wrong_usage() {
        for text in [
            "",
            "example.com",
            "localhost:3000",
            "ftp://example.com",
            "https://me@example.com",
            "http://x/?a=b",
            "http://",
        ] {
            assert_eq!(base_url(text).unwrap_err().ending, Ending::WrongUsage, "{text}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_by_number() {
        for url in ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:3000", "http://127.9.9.9/x"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://localhost.example.com", "http://10.0.0.1", "http://[2001:db8::1]"] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn only_a_persons_token_is_taken_and_no_message_repeats_it() {
        assert_eq!(checked("nvu_abc\n", "x").unwrap(), "nvu_abc");
        for text in
            ["", "  \n", "nva_secret", "nve_secret", "secret", "nvu_a b", "nvu_a\u{1}", "nvu_a\nnvu_b"]
        {
            let refused = checked(text, "NOVACULA_TOKEN").unwrap_err();
            assert!(!refused.problem.message.contains("secret"), "{refused}");
        }
    }
}

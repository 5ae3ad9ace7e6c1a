//! The network into a temporary file, and never a byte more than the spec says.

use std::io::Read as _;
use std::time::Duration;

use novacula_protocol::spec::AgentUpgradeSpec;
use novacula_protocol::{Refusal, RefusalCode};
use ureq::http::{Response, Uri};

use super::admit::secure_url;
use super::hand::Hand;
use super::verify::Check;
use crate::control_plane::{ControlPlane, Origin};
use crate::disk::Incoming;
use crate::error::{Error, printable};

/// A redirect more than this is a loop.
const MAX_REDIRECTS: usize = 5;
/// A connection that brings nothing for this long is dead.
const STALL: Duration = Duration::from_secs(30);
const CHUNK: usize = 64 * 1024;

/// Fetches the artifact into `incoming` and through `check`.
///
/// # Errors
/// `size_mismatch`, `insecure_url`, `download_failed`; *not now* for whatever another try may heal.
pub fn fetch(
    spec: &AgentUpgradeSpec,
    control_plane: &ControlPlane,
    allow_plain_http: bool,
    incoming: &mut Incoming,
    check: &mut Check<'_>,
    hand: &Hand,
) -> Result<(), Error> {
    let answer = request(&spec.download_url, control_plane, allow_plain_http)?;
    if let Some(stated) = answer.body().content_length().filter(|stated| *stated != spec.size) {
        return Err(wrong_size(spec, &format!("the server announces {stated}")));
    }
    let mut body = answer.into_body().into_reader();
    let mut chunk = vec![0; CHUNK];
    let mut done = 0_u64;
    loop {
        hand.checkpoint()?;
        // One byte more than is due is asked for, so that an endless stream shows itself at the first byte too many.
        let due = usize::try_from(spec.size - done).unwrap_or(CHUNK).saturating_add(1).min(CHUNK);
        let read = match body.read(&mut chunk[..due]) {
            Ok(0) if done == spec.size => return Ok(()),
            Ok(0) => return Err(wrong_size(spec, &format!("it ended after {done}"))),
            Ok(read) => read,
            Err(e) => return Err(Error::NotNow(format!("the download broke off after {done} bytes: {e}"))),
        };
        if read as u64 > spec.size - done {
            return Err(wrong_size(spec, "more came"));
        }
        check.update(&chunk[..read]);
        incoming.append(&chunk[..read])?;
        done += read as u64;
        hand.bytes(done);
    }
}

/// The size that the server announces for the artifact at `url`, in bytes.
///
/// # Errors
/// It announces none, or cannot be asked.
pub fn announced_size(url: &str, control_plane: &ControlPlane, allow_plain_http: bool) -> Result<u64, Error> {
    request(url, control_plane, allow_plain_http)?.body().content_length().ok_or_else(|| {
        Error::refused(
            RefusalCode::SizeMismatch,
            "the server must announce the size of the artifact, it does not; give --size",
        )
    })
}

fn request(
    url: &str,
    control_plane: &ControlPlane,
    allow_plain_http: bool,
) -> Result<Response<ureq::Body>, Error> {
    let mut uri = secure_url(url, allow_plain_http)?;
    for _ in 0..=MAX_REDIRECTS {
        let mut request = control_plane.client().get(uri.clone());
        if let Some(authorization) =
            Origin::of(&uri).and_then(|origin| control_plane.authorization_for(&origin))
        {
            request = request.header("Authorization", authorization);
        }
        let answer = request
            .config()
            .timeout_per_read(Some(STALL))
            .build()
            .call()
            .map_err(|e| Error::NotNow(format!("the artifact cannot be fetched: {e}")))?;
        let status = answer.status();
        match status.as_u16() {
            200 => return Ok(answer),
            301 | 302 | 303 | 307 | 308 => {
                let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
                uri = follow(&uri, location.unwrap_or_default(), allow_plain_http)?;
            }
            404 | 410 => {
                return Err(Error::refused(
                    RefusalCode::DownloadFailed,
                    format!("the artifact must be at the URL of the spec, the server answers {status}"),
                ));
            }
            _ => {
                return Err(Error::NotNow(format!(
                    "the artifact cannot be fetched: the server answers {status}"
                )));
            }
        }
    }
    Err(Error::refused(
        RefusalCode::DownloadFailed,
        format!("the artifact is behind more than {MAX_REDIRECTS} redirects"),
    ))
}

fn follow(from: &Uri, location: &str, allow_plain_http: bool) -> Result<Uri, Refusal> {
    let absolute = match location.strip_prefix('/') {
        Some(path) if !path.starts_with('/') => {
            let scheme = from.scheme_str().unwrap_or_default();
            let authority = from.authority().map(ureq::http::uri::Authority::as_str).unwrap_or_default();
            format!("{scheme}://{authority}{location}")
        }
        _ => location.to_owned(),
    };
    let to = secure_url(&absolute, allow_plain_http)?;
    if from.scheme_str() == Some("https") && to.scheme_str() != Some("https") {
        return Err(Refusal::new(
            RefusalCode::InsecureUrl,
            format!("a redirect must not leave https, this one leads to {}", printable(location)),
        ));
    }
    Ok(to)
}

fn wrong_size(spec: &AgentUpgradeSpec, found: &str) -> Error {
    Error::refused(RefusalCode::SizeMismatch, format!("the artifact must have {} bytes, {found}", spec.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_secure_or_is_refused() {
        let from = |from: &str, location: &str| {
            follow(&from.parse().unwrap(), location, false)
                .map(|uri| uri.to_string())
                .map_err(|refusal| refusal.code)
        };
        let https = "https://cp.example.com/a";
        assert_eq!(from(https, "/b").as_deref(), Ok("https://cp.example.com/b"));
        assert_eq!(from(https, "https://cdn.example.com/b").as_deref(), Ok("https://cdn.example.com/b"));
        for location in
            ["http://cdn.example.com/b", "http://127.0.0.1/b", "//evil.org/b", "b", "", "file:///etc/passwd"]
        {
            assert_eq!(from(https, location), Err(RefusalCode::InsecureUrl), "{location}");
        }
        assert_eq!(from("http://127.0.0.1:1/a", "http://169.254.169.254/b"), Err(RefusalCode::InsecureUrl));
    }
}

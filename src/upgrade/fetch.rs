//! The network into a temporary file: never a byte more than the spec says, and never one twice without need.

use std::io::Read as _;
use std::thread;
use std::time::Duration;

use novacula_protocol::spec::AgentUpgradeSpec;
use novacula_protocol::{Refusal, RefusalCode};
use ureq::http::{HeaderMap, Response, Uri};

use super::Means;
use super::admit::secure_url;
use super::hand::Hand;
use super::trial::Download;
use crate::control_plane::{ControlPlane, Origin};
use crate::disk::Incoming;
use crate::error::{Error, printable};

/// A redirect more than this is a loop.
const MAX_REDIRECTS: usize = 5;
/// A connection that brings nothing for this long is dead.
const STALL: Duration = Duration::from_secs(30);
/// A connection that brings less than this in a minute is as good as dead, in bytes.
const LEAST_A_MINUTE: u64 = 16 * 1024;
const MINUTE_MS: u64 = 60_000;
/// What is received and written at once, in bytes; there is one such buffer more in the client.
const CHUNK: usize = 512 * 1024;

/// Fetches the artifact into `incoming`, going on behind the bytes that are there already.
///
/// # Errors
/// `size_mismatch`, `insecure_url`, `download_failed`; *not now* for whatever another try may heal.
pub fn fetch(
    spec: &AgentUpgradeSpec,
    means: &Means<'_>,
    incoming: &mut Incoming,
    hand: &Hand,
) -> Result<(), Error> {
    let known = means.records.download()?.filter(|known| known.sha256 == spec.sha256);
    let resumable = known.is_some() && incoming.length() <= spec.size;
    if incoming.length() > 0 && !resumable {
        incoming.begin_again()?;
    }
    hand.bytes(incoming.length());
    if incoming.length() == spec.size {
        return Ok(());
    }
    let etag = known.filter(|_| incoming.length() > 0).map(|known| known.etag);
    let from = etag.as_deref().map(|etag| (incoming.length(), etag));
    let answer = request(&spec.download_url, means.control_plane, means.allow_plain_http, from)?;
    match answer.status().as_u16() {
        206 if continues(answer.headers(), incoming.length(), spec.size) => {}
        200 => {
            incoming.begin_again()?;
            note(means, spec, answer.headers())?;
        }
        status => {
            // The next try begins at the first byte.
            incoming.begin_again()?;
            return Err(Error::NotNow(format!(
                "asked for a part of the artifact, the server answered {status}"
            )));
        }
    }
    let due = spec.size - incoming.length();
    if let Some(stated) = answer.body().content_length().filter(|stated| *stated != due) {
        return Err(wrong_size(spec, &format!("the server announces {stated} of {due} that are due")));
    }
    receive(answer, spec, means.bytes_per_second, incoming, hand)
}

fn receive(
    answer: Response<ureq::Body>,
    spec: &AgentUpgradeSpec,
    bytes_per_second: Option<u64>,
    incoming: &mut Incoming,
    hand: &Hand,
) -> Result<(), Error> {
    let mut body = answer.into_body().into_reader();
    let mut chunk = vec![0; CHUNK];
    let mut pace = Pace::begin(hand.ticks_ms(), bytes_per_second);
    loop {
        hand.checkpoint()?;
        let done = incoming.length();
        // One byte more than is due is asked for, so that an endless stream shows itself at the first byte too many.
        let due = usize::try_from(spec.size - done).unwrap_or(CHUNK).saturating_add(1).min(pace.chunk());
        let read = match body.read(&mut chunk[..due]) {
            Ok(0) if done == spec.size => return Ok(()),
            Ok(0) => return Err(wrong_size(spec, &format!("it ended after {done}"))),
            Ok(read) => read as u64,
            Err(e) => return Err(Error::NotNow(format!("the download broke off after {done} bytes: {e}"))),
        };
        if read > spec.size - done {
            return Err(wrong_size(spec, "more came"));
        }
        let bytes = &chunk[..usize::try_from(read).unwrap_or(CHUNK)];
        incoming.append(bytes)?;
        hand.bytes(incoming.length());
        match pace.took(read, hand.ticks_ms()) {
            Ok(rest) => thread::sleep(rest),
            Err(in_a_minute) => {
                return Err(Error::NotNow(format!(
                    "the download brought {in_a_minute} bytes in a minute, too few"
                )));
            }
        }
    }
}

/// How fast a download may be and must be. Pure.
struct Pace {
    bytes_per_second: Option<u64>,
    begun_ms: u64,
    bytes: u64,
    minute_begun_ms: u64,
    in_this_minute: u64,
}

impl Pace {
    fn begin(now_ms: u64, bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, begun_ms: now_ms, bytes: 0, minute_begun_ms: now_ms, in_this_minute: 0 }
    }

    /// Small enough for a rest of a quarter of a second at most.
    fn chunk(&self) -> usize {
        let quarter = self.bytes_per_second.map_or(CHUNK as u64, |rate| (rate / 4).max(1));
        usize::try_from(quarter).unwrap_or(CHUNK).min(CHUNK)
    }

    /// Counts bytes; the rest to take before the next, or the bytes of the last minute when they were too few.
    fn took(&mut self, bytes: u64, now_ms: u64) -> Result<Duration, u64> {
        self.bytes += bytes;
        self.in_this_minute += bytes;
        if now_ms.saturating_sub(self.minute_begun_ms) >= MINUTE_MS {
            let least = self.bytes_per_second.map_or(LEAST_A_MINUTE, |rate| LEAST_A_MINUTE.min(rate * 30));
            if self.in_this_minute < least {
                return Err(self.in_this_minute);
            }
            (self.minute_begun_ms, self.in_this_minute) = (now_ms, 0);
        }
        let Some(rate) = self.bytes_per_second else { return Ok(Duration::ZERO) };
        let due_ms = self.begun_ms + self.bytes.saturating_mul(1_000) / rate.max(1);
        Ok(Duration::from_millis(due_ms.saturating_sub(now_ms).min(1_000)))
    }
}

fn note(means: &Means<'_>, spec: &AgentUpgradeSpec, headers: &HeaderMap) -> Result<(), Error> {
    let etag = headers.get("etag").and_then(|etag| etag.to_str().ok());
    let mut records = means.records.lock()?;
    // A weak one does not promise the same bytes.
    match etag.filter(|etag| etag.starts_with('"') && etag.len() <= 200) {
        Some(etag) => records.note_download(&Download { sha256: spec.sha256.clone(), etag: etag.to_owned() }),
        None => records.forget_download(),
    }
}

fn continues(headers: &HeaderMap, from: u64, size: u64) -> bool {
    let expected = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
    from > 0 && headers.get("content-range").is_some_and(|range| *range == *expected)
}

/// The size that the server announces for the artifact at `url`, in bytes.
///
/// # Errors
/// It announces none, or cannot be asked.
pub fn announced_size(url: &str, control_plane: &ControlPlane, allow_plain_http: bool) -> Result<u64, Error> {
    request(url, control_plane, allow_plain_http, None)?.body().content_length().ok_or_else(|| {
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
    from: Option<(u64, &str)>,
) -> Result<Response<ureq::Body>, Error> {
    let mut uri = secure_url(url, allow_plain_http)?;
    for _ in 0..=MAX_REDIRECTS {
        let mut request = control_plane.client().get(uri.clone());
        let origin = Origin::of(&uri);
        if let Some(authorization) = origin.and_then(|origin| control_plane.authorization_for(&origin)) {
            request = request.header("Authorization", authorization);
        }
        if let Some((first, etag)) = from {
            request = request.header("Range", format!("bytes={first}-")).header("If-Range", etag);
        }
        let answer = request
            .config()
            .timeout_per_read(Some(STALL))
            .input_buffer_size(CHUNK)
            .build()
            .call()
            .map_err(|e| Error::NotNow(format!("the artifact cannot be fetched: {e}")))?;
        let status = answer.status();
        match status.as_u16() {
            200 => return Ok(answer),
            206 | 416 if from.is_some() => return Ok(answer),
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

    #[test]
    fn only_the_very_range_that_was_asked_for_continues_a_download() {
        let continued = |range: &'static str| {
            let headers = HeaderMap::from_iter([(
                ureq::http::header::CONTENT_RANGE,
                ureq::http::HeaderValue::from_static(range),
            )]);
            continues(&headers, 10, 100)
        };
        assert!(continued("bytes 10-99/100"));
        for range in
            ["bytes 0-99/100", "bytes 11-99/100", "bytes 10-98/100", "bytes 10-99/101", "bytes 10-99/*", ""]
        {
            assert!(!continued(range), "{range}");
        }
        assert!(!continues(&HeaderMap::new(), 10, 100));
    }

    #[test]
    fn a_cap_makes_a_download_rest_and_a_trickle_ends_it() {
        let mut capped = Pace::begin(0, Some(4_000));
        assert_eq!(capped.chunk(), 1_000);
        assert_eq!(capped.took(1_000, 10), Ok(Duration::from_millis(240)));
        assert_eq!(capped.took(1_000, 600), Ok(Duration::ZERO));

        let mut trickle = Pace::begin(0, None);
        assert_eq!(trickle.took(100, 59_999), Ok(Duration::ZERO));
        assert_eq!(trickle.took(100, 60_000), Err(200));

        let mut slow = Pace::begin(0, None);
        assert_eq!(slow.took(LEAST_A_MINUTE, 60_000), Ok(Duration::ZERO));

        // Who is capped to a trickle is not blamed for being one.
        let mut both = Pace::begin(0, Some(100));
        assert_eq!(both.took(6_000, 60_000), Ok(Duration::ZERO));
    }
}

//! An answer, looked at as cheaply as can be without taking a wrong one for a right one.

use novacula_protocol::sync::SyncResponse;

/// What has come of an answer so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not all of it.
    Unfinished,
    /// All of it, and it is what a sync is answered with; perhaps the last on its connection.
    Good { is_last: bool },
    /// Something else.
    Bad { status: u16 },
}

/// One answer of so many is read to the last field.
const READ_WHOLE: u64 = 512;

/// Looks at what came. `count` numbers the answers.
pub fn look(came: &[u8], count: u64) -> Answer {
    let mut begin = 0;
    let (mut length, mut is_last) = (None, false);
    let body = loop {
        let Some(end) = came[begin..].iter().position(|c| *c == b'\n').map(|end| begin + end) else {
            return Answer::Unfinished;
        };
        let line = came[begin..end].trim_ascii_end();
        begin = end + 1;
        if line.is_empty() {
            break &came[begin..];
        }
        if let Some(value) = header(line, b"content-length:") {
            length = std::str::from_utf8(value).ok().and_then(|value| value.parse::<usize>().ok());
        } else if let Some(value) = header(line, b"connection:") {
            is_last = value.eq_ignore_ascii_case(b"close");
        }
    };
    let status = came.get(9..12).and_then(|status| std::str::from_utf8(status).ok());
    let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
    // Whoever does not say how much comes has not answered as a control plane does.
    let Some(length) = length else { return Answer::Bad { status } };
    if body.len() < length {
        return Answer::Unfinished;
    }
    let is_good = status == 200
        && body.len() == length
        && body.starts_with(b"{\"controlPlaneVersion\":\"")
        && body.ends_with(b"}")
        && (!count.is_multiple_of(READ_WHOLE) || serde_json::from_slice::<SyncResponse>(body).is_ok());
    if is_good { Answer::Good { is_last } } else { Answer::Bad { status } }
}

fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_sync_is_answered_with_is_a_good_answer() {
        let whole = r#"{"controlPlaneVersion":"1.0.0","now":"2026-01-01T00:00:00Z","syncIntervalMs":5000}"#;
        let answer = |status: &str, more: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n{body}", body.len()).into_bytes()
        };
        for (sentence, came, expected) in [
            ("nothing", Vec::new(), Answer::Unfinished),
            ("a beginning", answer("200 OK", "", whole)[..60].to_vec(), Answer::Unfinished),
            ("all but the last byte", answer("200 OK", "", whole)[..120].to_vec(), Answer::Unfinished),
            ("all", answer("200 OK", "", whole), Answer::Good { is_last: false }),
            ("the last", answer("200 OK", "connection: close\r\n", whole), Answer::Good { is_last: true }),
            ("another status", answer("503 Busy", "", whole), Answer::Bad { status: 503 }),
            ("another body", answer("200 OK", "", "{\"a\":1}"), Answer::Bad { status: 200 }),
            (
                "a body that breaks off",
                answer("200 OK", "", "{\"controlPlaneVersion\":\"1}"),
                Answer::Bad { status: 200 },
            ),
            (
                "no length",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
                Answer::Bad { status: 200 },
            ),
        ] {
            assert_eq!(look(&came, 0), expected, "{sentence}");
        }
    }
}

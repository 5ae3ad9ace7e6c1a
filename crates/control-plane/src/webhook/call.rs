//! One POST to one webhook.

use axum::http::{HeaderMap, HeaderName, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::Tried;
use super::signature::signatures;
use crate::outgoing::Client;
use crate::store::Due;

const MOST_READ: u64 = 1_024;
const MOST_KEPT: usize = 200;

/// Sends one delivery. Blocks.
pub(crate) fn send(client: &Client, due: &Due, now: Timestamp) -> Tried {
    let (id, timestamp) = (due.id.to_string(), now.as_second());
    let signed = signatures(due.secrets.iter().map(String::as_str), &id, timestamp, &due.payload);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (HeaderName::from_static("webhook-id"), id),
        (HeaderName::from_static("webhook-timestamp"), timestamp.to_string()),
        (HeaderName::from_static("webhook-signature"), signed),
    ];
    match client.post(&due.url, &headers, &due.payload, MOST_READ) {
        // What counts is the status; of an answer that breaks off there is what came.
        Ok(answer) => Tried {
            status: Some(answer.status),
            said: beginning(&String::from_utf8_lossy(&answer.body)),
            retry_after_ms: retry_after_ms(&answer.headers, now),
        },
        Err(why) => Tried { said: beginning(&why), ..Tried::default() },
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::outgoing::address::Leave;
    use crate::outgoing::receiver::{Receiver, Reply, status};

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

    fn to(url: &str, allow_private: bool) -> Tried {
        let client = Client::new(Leave::of_webhooks(allow_private), None).unwrap();
        send(&client, &due(url), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_webhook_at_an_address_that_is_not_allowed_is_not_called() {
        let inside = Receiver::start(|_| status(200));
        let tried = to(&inside.url(), false);
        assert!(tried.status.is_none() && tried.said.contains("WEBHOOK_ALLOW_PRIVATE"), "{tried:?}");
        let tried = to("http://192.168.0.1/", true);
        assert!(tried.status.is_none() && tried.said.contains("use https"), "{tried:?}");
        assert_eq!(inside.received().len(), 0);
    }

    #[test]
    fn a_redirect_is_not_followed_and_of_a_long_answer_there_is_the_beginning() {
        let inside = Receiver::start(|_| status(200));
        let elsewhere: &'static str = format!("Location: {}\r\n", inside.url()).leak();
        let outside = Receiver::start(move |_| Reply::With(307, elsewhere, "x".repeat(1 << 20)));
        let tried = to(&outside.url(), true);
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

//! What an answer of the control plane comes to: a value, or a failure with its ending and its sentence.

use novacula_protocol::problem::ErrorBody;
use serde::de::DeserializeOwned;

use crate::ending::{Ending, Failure};

/// An answer, read to its end.
pub struct Answer {
    /// Of HTTP.
    pub status: u16,
    /// Whatever came.
    pub body: Vec<u8>,
    /// `Location`, where it answered with a redirect.
    pub location: Option<String>,
}

impl Answer {
    /// The value of a success; `call` and `url` say what was asked of whom.
    pub fn value<T: DeserializeOwned>(self, call: &str, url: &str) -> Result<T, Failure> {
        if !(200..300).contains(&self.status) {
            return Err(self.failure(call, url));
        }
        serde_json::from_slice(&self.body).map_err(|e| {
            Failure::new(
                Ending::Failed,
                "answer_unreadable",
                format!(
                    "the answer of {url} to {call} cannot be read ({e}): check that it is a Novacula control plane \
                     and that this novactl is not older than it"
                ),
            )
        })
    }

    /// A success without a value.
    pub fn nothing(self, call: &str, url: &str) -> Result<(), Failure> {
        if (200..300).contains(&self.status) { Ok(()) } else { Err(self.failure(call, url)) }
    }

    fn failure(self, call: &str, url: &str) -> Failure {
        let status = self.status;
        let said = serde_json::from_slice::<ErrorBody>(&self.body).ok().map(|body| body.error);
        let mut failure = match (said, status) {
            (_, 300..=399) => Failure::new(
                Ending::Failed,
                "redirected",
                format!(
                    "{url} sends callers on to {}: set --url or NOVACULA_URL to the place where it is really served",
                    self.location.as_deref().unwrap_or("another place")
                ),
            ),
            (Some(problem), _) => Failure::from(problem),
            (None, 401) => Failure::new(Ending::Failed, "invalid_api_key", "the token is not accepted"),
            (None, _) => Failure::new(
                Ending::Failed,
                "answer_unreadable",
                format!(
                    "{url} answered {call} with status {status} and not as a Novacula control plane does: check --url \
                     or NOVACULA_URL, and any proxy on the way"
                ),
            ),
        };
        failure.status = Some(status);
        if status == 401 {
            failure
                .problem
                .message
                .push_str("; give a valid token of yours (nvu_…) with --token-file or NOVACULA_TOKEN");
        }
        if matches!(status, 403 | 409 | 422) {
            failure.ending = Ending::Refused;
        }
        if matches!(status, 429 | 500..=599) {
            failure = failure.passing();
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> Failure {
        Answer { status, body: body.into(), location: Some("https://x/".into()) }
            .value::<serde_json::Value>("GET /x", "http://cp")
            .unwrap_err()
    }

    #[test]
    fn a_refusal_by_policy_is_told_apart_from_a_failure() {
        let body = r#"{"error":{"code":"some_code","message":"a sentence"}}"#;
        for (status, ending, passing) in [
            (400, Ending::Failed, false),
            (401, Ending::Failed, false),
            (403, Ending::Refused, false),
            (404, Ending::Failed, false),
            (409, Ending::Refused, false),
            (413, Ending::Failed, false),
            (422, Ending::Refused, false),
            (429, Ending::Failed, true),
            (500, Ending::Failed, true),
            (503, Ending::Failed, true),
        ] {
            let failure = failure(status, body);
            assert_eq!((failure.ending, failure.is_passing()), (ending, passing), "{status}");
            assert_eq!(failure.problem.code, "some_code");
            assert!(failure.problem.message.starts_with("a sentence"));
        }
    }

    #[test]
    fn an_answer_that_is_not_the_control_planes_says_what_to_check() {
        assert!(failure(502, "<html>").problem.message.contains("status 502"));
        assert!(failure(401, "").problem.message.contains("--token-file"));
        assert!(failure(301, "").problem.message.contains("https://x/"));
        let html = Answer { status: 200, body: b"<html>".into(), location: None };
        let unreadable = html.value::<serde_json::Value>("GET /x", "http://cp").unwrap_err();
        assert_eq!(unreadable.problem.code, "answer_unreadable");
    }
}

//! Pure: what a gate asks, and what the answer means. Only a plain yes passes and only a plain no fails; whatever else
//! comes back, or does not, is inconclusive, because then nobody can tell.

mod alerts;
pub(crate) mod rounds;

use novacula_protocol::people::{GateOutcome, GateSpec};

use crate::outgoing::Answer;

/// So much of a list of alerts is read.
const MOST_OF_ALERTS: u64 = 4 << 20;

/// What a gate said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub outcome: GateOutcome,
    /// Why, in one sentence.
    pub message: String,
}

impl Said {
    fn new(outcome: GateOutcome, message: String) -> Self {
        Self { outcome, message }
    }

    fn inconclusive(message: String) -> Self {
        Self::new(GateOutcome::Inconclusive, message)
    }
}

/// A GET, and how much of the answer is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub url: String,
    pub most: u64,
}

/// What a gate asks somebody outside, if it does.
pub(crate) fn question(gate: &GateSpec) -> Option<Question> {
    match gate {
        GateSpec::Prometheus { url, .. } => {
            let base = url.trim_end_matches('/');
            Some(Question { url: format!("{base}/api/v1/alerts"), most: MOST_OF_ALERTS })
        }
        // Of the answer only the status counts.
        GateSpec::Http { url, .. } => Some(Question { url: url.clone(), most: 0 }),
        GateSpec::Restarts { .. } | GateSpec::Approval { .. } => None,
    }
}

/// What the answer to a gate's question means; an error says why there is none.
pub(crate) fn judge(gate: &GateSpec, answer: Result<Answer, String>) -> Said {
    let (GateSpec::Prometheus { url, .. } | GateSpec::Http { url, .. }) = gate else {
        return Said::inconclusive("nobody outside is asked for this gate".to_owned());
    };
    let place = place(url);
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Said::inconclusive(format!("{place} did not answer: {why}")),
    };
    let status = answer.status;
    match (gate, status) {
        (_, 300..=399) => {
            let sentence = format!("{place} answered {status}, which leads elsewhere and is not followed");
            Said::inconclusive(sentence)
        }
        (GateSpec::Prometheus { severities, labels, .. }, 200..=299) => {
            alerts::judge(&place, &answer, severities, labels)
        }
        (GateSpec::Prometheus { .. }, _) => {
            Said::inconclusive(format!("{place} answered {status} instead of the list of its alerts"))
        }
        (_, 200..=299) => Said::new(GateOutcome::Pass, format!("{place} answered {status}")),
        (_, _) => Said::new(GateOutcome::Fail, format!("{place} answered {status}, expected 2xx")),
    }
}

/// Host and port: what stands behind them in a URL is not for everybody who may see a plan's state.
fn place(url: &str) -> String {
    let uri = url.parse::<axum::http::Uri>().ok();
    let authority = uri.and_then(|uri| Some(uri.authority()?.to_string()));
    authority.unwrap_or_else(|| "its address, which is none,".to_owned())
}

#[cfg(test)]
mod tests;

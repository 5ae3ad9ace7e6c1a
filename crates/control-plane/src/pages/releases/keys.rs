//! `/releases/keys`: the release keys, and whether one may be signed with yet.

use askama::Template;
use axum::response::Response;
use novacula_protocol::people::{Executor, Page, ReleaseKey, ReleaseKeys};

use super::catalogue::part;
use crate::pages::assets;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::words;

/// So many of those that lack a key are named.
const MOST_NAMES: u64 = 10;

#[derive(Template)]
#[template(path = "releases/keys.html")]
pub(super) struct KeysPage {
    pub layout: Layout,
    pub executors: u64,
    pub silent: u64,
    pub keys: Vec<Standing>,
}

/// A key, and those that lack it.
pub(super) struct Standing {
    pub key: ReleaseKey,
    pub verdict: Verdict,
    /// The first of them, as id and name.
    pub lacking: Vec<(String, String)>,
}

/// Whether it may be signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Of its badge.
    pub class: &'static str,
    pub word: &'static str,
    pub sentence: String,
}

impl KeysPage {
    /// Where the three parts of the bar end, of a hundred.
    fn ends(&self, standing: &Standing) -> (u64, u64) {
        let key = &standing.key;
        (part(key.trusted_by, self.executors), part(key.trusted_by + key.lacked_by, self.executors))
    }
}

/// Pure: what the counts mean for whoever is about to sign.
fn verdict(key: &ReleaseKey, executors: u64, silent: u64) -> Verdict {
    let all = words::counted(&executors, "executor", "executors");
    let (trusted, lacked) = (key.trusted_by, key.lacked_by);
    let mut said =
        format!("{} of {all} {} it", words::count(&trusted), if trusted == 1 { "trusts" } else { "trust" });
    if lacked > 0 {
        said += &format!(", {} {} not", words::count(&lacked), if lacked == 1 { "does" } else { "do" });
    }
    if silent > 0 {
        said += &format!(
            ", {} {} not say, because {} agent is too old to",
            words::count(&silent),
            if silent == 1 { "does" } else { "do" },
            if silent == 1 { "its" } else { "their" },
        );
    }
    let (class, word, sentence) = if key.name.is_none() {
        let refused = "This control plane does not trust it: what it signs is refused here";
        ("bad", "Not trusted here", format!("{refused}. {said}."))
    } else if executors == 0 {
        ("busy", "Nobody to ask", "There is no executor yet that could say whether it trusts it.".to_owned())
    } else if trusted == executors {
        let all = if executors == 1 {
            "The only executor trusts it".to_owned()
        } else {
            format!("All {all} trust it")
        };
        ("good", "May sign", format!("{all}: what it signs can be installed everywhere."))
    } else if lacked > 0 {
        let refuse = "Do not sign with it before all do: those that do not would refuse the release and stay on what they run";
        ("bad", "Do not sign yet", format!("{said}. {refuse}."))
    } else {
        let unsure =
            "Do not sign with it before all say so, unless you know from elsewhere what the others trust";
        ("warn", "Not known of all", format!("{said}. {unsure}."))
    };
    Verdict { class, word, sentence }
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Refused> {
    let ReleaseKeys { keys, executors, silent } = visitor.get("/release-keys").await?;
    let mut standings = Vec::new();
    for key in keys {
        let lacking = match key.lacked_by {
            0 => Vec::new(),
            _ => {
                let path = format!("/executors?lacksKey={}&limit={MOST_NAMES}", key.id);
                let page: Page<Executor> = visitor.get(&path).await?;
                page.items.into_iter().map(|executor| (executor.id, executor.name)).collect()
            }
        };
        standings.push(Standing { verdict: verdict(&key, executors, silent), key, lacking });
    }
    let layout = visitor.layout("Release keys", Room::Releases).await?.following("/releases/keys");
    Ok(render(&KeysPage { layout, executors, silent, keys: standings }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_sign_once_every_executor_says_it_trusts_it() {
        let key = |name: Option<&str>, trusted_by, lacked_by| ReleaseKey {
            id: "D0907DB088E50BE9".to_owned(),
            name: name.map(str::to_owned),
            trusted_by,
            lacked_by,
            signed_count: 0,
            signed: Vec::new(),
        };
        let ours = Some("a");
        for (key, executors, silent, word, part) in [
            (key(ours, 14, 0), 14, 0, "May sign", "All 14 executors trust it"),
            (key(ours, 1, 0), 1, 0, "May sign", "The only executor trusts it"),
            (
                key(ours, 12, 2),
                14,
                0,
                "Do not sign yet",
                "12 of 14 executors trust it, 2 do not. Do not sign",
            ),
            (key(ours, 12, 1), 14, 1, "Do not sign yet", "1 does not, 1 does not say, because its agent"),
            (key(ours, 12, 0), 14, 2, "Not known of all", "2 do not say, because their agent is too old to"),
            (key(ours, 0, 0), 0, 0, "Nobody to ask", "no executor yet"),
            (key(None, 1, 0), 1, 0, "Not trusted here", "refused here. 1 of 1 executor trusts it"),
        ] {
            let verdict = verdict(&key, executors, silent);
            assert_eq!(verdict.word, word);
            assert!(verdict.sentence.contains(part), "{}", verdict.sentence);
        }
    }
}

//! `/api/v1/upgrades/attention`: the upgrades that need a person, by what they need.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use novacula_protocol::people::{Attention, AttentionUpgrade, Need, WaitCode};
use novacula_protocol::spec::Intent;
use novacula_protocol::{Stage, Status};

use crate::app::App;
use crate::problem::Answer;
use crate::store::Person;
use crate::upgrade::Upgrade;

/// What ended badly is news for so long.
const NEWS: SignedDuration = SignedDuration::from_hours(24);
/// The most that are named.
const NAMED: usize = 20;

pub(crate) async fn show(State(app): State<Arc<App>>, person: Person) -> Answer<Json<Vec<Attention>>> {
    let since = app.clock.now() - NEWS;
    let mut by_need: BTreeMap<Need, Vec<AttentionUpgrade>> = BTreeMap::new();
    for (upgrade, wait) in app.store.attention(person.account_id, since).await? {
        if let Some((need, reason)) = need(&upgrade, wait) {
            by_need.entry(need).or_default().push(named(upgrade, reason));
        }
    }
    let all = by_need.into_iter().map(|(need, mut upgrades)| {
        let count = upgrades.len() as u64;
        upgrades.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| b.upgrade_id.cmp(&a.upgrade_id)));
        upgrades.truncate(NAMED);
        Attention { need, count, upgrades }
    });
    Ok(Json(all.collect()))
}

fn need(upgrade: &Upgrade, wait: Option<(WaitCode, String)>) -> Option<(Need, String)> {
    let shown = &upgrade.shown;
    if let Some((code, message)) = wait {
        let need = match code {
            WaitCode::UpgradePaused => Need::Paused,
            WaitCode::ApprovalWanted => Need::Approval,
            WaitCode::PrerequisitesOpen => Need::Prerequisites,
            WaitCode::StartAwaited => Need::Start,
            WaitCode::NotDue | WaitCode::OlderUpgradePending | WaitCode::Frozen | WaitCode::OutsideWindow => {
                return None;
            }
        };
        return Some((need, message));
    }
    match (shown.stage, shown.intent) {
        (Stage::Failed, _) => Some((Need::Failed, told(upgrade, "it failed"))),
        (Stage::RolledBack, _) => Some((Need::RolledBack, told(upgrade, "it was rolled back"))),
        (Stage::ConfirmStart, _) => None,
        (_, Intent::Pause) if shown.status == Status::Paused => {
            Some((Need::Paused, "a person paused it; continue it".to_owned()))
        }
        // Whoever has been told to complete or to go back needs nobody.
        (Stage::ConfirmCompletion, Intent::Apply) => {
            let target = &shown.target_version;
            Some((Need::Completion, format!("it runs {target}; a person has to complete it or roll it back")))
        }
        _ => None,
    }
}

fn told(upgrade: &Upgrade, else_say: &str) -> String {
    upgrade.shown.error.as_ref().map_or_else(|| else_say.to_owned(), |error| error.message.clone())
}

fn named(upgrade: Upgrade, reason: String) -> AttentionUpgrade {
    let shown = upgrade.shown;
    AttentionUpgrade {
        upgrade_id: shown.id,
        executor_id: shown.executor_id,
        executor_name: shown.executor_name,
        target_version: shown.target_version,
        reason,
        at: shown.ended_at.unwrap_or(shown.created_at),
    }
}

#[cfg(test)]
mod tests;

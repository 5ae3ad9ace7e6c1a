//! What a webhook is told, how it is signed, and when it is told again. Pure, apart from `call` and `dispatch`.

pub(crate) mod call;
pub(crate) mod dispatch;
pub mod signature;

use jiff::{SignedDuration, Timestamp};
use novacula_protocol::people::{Action, Activity, WebhookEvent};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::clock::after_ms;

/// What is waited after each try but the last.
const WAITS_MS: [u64; 7] = [5_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000, DAY_MS];
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long a webhook may do nothing but fail.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(5 * 24);

/// The event that an entry of the activity is, if it is one.
#[must_use]
pub fn event_of(entry: &Activity) -> Option<WebhookEvent> {
    let stage = || entry.after.as_ref().and_then(|after| after["stage"].as_str());
    match entry.action {
        Action::UpgradeStarted => Some(WebhookEvent::UpgradeStarted),
        Action::UpgradeApprovalWanted => Some(WebhookEvent::UpgradeApprovalWanted),
        Action::UpgradeEnded => match stage() {
            Some("COMPLETED") => Some(WebhookEvent::UpgradeCompleted),
            Some("ROLLEDBACK") => Some(WebhookEvent::UpgradeRolledBack),
            Some("FAILED") => Some(WebhookEvent::UpgradeFailed),
            _ => None,
        },
        Action::PlanHalted => Some(WebhookEvent::PlanHalted),
        Action::PlanPaused => Some(WebhookEvent::PlanPaused),
        Action::PlanApprovalWanted => Some(WebhookEvent::PlanApprovalWanted),
        Action::PlanWavePassed => Some(WebhookEvent::PlanWavePassed),
        Action::PlanCompleted => Some(WebhookEvent::PlanCompleted),
        Action::PlanRolledBack => Some(WebhookEvent::PlanRolledBack),
        _ => None,
    }
}

/// What is sent of an entry that is an event.
#[must_use]
pub fn payload(event: WebhookEvent, entry: &Activity) -> String {
    let (id, name, told): (_, _, &[&str]) = match event {
        WebhookEvent::PlanHalted
        | WebhookEvent::PlanPaused
        | WebhookEvent::PlanApprovalWanted
        | WebhookEvent::PlanWavePassed
        | WebhookEvent::PlanCompleted
        | WebhookEvent::PlanRolledBack => ("planId", "planName", &["wave"]),
        WebhookEvent::UpgradeStarted
        | WebhookEvent::UpgradeCompleted
        | WebhookEvent::UpgradeFailed
        | WebhookEvent::UpgradeRolledBack
        | WebhookEvent::UpgradeApprovalWanted
        | WebhookEvent::WebhookTest => (
            "upgradeId",
            "executorName",
            &["executorId", "fromVersion", "targetVersion", "stage", "status", "error"],
        ),
    };
    let mut data = json!({"actor": entry.actor, "reason": entry.reason, "activityId": entry.id});
    data[id] = entry.target.clone().into();
    data[name] = entry.name.clone().into();
    for name in told {
        data[name] = entry.after.as_ref().map_or(json!(null), |after| after[name].clone());
    }
    json!({"type": event, "timestamp": entry.at, "data": data}).to_string()
}

/// What is sent when a person tries a webhook.
#[must_use]
pub fn test_payload(webhook_id: Uuid, actor: &str, at: Timestamp) -> String {
    let data = json!({"webhookId": webhook_id, "actor": actor});
    json!({"type": WebhookEvent::WebhookTest, "timestamp": at, "data": data}).to_string()
}

/// The id of the delivery of an entry to a webhook: always the same, and in the order of time.
#[must_use]
pub fn delivery_id(webhook_id: Uuid, entry: &Activity) -> Uuid {
    let digest = Sha256::digest(format!("{webhook_id}\n{}", entry.hash));
    let mut chance = [0; 10];
    chance.copy_from_slice(&digest[..10]);
    // The upper four of these bits are the version's.
    let [.., high, low] = entry.id.to_be_bytes();
    (chance[0], chance[1]) = (high, low);
    let ms = u64::try_from(entry.at.as_millisecond()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &chance).into_uuid()
}

/// What came of one try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub said: String,
    /// How long the other side asks to wait.
    pub retry_after_ms: Option<u64>,
}

impl Tried {
    /// The other side has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }
}

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it was taken.
    Delivered,
    /// The other side wants to be told nothing ever again.
    Gone,
    /// It is tried again.
    At(Timestamp),
    /// It is not tried again.
    GivenUp,
}

/// What follows from the last of so many tries.
#[must_use]
pub fn next(delivery_id: Uuid, attempts: u32, tried: &Tried, now: Timestamp) -> Next {
    if tried.is_taken() {
        return Next::Delivered;
    }
    if tried.status == Some(410) {
        return Next::Gone;
    }
    let Some(wait) = WAITS_MS.get((attempts as usize).saturating_sub(1)) else { return Next::GivenUp };
    let asked = tried.retry_after_ms.unwrap_or(0).min(DAY_MS);
    let wait = wait.saturating_add(jitter(delivery_id, attempts, wait / 5)).max(asked);
    after_ms(now, wait).map_or(Next::GivenUp, Next::At)
}

/// Spreads those who failed together: up to `most`, by the id, so that it needs no dice.
fn jitter(delivery_id: Uuid, attempts: u32, most: u64) -> u64 {
    let digest = Sha256::digest(format!("{delivery_id}\n{attempts}"));
    let mut number = [0; 8];
    number.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(number) % (most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: Action, after: serde_json::Value) -> Activity {
        Activity {
            id: 7,
            at: "2026-11-21T08:00:00.123Z".parse().unwrap(),
            actor: "executor host-1".into(),
            action,
            target: "u".into(),
            name: "host-1".into(),
            reason: "it ended three times".into(),
            before: None,
            after: Some(after),
            hash: "ab".into(),
        }
    }

    #[test]
    fn the_ends_of_an_upgrade_are_events_by_their_stage() {
        for (action, stage, expected) in [
            (Action::UpgradeStarted, "PREFLIGHT", Some(WebhookEvent::UpgradeStarted)),
            (Action::UpgradeApprovalWanted, "CONFIRM_START", Some(WebhookEvent::UpgradeApprovalWanted)),
            (Action::UpgradeEnded, "COMPLETED", Some(WebhookEvent::UpgradeCompleted)),
            (Action::UpgradeEnded, "FAILED", Some(WebhookEvent::UpgradeFailed)),
            (Action::UpgradeEnded, "ROLLEDBACK", Some(WebhookEvent::UpgradeRolledBack)),
            (Action::UpgradeEnded, "ABANDONED", None),
            (Action::UpgradeRequested, "CONFIRM_START", None),
            (Action::KeyIssued, "COMPLETED", None),
        ] {
            assert_eq!(event_of(&entry(action, json!({"stage": stage}))), expected, "{action} {stage}");
        }
    }

    #[test]
    fn what_happens_to_a_plan_is_told_with_its_wave_and_why() {
        for (action, word) in [
            (Action::PlanHalted, "plan.halted"),
            (Action::PlanPaused, "plan.paused"),
            (Action::PlanApprovalWanted, "plan.approvalWanted"),
            (Action::PlanWavePassed, "plan.wavePassed"),
            (Action::PlanCompleted, "plan.completed"),
            (Action::PlanRolledBack, "plan.rolledBack"),
        ] {
            let told = entry(action, json!({"wave": "canary", "state": "halted"}));
            let event = event_of(&told).unwrap_or_else(|| panic!("{action} is an event"));
            let sent: serde_json::Value = payload(event, &told).parse().unwrap();
            let expected = json!({
                "type": word, "timestamp": "2026-11-21T08:00:00.123Z", "data": {
                    "planId": "u", "planName": "host-1", "wave": "canary", "reason": "it ended three times",
                    "actor": "executor host-1", "activityId": 7,
                },
            });
            assert_eq!(sent, expected);
        }
        for action in [Action::PlanApplied, Action::PlanResumed, Action::PlanApproved, Action::PlanDeleted] {
            assert_eq!(event_of(&entry(action, json!({"wave": null}))), None, "{action}");
        }
        let whole = entry(Action::PlanCompleted, json!({"wave": null}));
        let sent: serde_json::Value = payload(WebhookEvent::PlanCompleted, &whole).parse().unwrap();
        assert_eq!(sent["data"]["wave"], json!(null), "it is there, and it is no wave's");
    }

    #[test]
    fn the_id_of_a_delivery_is_made_of_what_it_tells() {
        let told = entry(Action::UpgradeStarted, json!({}));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = delivery_id(one, &told);
        assert_eq!(id, delivery_id(one, &told));
        assert_ne!(id, delivery_id(two, &told));
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_795_248_000, 123_000_000));
    }

    #[test]
    fn a_failed_try_is_repeated_later_each_time_and_not_for_ever() {
        let (now, id) = (Timestamp::UNIX_EPOCH, Uuid::from_u128(1));
        let failed = Tried { status: Some(500), ..Tried::default() };
        for (attempts, wait_s) in [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3_600), (6, 21_600), (7, 86_400)]
        {
            let Next::At(at) = next(id, attempts, &failed, now) else { panic!("try {attempts} is the last") };
            let waited = at.as_second();
            assert!((wait_s..=wait_s * 6 / 5).contains(&waited), "{attempts}: {waited}");
        }
        assert_eq!(next(id, 8, &failed, now), Next::GivenUp);
        let spread: std::collections::BTreeSet<_> =
            (0..100).map(|n| jitter(Uuid::from_u128(n), 4, 120_000)).collect();
        assert!(spread.len() > 90, "{spread:?}");
    }

    #[test]
    fn only_2xx_is_delivered_and_410_is_for_ever() {
        let (now, id) = (Timestamp::UNIX_EPOCH, Uuid::from_u128(1));
        for (status, expected) in
            [(200, Some(Next::Delivered)), (204, Some(Next::Delivered)), (410, Some(Next::Gone))]
        {
            let tried = Tried { status: Some(status), ..Tried::default() };
            assert_eq!(Some(next(id, 1, &tried, now)), expected, "{status}");
        }
        for status in [None, Some(101), Some(301), Some(307), Some(400), Some(404), Some(429), Some(503)] {
            let tried = Tried { status, ..Tried::default() };
            assert!(matches!(next(id, 1, &tried, now), Next::At(_)), "{status:?}");
        }
    }

    #[test]
    fn who_asks_to_wait_is_heard_up_to_a_day() {
        let (now, id) = (Timestamp::UNIX_EPOCH, Uuid::from_u128(1));
        for (asked_s, least, most) in [(0, 5, 6), (1, 5, 6), (90, 90, 90), (1_000_000, 86_400, 86_400)] {
            let tried =
                Tried { status: Some(503), retry_after_ms: Some(asked_s * 1_000), ..Tried::default() };
            let Next::At(at) = next(id, 1, &tried, now) else { panic!("{asked_s}") };
            assert!((least..=most).contains(&at.as_second()), "{asked_s}: {at}");
        }
    }
}

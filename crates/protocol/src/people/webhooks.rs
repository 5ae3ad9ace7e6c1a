//! Webhooks: who is told of upgrades and plans, signed after the Standard Webhooks specification, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a webhook can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WebhookEvent {
    /// An executor picked its upgrade up.
    #[serde(rename = "upgrade.started")]
    UpgradeStarted,
    /// It runs the target version.
    #[serde(rename = "upgrade.completed")]
    UpgradeCompleted,
    /// It did not, and runs what it ran before.
    #[serde(rename = "upgrade.failed")]
    UpgradeFailed,
    /// It did for a while, and runs again what it ran before.
    #[serde(rename = "upgrade.rolledBack")]
    UpgradeRolledBack,
    /// A person must approve it before it is offered.
    #[serde(rename = "upgrade.approvalWanted")]
    UpgradeApprovalWanted,
    /// A wave of a fleet plan failed, or a person halted the plan: nobody more is started.
    #[serde(rename = "plan.halted")]
    PlanHalted,
    /// Nobody can tell whether a fleet plan may go on.
    #[serde(rename = "plan.paused")]
    PlanPaused,
    /// A fleet plan waits for the approval of a person.
    #[serde(rename = "plan.approvalWanted")]
    PlanApprovalWanted,
    /// A wave of a fleet plan passed its gates.
    #[serde(rename = "plan.wavePassed")]
    PlanWavePassed,
    /// The last wave of a fleet plan passed.
    #[serde(rename = "plan.completed")]
    PlanCompleted,
    /// What a fleet plan did is undone.
    #[serde(rename = "plan.rolledBack")]
    PlanRolledBack,
    /// A person tries the webhook; told to that one alone, and always.
    #[serde(rename = "webhook.test")]
    WebhookTest,
}

impl WebhookEvent {
    /// Those that can be asked for.
    pub const WANTED: [Self; 11] = [
        Self::UpgradeStarted,
        Self::UpgradeCompleted,
        Self::UpgradeFailed,
        Self::UpgradeRolledBack,
        Self::UpgradeApprovalWanted,
        Self::PlanHalted,
        Self::PlanPaused,
        Self::PlanApprovalWanted,
        Self::PlanWavePassed,
        Self::PlanCompleted,
        Self::PlanRolledBack,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpgradeStarted => "upgrade.started",
            Self::UpgradeCompleted => "upgrade.completed",
            Self::UpgradeFailed => "upgrade.failed",
            Self::UpgradeRolledBack => "upgrade.rolledBack",
            Self::UpgradeApprovalWanted => "upgrade.approvalWanted",
            Self::PlanHalted => "plan.halted",
            Self::PlanPaused => "plan.paused",
            Self::PlanApprovalWanted => "plan.approvalWanted",
            Self::PlanWavePassed => "plan.wavePassed",
            Self::PlanCompleted => "plan.completed",
            Self::PlanRolledBack => "plan.rolledBack",
            Self::WebhookTest => "webhook.test",
        }
    }

    /// The event that can be asked for by this word.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        Self::WANTED.into_iter().find(|event| event.as_str() == word)
    }
}

#[cfg(feature = "schema")]
fn wanted(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "items": {"type": "string", "enum": WebhookEvent::WANTED},
        "minItems": 1,
        "uniqueItems": true,
    })
}

#[cfg(feature = "schema")]
fn wanted_or_as_before(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"anyOf": [wanted(generator), {"type": "null"}]})
}

/// `POST /webhooks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookRequest {
    /// Where to; https.
    #[cfg_attr(feature = "schema", schemars(length(min = 8, max = 2048), url))]
    pub url: String,
    /// Of what.
    #[cfg_attr(feature = "schema", schemars(schema_with = "wanted"))]
    pub events: Vec<WebhookEvent>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub description: Option<String>,
}

/// `PATCH /webhooks/{id}`: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookPatch {
    /// Where to; https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 8, max = 2048), url))]
    pub url: Option<String>,
    /// Of what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "wanted_or_as_before"))]
    pub events: Option<Vec<WebhookEvent>>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub description: Option<String>,
    /// Disabled, it is told nothing; what waits for it is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// One webhook. The URL may hold a secret, so only those who administer see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// UUIDv7.
    pub id: String,
    /// Where to.
    pub url: String,
    /// Of what.
    pub events: Vec<WebhookEvent>,
    /// For people.
    pub description: String,
    /// It is told.
    pub enabled: bool,
    /// Why the control plane disabled it.
    pub disabled_reason: Option<String>,
    /// Since when every try has failed.
    pub failing_since: Option<Timestamp>,
    /// Until when what is sent is also signed with the secret before the last rotation.
    pub previous_secret_until: Option<Timestamp>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A webhook with its secret, which is shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct IssuedWebhook {
    /// What it is.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// `nvw_…`, behind it base64: the key of the signatures.
    pub secret: String,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum DeliveryStatus {
    /// It will be tried, or tried again.
    Pending,
    /// It was answered with 2xx.
    Delivered,
    /// It will not be tried again by itself.
    GivenUp,
}

/// One event on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// UUIDv7; the header `webhook-id` of every try.
    pub id: String,
    /// Of what.
    pub event: WebhookEvent,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it happened.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was tried last.
    pub last_attempt_at: Option<Timestamp>,
    /// The HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// The beginning of the last answer, or why there was none.
    pub last_answer: Option<String>,
    /// What is sent, to the byte.
    pub payload: String,
}

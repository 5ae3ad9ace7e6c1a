//! Pure: one executor, what a sync may say, and what of it changes a durable fact.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::people::{self, Presence};
use novacula_protocol::reach::{self, Standpoint};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Held, SyncRequest};
use semver::Version;
use uuid::Uuid;

use crate::labels::Labels;
use crate::said;
use crate::upgrade::Upgrade;

/// One executor as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executor {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// The key it syncs with.
    pub key_id: Uuid,
    /// Grows with every durable change of the executor or its upgrades, so that a late copy is known as one.
    pub revision: u64,
    /// Unique inside the account.
    pub name: String,
    /// Fixed by the first sync.
    pub kind: Kind,
    /// What runs there.
    pub current_version: Version,
    /// What it follows.
    pub channel: Channel,
    /// Rust target triple.
    pub target: String,
    /// What selectors see: [`Self::host_labels`] under [`Self::labels_by_people`].
    pub labels: Labels,
    /// From its config.
    pub host_labels: Labels,
    /// What people say of its labels.
    pub labels_by_people: Labels,
    /// A sysadmin's hold.
    pub held: Option<Held>,
    /// The ids of the release keys that are built into it, in order; `None` where it does not say.
    pub trusted_keys: Option<Arc<[String]>>,
    /// The names of the checks it was asked for and has not answered.
    pub checks: Vec<String>,
    /// Starts of the service since boot; kept with the presence.
    pub restarts: u32,
    /// Its last sync; kept with the presence.
    pub last_seen_at: Timestamp,
    /// Its first sync.
    pub created_at: Timestamp,
}

/// An executor with its upgrade as they stood at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The executor.
    pub executor: Executor,
    /// The open one, else the one that was requested last; the memory of the fleet has only one that is open.
    pub upgrade: Option<Upgrade>,
}

/// What an executor is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    /// The upgrade it is told of.
    pub upgrade: Option<Box<Upgrade>>,
    /// The names of the checks to run.
    pub checks: Vec<String>,
}

impl Asks {
    /// There is nothing to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.upgrade.is_none() && self.checks.is_empty()
    }
}

impl Snapshot {
    /// The upgrade that has not ended.
    #[must_use]
    pub fn open_upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref().filter(|upgrade| upgrade.is_open())
    }

    /// What the answer to a sync is made from.
    #[must_use]
    pub fn asks(&self, now: Timestamp) -> Asks {
        let told = self.open_upgrade().filter(|open| open.is_offered(now));
        Asks { upgrade: told.cloned().map(Box::new), checks: self.executor.checks.clone() }
    }

    /// What people see.
    #[must_use]
    pub fn shown(&self, status: Presence, control_plane: &Version) -> people::Executor {
        let executor = &self.executor;
        people::Executor {
            id: executor.id.to_string(),
            name: executor.name.clone(),
            kind: executor.kind,
            current_version: executor.current_version.clone(),
            channel: executor.channel,
            target: executor.target.clone(),
            labels: executor.labels.to_map(),
            status,
            support: reach::support(&executor.current_version, control_plane),
            held: executor.held.clone(),
            restarts: executor.restarts,
            last_seen_at: executor.last_seen_at,
            created_at: executor.created_at,
            pending_upgrade_id: self.open_upgrade().map(|upgrade| upgrade.shown.id.clone()),
            pending_upgrade: self.open_upgrade().map(|upgrade| people::UpgradeInBrief {
                target_version: upgrade.shown.target_version.clone(),
                direction: upgrade.shown.direction,
                stage: upgrade.shown.stage,
                status: upgrade.shown.status,
                state: upgrade.shown.state,
            }),
            available_upgrades: None,
            available_downgrades: None,
            host_labels: None,
            labels_by_people: None,
            plans: None,
            trusted_keys: None,
        }
    }
}

impl Executor {
    /// The first sync of a name.
    #[must_use]
    pub fn introduced(id: Uuid, account_id: Uuid, key_id: Uuid, said: &SyncRequest, now: Timestamp) -> Self {
        Self {
            id,
            account_id,
            key_id,
            revision: 0,
            name: said.name.clone(),
            kind: said.kind,
            current_version: said.current_version.clone(),
            channel: said.channel,
            target: said.target.clone(),
            labels: Labels::from(&said.labels),
            host_labels: Labels::from(&said.labels),
            labels_by_people: Labels::default(),
            held: said.held.clone(),
            trusted_keys: said.trusted_keys.as_deref().map(Into::into),
            checks: Vec::new(),
            restarts: said.restarts,
            last_seen_at: now,
            created_at: now,
        }
    }

    /// Takes over the durable facts of a sync.
    pub fn hear(&mut self, said: &SyncRequest) {
        self.current_version.clone_from(&said.current_version);
        self.channel = said.channel;
        self.target.clone_from(&said.target);
        self.host_labels = Labels::from(&said.labels);
        self.labels = self.host_labels.under(&self.labels_by_people);
        self.held.clone_from(&said.held);
        self.trusted_keys = said.trusted_keys.as_deref().map(Into::into);
    }

    /// Takes over what a person says of its labels; `None` takes back what people said of one.
    ///
    /// # Errors
    /// One sentence, when there would be too many labels, or one that cannot be meant.
    pub fn label(&mut self, said: &BTreeMap<String, Option<String>>) -> Result<(), String> {
        let mut by_people = self.labels_by_people.to_map();
        for (key, value) in said {
            match value {
                Some(value) => by_people.insert(key.clone(), value.clone()),
                None => by_people.remove(key),
            };
        }
        self.labels_by_people = Labels::from(&by_people);
        self.labels = self.host_labels.under(&self.labels_by_people);
        // A word can be taken back also where its host has come to say too much beside it.
        match said.values().any(Option::is_some) {
            true => said::labels(&by_people).and_then(|()| said::labels(&self.labels.to_map())),
            false => Ok(()),
        }
    }

    /// The sync says nothing new that must be durable, apart from its report and its answers to checks.
    #[must_use]
    pub fn knows(&self, said: &SyncRequest) -> bool {
        self.facts().knows(said)
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            version: &self.current_version,
            channel: self.channel,
            target: &self.target,
            host_labels: &self.host_labels,
            held: self.held.as_ref(),
            trusted_keys: self.trusted_keys.as_deref(),
        }
    }

    /// Where it stands, for the rules of reachability.
    #[must_use]
    pub fn standpoint(&self) -> Standpoint<'_> {
        Standpoint {
            kind: self.kind,
            version: &self.current_version,
            channel: self.channel,
            target: &self.target,
        }
    }
}

/// What an executor says of itself that is durable.
pub struct Facts<'a> {
    /// What runs there.
    pub version: &'a Version,
    /// What it follows.
    pub channel: Channel,
    /// Rust target triple.
    pub target: &'a str,
    /// From its config.
    pub host_labels: &'a Labels,
    /// A sysadmin's hold.
    pub held: Option<&'a Held>,
    /// The ids of the release keys that are built into it.
    pub trusted_keys: Option<&'a [String]>,
}

impl Facts<'_> {
    /// The sync says the same.
    #[must_use]
    pub fn knows(&self, said: &SyncRequest) -> bool {
        *self.version == said.current_version
            && self.channel == said.channel
            && self.target == said.target
            && self.held == said.held.as_ref()
            && self.trusted_keys == said.trusted_keys.as_deref()
            && self.host_labels.are(&said.labels)
    }
}

/// Why a sync or an enrolment is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityRefused {
    /// The key was revoked, or never was one.
    #[error("the key or token is unknown, revoked, expired or used up; ask your administrator for a new one")]
    UnknownKey,
    /// The account of the token only keeps its lists.
    #[error("the account is suspended; its owner knows why")]
    AccountSuspended,
    /// The key belongs to another name.
    #[error(
        "this key belongs to the executor `{bound}`, it cannot be used for `{asked}`; give every executor its own key"
    )]
    KeyBound {
        /// Whose it is.
        bound: String,
        /// Who came with it.
        asked: String,
    },
    /// The name belongs to another live key.
    #[error(
        "the name `{0}` belongs to another key that is still valid; revoke that key first, or choose another name"
    )]
    NameTaken(String),
    /// The kind differs from that of the first sync.
    #[error(
        "`{name}` is an executor of kind {fixed} since its first sync, it cannot become one of kind {said}"
    )]
    KindMismatch {
        /// Whose.
        name: String,
        /// By the first sync.
        fixed: Kind,
        /// By this one.
        said: Kind,
    },
}

/// Who holds a name that somebody claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// No executor has it, and no other live key waits for it.
    Nobody,
    /// The key that claims it.
    Claimant,
    /// A key that was revoked.
    RevokedKey,
    /// A live key whose executor has synced.
    AnotherLiveKey,
    /// A live key that was made for the name, and whose executor has not synced yet.
    AnotherKeyInWaiting,
}

/// May the key, bound to `bound` or to nobody yet, sync as `asked`?
///
/// # Errors
/// `key_bound` or `name_taken`.
pub fn claim_name(bound: Option<&str>, asked: &str, holder: Holder) -> Result<(), IdentityRefused> {
    match (bound, holder) {
        (Some(bound), _) if bound != asked => {
            Err(IdentityRefused::KeyBound { bound: bound.to_owned(), asked: asked.to_owned() })
        }
        (_, Holder::AnotherLiveKey) | (None, Holder::AnotherKeyInWaiting) => {
            Err(IdentityRefused::NameTaken(asked.to_owned()))
        }
        // Two keys were made for one name and neither was used: the first to sync has it.
        (Some(_), Holder::AnotherKeyInWaiting)
        | (_, Holder::Nobody | Holder::Claimant | Holder::RevokedKey) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_people_say_of_a_label_stands_over_what_its_host_says_until_it_is_taken_back() {
        let said = |labels: serde_json::Value| -> SyncRequest {
            let whole = json!({"name": "a", "kind": "agent", "currentVersion": "1.0.0", "target": "t", "labels": labels});
            serde_json::from_value(whole).unwrap()
        };
        let labels = |json: serde_json::Value| -> Labels { serde_json::from_value(json).unwrap() };
        let (host, id) = (said(json!({"ring": "prod", "rack": "1"})), Uuid::nil());
        let mut executor = Executor::introduced(id, id, id, &host, Timestamp::UNIX_EPOCH);
        let label = |executor: &mut Executor, said: serde_json::Value| {
            executor.label(&serde_json::from_value(said).unwrap())
        };
        label(&mut executor, json!({"ring": "canary", "site": "", "gone": null})).unwrap();
        assert_eq!(executor.labels, labels(json!({"ring": "canary", "rack": "1", "site": ""})));
        assert!(executor.knows(&host), "the host says what it said before");
        let changed = said(json!({"ring": "test", "site": "berlin"}));
        assert!(!executor.knows(&changed));
        executor.hear(&changed);
        assert!(executor.knows(&changed));
        assert_eq!(
            executor.labels,
            labels(json!({"ring": "canary", "site": ""})),
            "people still stand over it"
        );
        label(&mut executor, json!({"ring": null, "site": null})).unwrap();
        let of_the_host = Labels::from(&changed.labels);
        assert_eq!((&executor.labels, &executor.host_labels), (&of_the_host, &of_the_host));
        assert!(executor.labels_by_people.is_empty());
    }

    #[test]
    fn a_key_has_one_name_and_a_name_one_live_key() {
        for (sentence, bound, holder, expected) in [
            ("a fresh key takes a free name", None, Holder::Nobody, Ok(())),
            ("a key keeps its name", Some("a"), Holder::Claimant, Ok(())),
            ("a new key takes over from a revoked one", None, Holder::RevokedKey, Ok(())),
            ("a key made for the name takes over too", Some("a"), Holder::RevokedKey, Ok(())),
            ("a bound key cannot change its name", Some("b"), Holder::Nobody, Err("key_bound")),
            ("a live name cannot be taken", None, Holder::AnotherLiveKey, Err("name_taken")),
            ("not even by a key made for it", Some("a"), Holder::AnotherLiveKey, Err("name_taken")),
            ("a name in waiting is not free", None, Holder::AnotherKeyInWaiting, Err("name_taken")),
            ("of two keys made for it, the first has it", Some("a"), Holder::AnotherKeyInWaiting, Ok(())),
        ] {
            let verdict = claim_name(bound, "a", holder).map_err(|refused| match refused {
                IdentityRefused::KeyBound { .. } => "key_bound",
                IdentityRefused::NameTaken(_) => "name_taken",
                _ => "other",
            });
            assert_eq!(verdict, expected, "{sentence}");
        }
    }
}

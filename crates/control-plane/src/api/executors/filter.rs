//! Which executors somebody asks for.

use jiff::Timestamp;
use novacula_protocol::people::{Presence, Selector};
use novacula_protocol::reach;
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Support};
use semver::Version;
use uuid::Uuid;

use crate::app::App;
use crate::executor::Snapshot;
use crate::extract::{ListQuery, word};
use crate::labels::Labels;
use crate::presence::presence;
use crate::problem::{Answer, ApiError};
use crate::said;
use crate::selector;

const KNOWN: &str = "`name`, `search`, `label`, `group`, `version`, `channel`, `kind`, `status`, `support`, `held`, `pending`, `trustsKey` and `lacksKey`";

/// What all of them must have.
#[derive(Default)]
pub(crate) struct Filter {
    name: Option<String>,
    search: Option<String>,
    labels: Vec<(String, String)>,
    group: Option<Selector>,
    version: Option<Version>,
    channel: Option<Channel>,
    kind: Option<Kind>,
    status: Option<Presence>,
    support: Option<Support>,
    held: Option<bool>,
    pending: Option<bool>,
    trusts: Option<String>,
    lacks: Option<String>,
}

impl Filter {
    /// From the query of a list.
    pub(crate) async fn read(app: &App, account_id: Uuid, query: &ListQuery) -> Answer<Self> {
        let (mut filter, mut group) = (Self::default(), None);
        query.each_filter(KNOWN, |name, value| {
            match name {
                "name" => filter.name = Some(value.to_owned()),
                "search" => filter.search = Some(value.to_lowercase()),
                "label" => filter.labels.push(label(value)?),
                "group" => group = Some(value.to_owned()),
                "version" => filter.version = Some(word(name, value, |v| v.parse().ok())?),
                "channel" => filter.channel = Some(word(name, value, Channel::from_wire)?),
                "kind" => filter.kind = Some(word(name, value, Kind::from_wire)?),
                "status" => filter.status = Some(word(name, value, presence_of)?),
                "support" => filter.support = Some(word(name, value, support_of)?),
                "held" => filter.held = Some(word(name, value, |v| v.parse().ok())?),
                "pending" => filter.pending = Some(word(name, value, |v| v.parse().ok())?),
                "trustsKey" => filter.trusts = Some(key_id(value)?),
                "lacksKey" => filter.lacks = Some(key_id(value)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        if let Some(name) = group {
            filter.group = Some(selector_of(app, account_id, name).await?);
        }
        Ok(filter)
    }

    /// Looks at it as it is, before anything is copied.
    pub(crate) fn takes(&self, app: &App, one: &Snapshot, now: Timestamp) -> bool {
        let executor = &one.executor;
        self.kind.is_none_or(|kind| kind == executor.kind)
            && self.channel.is_none_or(|channel| channel == executor.channel)
            && self.held.is_none_or(|held| held == executor.held.is_some())
            && self.pending.is_none_or(|pending| pending == one.open_upgrade().is_some())
            && self.version.as_ref().is_none_or(|version| *version == executor.current_version)
            && self.name.as_ref().is_none_or(|name| *name == executor.name)
            && self.search.as_ref().is_none_or(|part| executor.name.to_lowercase().contains(part))
            && self
                .support
                .is_none_or(|support| support == reach::support(&executor.current_version, &app.version))
            && self.status.is_none_or(|status| {
                status == presence(executor.last_seen_at, now, app.heartbeat_timeout_ms())
            })
            && self.takes_keys(executor.trusted_keys.as_deref())
            && has_all(&self.labels, &executor.labels)
            && self.group.as_ref().is_none_or(|group| selector::takes(group, &executor.labels))
    }

    /// Who does not say which keys it trusts neither trusts one nor lacks it.
    fn takes_keys(&self, trusted: Option<&[String]>) -> bool {
        let has = |id: &String| trusted.map(|keys| keys.contains(id));
        self.trusts.as_ref().is_none_or(|id| has(id) == Some(true))
            && self.lacks.as_ref().is_none_or(|id| has(id) == Some(false))
    }
}

fn key_id(id: &str) -> Answer<String> {
    said::key_id(id).map_err(ApiError::invalid)?;
    Ok(id.to_owned())
}

/// `key=value`
pub(in crate::api) fn label(text: &str) -> Answer<(String, String)> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| ApiError::invalid(format!("`label` must be key=value, it is `{text}`")))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Each of them is there.
pub(in crate::api) fn has_all(wanted: &[(String, String)], labels: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value.as_str()))
}

fn presence_of(word: &str) -> Option<Presence> {
    match word {
        "online" => Some(Presence::Online),
        "offline" => Some(Presence::Offline),
        _ => None,
    }
}

fn support_of(word: &str) -> Option<Support> {
    match word {
        "in-window" => Some(Support::InWindow),
        "deprecated" => Some(Support::Deprecated),
        "out-of-support" => Some(Support::OutOfSupport),
        _ => None,
    }
}

/// A misspelt name of a group would select nobody, which looks like an empty group.
async fn selector_of(app: &App, account_id: Uuid, name: String) -> Answer<Selector> {
    let mut groups = app.store.group_selectors(account_id).await?;
    groups.remove(&name).ok_or_else(|| {
        ApiError::invalid(format!("there is no group called `{name}` here; GET /fleet/groups lists them"))
    })
}

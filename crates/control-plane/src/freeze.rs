//! Pure: times in which no upgrade begins, whatever the windows say.

use jiff::Timestamp;
use novacula_protocol::people::{self, FreezeRequest, Selector};
use uuid::Uuid;

use crate::selector;
use crate::window::zone;

/// One freeze as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account_id: Uuid,
    /// Why.
    pub reason: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// No longer; the instant it was ended, where a person did.
    pub ends_at: Timestamp,
    /// For whom.
    pub selector: Selector,
    /// Where its times are shown.
    pub zone: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Who ended it before its time, and why.
    pub ended: Option<(String, String)>,
}

impl Freeze {
    /// What a person asks for, for a reason, if it can be meant.
    ///
    /// # Errors
    /// One sentence: what was expected, what was found.
    pub fn asked(
        asked: FreezeRequest,
        id: Uuid,
        (account_id, created_by): (Uuid, String),
        now: Timestamp,
    ) -> Result<Self, String> {
        selector::checked(&asked.selector)?;
        let zone = zone::zone(asked.zone.as_deref().unwrap_or("UTC"))?;
        let starts_at = asked.starts_at.unwrap_or(now);
        if asked.ends_at <= starts_at || asked.ends_at <= now {
            let after = starts_at.max(now);
            return Err(format!(
                "`endsAt` must lie after `startsAt` and in the future, that is after {after}, it is {}",
                asked.ends_at
            ));
        }
        Ok(Self {
            id,
            account_id,
            reason: asked.reason,
            starts_at,
            ends_at: asked.ends_at,
            selector: asked.selector,
            zone: zone::name(&zone),
            created_by,
            created_at: now,
            ended: None,
        })
    }

    /// Nothing begins now.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// What people see.
    #[must_use]
    pub fn shown(&self, now: Timestamp) -> people::Freeze {
        let zone = zone::zone(&self.zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let (ended_by, end_reason) = self.ended.clone().unzip();
        people::Freeze {
            id: self.id.to_string(),
            reason: self.reason.clone(),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            starts_at_local: zone::local(&zone, self.starts_at),
            ends_at_local: zone::local(&zone, self.ends_at),
            zone: zone::name(&zone),
            selector: self.selector.clone(),
            is_in_force: self.is_in_force(now),
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            ended_by,
            end_reason,
        }
    }
}

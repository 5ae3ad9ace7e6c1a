//! Whose turn it is, of several control planes on one database, to do what happens by the clock alone. Nobody leads: a
//! turn is over when its holder does not say so again, and then whoever comes first has it.

use jiff::Timestamp;
use uuid::Uuid;

use super::sql::{OptionalExtension, params};
use super::{Store, StoreError};

/// What is done by one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Upgrades, batches and plans are taken further.
    Tick,
    /// Webhooks are called.
    Webhooks,
    /// The probes of gates are asked.
    Gates,
    /// What is counted as it happens is counted anew.
    Recount,
}

impl Work {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Webhooks => "webhooks",
            Self::Gates => "gates",
            Self::Recount => "recount",
        }
    }

    /// How long a turn is, unless it is said again. Whoever counts anew comes back to it every ten minutes only.
    fn length_ms(self) -> i64 {
        match self {
            Self::Tick | Self::Webhooks | Self::Gates => 10_000,
            Self::Recount => 15 * 60_000,
        }
    }
}

impl Store {
    /// Whether it is the turn of this control plane. On a file it always is.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn has_turn(&self, work: Work, now: Timestamp) -> Result<bool, StoreError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let known: Option<(String, i64)> = self
            .read(move |sql| {
                sql.prepare_cached("SELECT holder, until FROM turns WHERE work = ?1")?
                    .query_row(params![work.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .await?;
        let me = self.id.to_string();
        let left_ms = known.as_ref().map_or(0, |(_, until)| until - now.as_millisecond());
        match known {
            Some((holder, _)) if holder == me && left_ms > work.length_ms() / 2 => return Ok(true),
            // A clock that was set back would hold a turn for ever.
            Some((holder, _)) if holder != me && left_ms > 0 && left_ms <= work.length_ms() => {
                return Ok(false);
            }
            _ => {}
        }
        self.take_turn(work, now).await
    }

    async fn take_turn(&self, work: Work, now: Timestamp) -> Result<bool, StoreError> {
        let (me, now) = (self.id.to_string(), now.as_millisecond());
        self.write(move |sql| {
            let taken = sql
                .prepare_cached(
                    "INSERT INTO turns (work, holder, until) VALUES (?1, ?2, ?3)
                     ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, until = excluded.until
                     WHERE turns.holder = excluded.holder OR turns.until <= ?4 OR turns.until > excluded.until",
                )?
                .execute(params![work.as_str(), me, now + work.length_ms(), now])?;
            Ok(taken > 0)
        })
        .await
    }

    /// Gives back whatever turns this control plane has: it ends.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn end_turns(&self) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let me: Uuid = self.id;
        self.write(move |sql| {
            sql.execute("DELETE FROM turns WHERE holder = ?1", params![me.to_string()]).map(|_| ())
        })
        .await
    }
}

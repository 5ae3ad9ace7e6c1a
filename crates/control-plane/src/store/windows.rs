//! Maintenance windows. Whatever changes one answers with the calendar as it is after the change.

use jiff::Timestamp;
use novacula_protocol::people::{Action, WindowPatch, WindowRequest};
use serde_json::Value;
use uuid::Uuid;

use super::activity::{Deed, append};
use super::column::{Count, Json, Time, Word};
use super::sql::{Connection, OptionalExtension, Row, params};
use super::{Person, Sql, Store, StoreError, freezes, named};
use crate::calendar::Entries;
use crate::window::Window;

/// So many an account may have: all of them are looked at for every upgrade that waits.
const MOST: u32 = 200;

/// Why a window is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowRefused {
    /// The account has no such window.
    #[error("there is no such window")]
    NotFound,
    /// Two would be hard to tell apart.
    #[error("the account has a window called `{0}` already; choose another name, or change that one")]
    NameTaken(String),
    /// Enough.
    #[error("the account has {MOST} windows, which is the most; delete one first")]
    TooMany,
    /// It cannot be meant.
    #[error("{0}")]
    Invalid(String),
}

impl Store {
    /// Windows of an account, newest first, from below `before`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn windows(
        &self,
        account_id: Uuid,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Window>, StoreError> {
        self.newest("windows", window_of, account_id, (before, limit)).await
    }

    /// One window of an account.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn window(&self, account_id: Uuid, id: Uuid) -> Result<Option<Window>, StoreError> {
        self.read(move |sql| by_id(sql, account_id, id)).await
    }

    /// Keeps a new window.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn add_window(
        &self,
        by: Person,
        window: Window,
    ) -> Result<Result<(Window, Entries), WindowRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            if named::count(sql, "windows", window.account_id)? >= MOST {
                return Ok(Err(WindowRefused::TooMany));
            }
            if has_name(sql, &window)? {
                return Ok(Err(WindowRefused::NameTaken(window.name)));
            }
            insert(sql, &window)?;
            note(sql, &by, Action::WindowCreated, (None, Some(&window)), window.created_at)?;
            let entries = entries(sql, window.created_at)?;
            Ok(Ok((window, entries)))
        })
        .await
    }

    /// Changes a window as far as the patch says.
    ///
    /// # Errors
    /// When the store does not answer; inside, when it is refused.
    pub async fn patch_window(
        &self,
        by: Person,
        id: Uuid,
        patch: WindowPatch,
        now: Timestamp,
    ) -> Result<Result<(Window, Entries), WindowRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(WindowRefused::NotFound)) };
            let mut window = known.clone();
            let asked = WindowRequest {
                name: patch.name.unwrap_or(window.name.clone()),
                selector: patch.selector.unwrap_or(window.selector.clone()),
                cron: patch.cron.unwrap_or(window.cron.clone()),
                duration_ms: patch.duration_ms.unwrap_or(window.duration_ms),
                zone: patch.zone.unwrap_or(window.zone.clone()),
            };
            if let Err(sentence) = window.set(asked, now) {
                return Ok(Err(WindowRefused::Invalid(sentence)));
            }
            if has_name(sql, &window)? {
                return Ok(Err(WindowRefused::NameTaken(window.name)));
            }
            if window != known {
                update(sql, &window)?;
                note(sql, &by, Action::WindowChanged, (Some(&known), Some(&window)), now)?;
            }
            let entries = entries(sql, now)?;
            Ok(Ok((window, entries)))
        })
        .await
    }

    /// Removes a window.
    ///
    /// # Errors
    /// When the store does not answer; inside, when there is none.
    pub async fn delete_window(
        &self,
        by: Person,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Result<((), Entries), WindowRefused>, StoreError> {
        self.write_or_refuse(move |sql| {
            let Some(known) = by_id(sql, by.account_id, id)? else { return Ok(Err(WindowRefused::NotFound)) };
            sql.prepare_cached("DELETE FROM windows WHERE id = ?1")?.execute(params![Word(&id)])?;
            note(sql, &by, Action::WindowDeleted, (Some(&known), None), now)?;
            Ok(Ok(((), entries(sql, now)?)))
        })
        .await
    }

    /// The calendar as it stands.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn calendar(&self, now: Timestamp) -> Result<Entries, StoreError> {
        self.read(move |sql| entries(sql, now)).await
    }
}

/// All windows and all freezes that are not over, of all accounts. The database counts every change of them: the count,
/// read before them, tells a late copy from a new one.
pub(super) fn entries(sql: &Connection, now: Timestamp) -> Sql<Entries> {
    let Count(revision) =
        sql.prepare_cached("SELECT revision FROM calendar_revision")?.query_row([], |row| row.get(0))?;
    let windows =
        sql.prepare_cached("SELECT * FROM windows")?.query_map([], window_of)?.collect::<Sql<_>>()?;
    Ok(Entries { revision, windows, freezes: freezes::ahead(sql, now)? })
}

/// Another window of the account has this one's name.
fn has_name(sql: &Connection, window: &Window) -> Sql<bool> {
    named::is_taken(sql, "windows", window.account_id, (&window.name, window.id))
}

fn insert(sql: &Connection, window: &Window) -> Sql<()> {
    sql.prepare_cached(
        "INSERT INTO windows (id, account_id, name, selector, cron, duration_ms, zone, created_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        Word(&window.id),
        Word(&window.account_id),
        window.name,
        Json(&window.selector),
        window.cron,
        Count(window.duration_ms),
        window.zone,
        window.created_by,
        Time(window.created_at),
    ])?;
    Ok(())
}

fn update(sql: &Connection, window: &Window) -> Sql<()> {
    sql.prepare_cached(
        "UPDATE windows SET name = ?2, selector = ?3, cron = ?4, duration_ms = ?5, zone = ?6 WHERE id = ?1",
    )?
    .execute(params![
        Word(&window.id),
        window.name,
        Json(&window.selector),
        window.cron,
        Count(window.duration_ms),
        window.zone,
    ])?;
    Ok(())
}

fn note(
    sql: &Connection,
    by: &Person,
    action: Action,
    (before, after): (Option<&Window>, Option<&Window>),
    now: Timestamp,
) -> Sql<()> {
    let Some(window) = after.or(before) else { return Ok(()) };
    let (target, before, after) = (window.id.to_string(), before.map(json), after.map(json));
    let deed = Deed::by(&by.name, by.account_id, now, action);
    append(sql, Deed { target: &target, name: &window.name, before, after, ..deed })
}

fn json(window: &Window) -> Value {
    serde_json::json!({
        "name": window.name, "selector": window.selector, "cron": window.cron, "durationMs": window.duration_ms,
        "zone": window.zone,
    })
}

fn by_id(sql: &Connection, account_id: Uuid, id: Uuid) -> Sql<Option<Window>> {
    sql.prepare_cached("SELECT * FROM windows WHERE id = ?1 AND account_id = ?2")?
        .query_row(params![Word(&id), Word(&account_id)], window_of)
        .optional()
}

fn window_of(row: &Row<'_>) -> Sql<Window> {
    Ok(Window {
        id: row.get::<_, Word<_>>("id")?.0,
        account_id: row.get::<_, Word<_>>("account_id")?.0,
        name: row.get("name")?,
        selector: row.get::<_, Json<_>>("selector")?.0,
        cron: row.get("cron")?,
        duration_ms: row.get::<_, Count>("duration_ms")?.0,
        zone: row.get("zone")?,
        created_by: row.get("created_by")?,
        created_at: row.get::<_, Time>("created_at")?.0,
    })
}

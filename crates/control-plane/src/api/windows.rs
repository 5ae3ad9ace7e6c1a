//! `/api/v1/windows`: when upgrades may begin.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use novacula_protocol::people::{self, ExecutorWindows, Page, WindowPatch, WindowRequest};
use uuid::Uuid;

use crate::app::App;
use crate::calendar::{Entries, named};
use crate::extract::{Body, Id, ListQuery};
use crate::problem::{Answer, ApiError};
use crate::store::{Person, StoreError, WindowRefused};
use crate::window::{self, Window};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    person: Person,
    query: ListQuery,
) -> Answer<Json<Page<people::Window>>> {
    query.each_filter("none", |_, _| Ok(false))?;
    let windows = app.store.windows(person.account_id, query.cursor_id()?, query.limit + 1).await?;
    let page = query.page(windows.into_iter(), |window| window.id.to_string());
    let now = app.clock.now();
    let items = page.items.iter().map(|window| shown(window, now)).collect();
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<people::Window>> {
    let found = app.store.window(person.account_id, id).await?.ok_or(WindowRefused::NotFound)?;
    Ok(Json(shown(&found, app.clock.now())))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<WindowRequest>,
) -> Answer<(StatusCode, Json<people::Window>)> {
    let window = read(asked, app.clock.new_id(), &person, app.clock.now())?;
    let store = app.store.clone();
    let kept = changed(&app, async move { store.add_window(person, window).await }).await?;
    Ok((StatusCode::CREATED, Json(shown(&kept, app.clock.now()))))
}

/// What it would come to; nothing is kept.
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    person: Person,
    Body(asked): Body<WindowRequest>,
) -> Answer<Json<people::Window>> {
    let now = app.clock.now();
    Ok(Json(shown(&read(asked, Uuid::nil(), &person, now)?, now)))
}

pub(crate) async fn patch(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
    Body(patch): Body<WindowPatch>,
) -> Answer<Json<people::Window>> {
    let (store, now) = (app.store.clone(), app.clock.now());
    let kept = changed(&app, async move { store.patch_window(person, id, patch, now).await }).await?;
    Ok(Json(shown(&kept, now)))
}

pub(crate) async fn delete(State(app): State<Arc<App>>, person: Person, Id(id): Id) -> Answer<StatusCode> {
    let (store, now) = (app.store.clone(), app.clock.now());
    changed(&app, async move { store.delete_window(person, id, now).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What applies to one executor.
pub(crate) async fn of_executor(
    State(app): State<Arc<App>>,
    person: Person,
    Id(id): Id,
) -> Answer<Json<ExecutorWindows>> {
    let account_id = person.account_id;
    let snapshot = app.fleet.executor(account_id, id).ok_or_else(|| ApiError::not_found("executor"))?;
    let (labels, now, calendar) = (&snapshot.executor.labels, app.clock.now(), app.calendar.read());
    let windows = calendar.windows(account_id, labels);
    let (named, freezes) = (named(&windows), calendar.freezes(account_id, labels, now));
    let stop = calendar.stops(account_id, labels, now);
    let freezing = freezes.iter().map(|freeze| freeze.starts_at).min();
    let closing = window::closes_at(&named, now);
    Ok(Json(ExecutorWindows {
        is_open: stop.is_none(),
        closes_at: stop.is_none().then(|| closing.into_iter().chain(freezing).min()).flatten(),
        reason: stop.map(|stop| stop.to_string()),
        next: window::next(&named, now, window::SHOWN),
        windows: windows.iter().map(|(window, schedule)| window.shown(*schedule, now)).collect(),
        freezes: freezes.into_iter().map(|freeze| freeze.shown(now)).collect(),
    }))
}

fn read(asked: WindowRequest, id: Uuid, by: &Person, now: Timestamp) -> Answer<Window> {
    let mut window = Window {
        id,
        account_id: by.account_id,
        name: String::new(),
        selector: asked.selector.clone(),
        cron: String::new(),
        duration_ms: 0,
        zone: String::new(),
        created_by: by.name.clone(),
        created_at: now,
    };
    window.set(asked, now).map_err(ApiError::invalid)?;
    Ok(window)
}

fn shown(window: &Window, now: Timestamp) -> people::Window {
    window.shown(window.schedule(now).ok().as_ref(), now)
}

/// Makes a change, and the calendar follow it. Once the store has it, the calendar must follow even when the caller
/// hangs up.
pub(super) async fn changed<T, R>(
    app: &Arc<App>,
    change: impl Future<Output = Result<Result<(T, Entries), R>, StoreError>> + Send + 'static,
) -> Answer<T>
where
    T: Send + 'static,
    R: Send + 'static,
    ApiError: From<R>,
{
    let keeper = Arc::clone(app);
    let following = async move {
        let done = change.await?;
        Ok::<_, StoreError>(done.map(|(kept, entries)| {
            keeper.calendar.replace(entries, keeper.clock.now());
            kept
        }))
    };
    Ok(tokio::spawn(following).await.map_err(ApiError::internal)???)
}

impl From<WindowRefused> for ApiError {
    fn from(refused: WindowRefused) -> Self {
        let message = refused.to_string();
        match refused {
            WindowRefused::NotFound => Self::not_found("window"),
            WindowRefused::NameTaken(_) => Self::conflict("name_taken", message),
            WindowRefused::TooMany => Self::conflict("too_many", message),
            WindowRefused::Invalid(sentence) => Self::invalid(sentence),
        }
    }
}

#[cfg(test)]
mod tests;

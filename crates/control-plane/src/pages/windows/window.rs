//! A maintenance window: made and changed, each with a look at when it would open before it is kept.

use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Opening, Selector, Window, WindowPatch, WindowRequest};
use serde_json::Value;
use uuid::Uuid;

use super::{HERE, clock, selector, selector_field, zone_field};
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::refused::Refused;
use crate::pages::rules::Id;
use crate::pages::rules::ask::Ask;
use crate::pages::rules::field::Field;
use crate::pages::visitor::{Visitor, to};
use crate::pages::words::{span, to_the_minute};
use crate::right::Right;

const MINUTE_MS: u64 = 60_000;
const SHOW: &str = "Show when it opens";

async fn form_of(
    visitor: &Visitor,
    title: &str,
    action: String,
    known: Option<&Window>,
) -> Result<Ask, Refused> {
    let ask = Ask::new(visitor, Right::Administer, Room::Windows, title, action).await?;
    let name = Field::line("name", "Name").value(known.map_or("", |it| &it.name)).needed();
    let cron = Field::line("cron", "Opens").value(known.map_or("", |it| &it.cron)).needed();
    let cron = cron
        .hint("Minute, hour, day of the month, month, day of the week: “0 2 * * 6” is Saturdays at 2:00.");
    let minutes = known.map_or(120, |it| it.duration_ms / MINUTE_MS).to_string();
    let duration = Field::number("minutes", "Minutes it stays open").value(minutes).needed();
    let ask = ask
        .says("Upgrades of these executors begin only while a window is open. Executors that no window takes are always open.")
        .field(name)
        .field(cron)
        .field(duration)
        .field(zone_field(known.map_or("UTC", |it| &it.zone), "Summer time is followed.").needed())
        .button(SHOW);
    Ok(match kept_selector(known) {
        Some(_) => ask.says("Its selector cannot be written in one line and stays as it is."),
        None => ask.field(selector_field(&known.map(|it| it.selector.clone()).unwrap_or_default())),
    })
}

/// A selector that would not come back from a field as it went in.
fn kept_selector(known: Option<&Window>) -> Option<Selector> {
    let selector = &known?.selector;
    let is_written =
        *selector == Selector::default() || selector.to_string().parse().as_ref() == Ok(selector);
    (!is_written).then(|| selector.clone())
}

fn asked(form: &Form, known: Option<&Window>) -> Result<WindowRequest, Refused> {
    let minutes: u64 = form.needed("minutes", "The number of minutes")?;
    Ok(WindowRequest {
        name: form.needed("name", "The name")?,
        selector: kept_selector(known).map_or_else(|| selector(form), Ok)?,
        cron: form.needed("cron", "When it opens")?,
        duration_ms: minutes.saturating_mul(MINUTE_MS),
        zone: form.needed("zone", "The time zone")?,
    })
}

/// What was looked at last, so that only that is kept.
fn as_looked_at(asked: &WindowRequest) -> String {
    serde_json::to_string(asked).unwrap_or_default()
}

/// Shows when it would open, until somebody keeps exactly what was shown.
async fn looked_at(
    visitor: &Visitor,
    asked: &WindowRequest,
    ask: Ask,
    form: &Form,
) -> Result<Response, Refused> {
    match visitor.change::<Window>(form, Method::POST, "/windows/preview", asked).await {
        Ok(preview) => {
            let ask = ask.typed(form).shows("It would open", openings(&preview));
            let ask = ask.field(Field::kept("looked-at", as_looked_at(asked)));
            Ok(ask.other_button("keep", "Keep it").show())
        }
        Err(refused) => Ok(ask.again(refused, form)),
    }
}

fn is_kept(asked: &WindowRequest, form: &Form) -> bool {
    form.text("do") == Some("keep") && form.text("looked-at") == Some(as_looked_at(asked).trim())
}

fn openings(window: &Window) -> Vec<String> {
    let said = |at: &Opening| {
        let (from, until) = (clock(&at.opens_at_local), clock(&at.closes_at_local));
        format!(
            "{from} to {until}, which is {} for {}",
            to_the_minute(&at.opens_at),
            span(&window.duration_ms)
        )
    };
    match window.next.as_slice() {
        [] => vec!["Never, as far as can be seen.".to_owned()],
        next => next.iter().map(said).collect(),
    }
}

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    form_of(visitor, "New window", "/windows/new".to_owned(), None).await
}

pub(super) async fn ask_new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

pub(super) async fn new(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let asked = match asked(&form, None) {
        Ok(asked) if !is_kept(&asked, &form) => return looked_at(&visitor, &asked, ask, &form).await,
        Ok(asked) => asked,
        Err(refused) => return Ok(ask.again(refused, &form)),
    };
    let done = visitor.act(&form, Method::POST, "/windows", &asked).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

async fn form_of_change(visitor: &Visitor, id: Uuid) -> Result<(Window, Ask), Refused> {
    let known: Window = visitor.get(&format!("/windows/{id}")).await?;
    let title = format!("Change {}", known.name);
    let ask = form_of(visitor, &title, format!("/windows/{id}/change"), Some(&known)).await?;
    Ok((known, ask))
}

pub(super) async fn ask_change(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_change(&visitor, id).await?.1.show())
}

pub(super) async fn change(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let (known, ask) = form_of_change(&visitor, id).await?;
    let asked = match asked(&form, Some(&known)) {
        Ok(asked) if !is_kept(&asked, &form) => return looked_at(&visitor, &asked, ask, &form).await,
        Ok(asked) => asked,
        Err(refused) => return Ok(ask.again(refused, &form)),
    };
    let patch = WindowPatch {
        name: Some(asked.name),
        selector: Some(asked.selector),
        cron: Some(asked.cron),
        duration_ms: Some(asked.duration_ms),
        zone: Some(asked.zone),
    };
    let done = visitor.act(&form, Method::PATCH, &format!("/windows/{id}"), &patch).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

async fn form_of_delete(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let known: Window = visitor.get(&format!("/windows/{id}")).await?;
    let (title, action) = (format!("Delete {}", known.name), format!("/windows/{id}/delete"));
    let ask = Ask::new(visitor, Right::Administer, Room::Windows, &title, action).await?;
    Ok(ask.grave().says("Executors that no other window takes are always open from then on: their upgrades may begin at once."))
}

pub(super) async fn ask_delete(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_delete(&visitor, id).await?.show())
}

pub(super) async fn delete(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_delete(&visitor, id).await?;
    let done = visitor.act(&form, Method::DELETE, &format!("/windows/{id}"), &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

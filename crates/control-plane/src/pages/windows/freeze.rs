//! A freeze: made, ended before its time, deleted.

use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{Freeze, FreezeRequest, WithReason};
use serde_json::Value;
use uuid::Uuid;

use super::{HERE, selector, selector_field, zone_field};
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::refused::Refused;
use crate::pages::rules::Id;
use crate::pages::rules::ask::Ask;
use crate::pages::rules::field::Field;
use crate::pages::visitor::{Visitor, to};
use crate::pages::words::to_the_minute;
use crate::right::Right;

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let title = "New freeze";
    let ask = Ask::new(visitor, Right::Administer, Room::Windows, title, "/windows/freezes/new").await?;
    let why = Field::lines("reason", "Why").hint("Whoever waits reads it, and it is kept in the activity.");
    Ok(ask
        .says(
            "In a freeze no upgrade begins, whatever the windows say. What is under way goes on to its end.",
        )
        .field(why.needed())
        .field(Field::time("starts", "From").hint("Empty: from now on."))
        .field(Field::time("ends", "Until").needed())
        .field(selector_field(&novacula_protocol::people::Selector::default()))
        .field(zone_field("UTC", "Only for how its times are shown; above they are in UTC.")))
}

pub(super) async fn ask_new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

pub(super) async fn new(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let done = made(&visitor, &form).await;
    Ok(ask.or_again(done, &form))
}

async fn made(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let ends_at = form.time("ends", "The end")?;
    let asked = FreezeRequest {
        reason: form.owned("reason").unwrap_or_default(),
        starts_at: form.time("starts", "The beginning")?,
        ends_at: ends_at.ok_or_else(|| Refused::invalid("the end must be filled in"))?,
        selector: selector(form)?,
        zone: form.owned("zone"),
    };
    visitor.act(form, Method::POST, "/freezes", &asked).await?;
    Ok(to(HERE))
}

async fn form_of_end(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let known: Freeze = visitor.get(&format!("/freezes/{id}")).await?;
    let action = format!("/windows/freezes/{id}/end");
    let ask = Ask::new(visitor, Right::Administer, Room::Windows, "End the freeze", action).await?;
    let means = format!(
        "It was to end at {}. From now on upgrades begin as the windows allow.",
        to_the_minute(&known.ends_at)
    );
    Ok(ask.says(means).field(Field::reason().needed()))
}

pub(super) async fn ask_end(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_end(&visitor, id).await?.show())
}

pub(super) async fn end(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_end(&visitor, id).await?;
    let asked = WithReason { reason: form.owned("reason").unwrap_or_default() };
    let done = visitor.act(&form, Method::POST, &format!("/freezes/{id}/end"), &asked).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

async fn form_of_delete(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let known: Freeze = visitor.get(&format!("/freezes/{id}")).await?;
    let action = format!("/windows/freezes/{id}/delete");
    let ask = Ask::new(visitor, Right::Administer, Room::Windows, "Delete the freeze", action).await?;
    let (from, until) = (to_the_minute(&known.starts_at), to_the_minute(&known.ends_at));
    Ok(ask.grave().says(format!("It is from {from} to {until}. The activity keeps that it was there.")))
}

pub(super) async fn ask_delete(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_delete(&visitor, id).await?.show())
}

pub(super) async fn delete(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_delete(&visitor, id).await?;
    let done = visitor.act(&form, Method::DELETE, &format!("/freezes/{id}"), &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

//! A key of one executor: made, rotated, revoked.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use novacula_protocol::people::{ExecutorKeyRequest, ExecutorKeyRotation, IssuedSecret, RotatedKey};
use serde_json::Value;
use uuid::Uuid;

use super::{HERE, config};
use crate::pages::Console;
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::refused::Refused;
use crate::pages::rules::Id;
use crate::pages::rules::ask::Ask;
use crate::pages::rules::field::Field;
use crate::pages::rules::secret::SecretPage;
use crate::pages::visitor::{Visitor, to};
use crate::pages::words::{query, to_the_minute};
use crate::right::Right;

const HOUR_MS: u64 = 3_600_000;

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let ask = Ask::new(visitor, Right::Administer, Room::Keys, "New key", "/keys/new").await?;
    let name =
        Field::line("name", "Executor").hint("Empty: it belongs to the first name that syncs with it.");
    let end = Field::time("expires", "Ends").hint(
        "Empty: never. An executor whose key has ended is out of reach until somebody goes to its host.",
    );
    Ok(ask.says("A key belongs to one executor. It is shown once.").field(name).field(end))
}

pub(super) async fn ask_new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

pub(super) async fn new(
    visitor: Visitor,
    State(console): State<Console>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let url = config::address(&console.app.rules, &headers);
    let done = made(&visitor, &ask, &form, &url).await;
    Ok(ask.or_again(done, &form))
}

async fn made(visitor: &Visitor, ask: &Ask, form: &Form, url: &str) -> Result<Response, Refused> {
    let expires_at = form.time("expires", "The end")?;
    let asked = ExecutorKeyRequest { name: form.owned("name"), expires_at };
    let issued: IssuedSecret = visitor.change(form, Method::POST, "/executor-keys", &asked).await?;
    let lines = config::lines(form.text("name"), url, &issued.secret);
    let layout = SecretPage::frame(ask, "A new key");
    let page = SecretPage { layout, called: "Key", secret: issued.secret, says: Vec::new(), lines };
    Ok(page.show())
}

async fn form_of_rotate(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let action = format!("/keys/{id}/rotate");
    let ask = Ask::new(visitor, Right::Administer, Room::Keys, "Rotate the key", action).await?;
    let overlap = Field::number("overlap", "Hours in which the old secret goes on working").value("24");
    let end = Field::time("expires", "The new secret ends").hint("Empty: when the old one would have ended.");
    Ok(ask
        .says("The key gets a new secret, shown once. Bring it to the host before the old one stops working.")
        .field(overlap.hint("0 ends it at once; at most 720.").needed())
        .field(end))
}

pub(super) async fn ask_rotate(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_rotate(&visitor, id).await?.show())
}

pub(super) async fn rotate(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_rotate(&visitor, id).await?;
    let done = rotated(&visitor, &ask, id, &form).await;
    Ok(ask.or_again(done, &form))
}

async fn rotated(visitor: &Visitor, ask: &Ask, id: Uuid, form: &Form) -> Result<Response, Refused> {
    let hours: u64 = form.needed("overlap", "The number of hours")?;
    let expires_at = form.time("expires", "The end")?;
    let asked = ExecutorKeyRotation { overlap_ms: Some(hours.saturating_mul(HOUR_MS)), expires_at };
    let path = format!("/executor-keys/{id}/rotate");
    let rotated: RotatedKey = visitor.change(form, Method::POST, &path, &asked).await?;
    let until = match rotated.previous_until {
        Some(at) => format!("The old secret works until {}.", to_the_minute(&at)),
        None => "The old secret has stopped working.".to_owned(),
    };
    let layout = SecretPage::frame(ask, "The new secret of the key");
    let lines = config::replaced(&rotated.secret);
    Ok(SecretPage { layout, called: "Key", secret: rotated.secret, says: vec![until], lines }.show())
}

async fn form_of_revoke(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let action = format!("/keys/{id}/revoke");
    let ask = Ask::new(visitor, Right::Administer, Room::Keys, "Revoke the key", action).await?;
    let means = "It stops working now, and for good. Its executor goes on running what it runs, and is heard no more until \
                 it gets another key.";
    Ok(ask.grave().says(means).field(Field::reason()))
}

pub(super) async fn ask_revoke(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_revoke(&visitor, id).await?.show())
}

pub(super) async fn revoke(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_revoke(&visitor, id).await?;
    let path =
        format!("/executor-keys/{id}?{}", query([("reason", form.text("reason").unwrap_or_default())]));
    let done = visitor.act(&form, Method::DELETE, &path, &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

//! An enrolment token: made, and revoked.

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use jiff::SignedDuration;
use novacula_protocol::people::{EnrolmentTokenRequest, IssuedSecret};
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
use crate::pages::words::{as_field, counted, query, to_the_minute};
use crate::right::Right;

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let title = "New enrolment token";
    let ask = Ask::new(visitor, Right::Administer, Room::Keys, title, "/keys/tokens/new").await?;
    let uses = Field::number("uses", "How many hosts may use it").value("1").needed();
    let end = Field::time("expires", "Ends").value(as_field(&(visitor.now + DAY))).needed();
    Ok(ask
        .says("For an image or a script: each host exchanges it for a key of its own at its first start.")
        .field(uses)
        .field(end.hint("The keys that it was exchanged for live on.")))
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
    let max_uses: u32 = form.needed("uses", "The number of hosts")?;
    let expires_at = form.time("expires", "The end")?;
    let expires_at = expires_at.ok_or_else(|| Refused::invalid("the end must be filled in"))?;
    let asked = EnrolmentTokenRequest { max_uses, expires_at };
    let issued: IssuedSecret = visitor.change(form, Method::POST, "/enrolment-tokens", &asked).await?;
    let hosts = counted(&u64::from(max_uses), "host", "hosts");
    let says = vec![
        format!("{hosts} can use it until {}.", to_the_minute(&expires_at)),
        "Each host is known by its own host name, so the file has no name in it.".to_owned(),
    ];
    let lines = config::lines(None, url, &issued.secret);
    let layout = SecretPage::frame(ask, "A new enrolment token");
    Ok(SecretPage { layout, called: "Enrolment token", secret: issued.secret, says, lines }.show())
}

async fn form_of_revoke(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let action = format!("/keys/tokens/{id}/revoke");
    let ask = Ask::new(visitor, Right::Administer, Room::Keys, "Revoke the enrolment token", action).await?;
    let means = "No host can use it any more. The keys that it was exchanged for live on.";
    Ok(ask.grave().says(means).field(Field::reason()))
}

pub(super) async fn ask_revoke(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_revoke(&visitor, id).await?.show())
}

pub(super) async fn revoke(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_revoke(&visitor, id).await?;
    let reason = query([("reason", form.text("reason").unwrap_or_default())]);
    let path = format!("/enrolment-tokens/{id}?{reason}");
    let done = visitor.act(&form, Method::DELETE, &path, &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

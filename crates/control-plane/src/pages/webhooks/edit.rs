//! A webhook: made, changed, given another secret, deleted.

use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{IssuedWebhook, Webhook, WebhookEvent, WebhookPatch, WebhookRequest};
use serde_json::Value;
use uuid::Uuid;

use super::{HERE, event};
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

async fn form_of(
    visitor: &Visitor,
    title: &str,
    action: String,
    known: Option<&Webhook>,
) -> Result<Ask, Refused> {
    let ask = Ask::new(visitor, Right::Administer, Room::Webhooks, title, action).await?;
    let url = Field::line("url", "Address").value(known.map_or("", |it| &it.url)).needed();
    let choices = WebhookEvent::WANTED.map(|one| (one.as_str().to_owned(), event(&one).to_owned()));
    let wanted: Vec<_> = match known {
        Some(known) => known.events.clone(),
        None => WebhookEvent::WANTED.into(),
    };
    let events = Field::any_of("event", "It is told when", choices);
    let about = Field::line("description", "For people").value(known.map_or("", |it| &it.description));
    Ok(ask
        .field(url.hint("https; it may hold a secret, so only owners and admins see it."))
        .field(events.values(wanted.iter().map(|one| one.as_str().to_owned())))
        .field(about.hint("What listens there.")))
}

fn events(form: &Form) -> Vec<WebhookEvent> {
    form.all("event").filter_map(WebhookEvent::from_wire).collect()
}

async fn form_of_new(visitor: &Visitor) -> Result<Ask, Refused> {
    let ask = form_of(visitor, "New webhook", "/webhooks/new".to_owned(), None).await?;
    Ok(ask.says("What it is told is signed after the Standard Webhooks specification, with a secret that is shown once."))
}

pub(super) async fn ask_new(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_new(&visitor).await?.show())
}

pub(super) async fn new(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_new(&visitor).await?;
    let asked = WebhookRequest {
        url: form.owned("url").unwrap_or_default(),
        events: events(&form),
        description: form.owned("description"),
    };
    match visitor.change::<IssuedWebhook>(&form, Method::POST, "/webhooks", &asked).await {
        Ok(issued) => Ok(shown(&ask, "The secret of the new webhook", issued)),
        Err(refused) => Ok(ask.again(refused, &form)),
    }
}

fn shown(ask: &Ask, title: &str, issued: IssuedWebhook) -> Response {
    let mut says = vec!["Whoever listens checks the header webhook-signature with it.".to_owned()];
    if let Some(until) = issued.webhook.previous_secret_until {
        says.push(format!("Until {} the secret before signs too.", to_the_minute(&until)));
    }
    let layout = SecretPage::frame(ask, title);
    SecretPage { layout, called: "Signing secret", secret: issued.secret, says, lines: Vec::new() }.show()
}

async fn form_of_change(visitor: &Visitor, id: Uuid) -> Result<(Webhook, Ask), Refused> {
    let known: Webhook = visitor.get(&format!("/webhooks/{id}")).await?;
    let action = format!("/webhooks/{id}/change");
    let ask = form_of(visitor, "Change the webhook", action, Some(&known)).await?;
    let enabled = Field::yes("enabled", "Enabled").ticked(known.enabled);
    let ask = ask
        .field(enabled.hint("Disabled, it is told nothing, and what waits for it is dropped."))
        .button("Save");
    Ok((known, ask))
}

pub(super) async fn ask_change(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_change(&visitor, id).await?.1.show())
}

pub(super) async fn change(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let (known, ask) = form_of_change(&visitor, id).await?;
    let enabled = form.is_ticked("enabled");
    let patch = WebhookPatch {
        url: Some(form.owned("url").unwrap_or_default()),
        events: Some(events(&form)),
        description: Some(form.owned("description").unwrap_or_default()),
        enabled: (enabled != known.enabled).then_some(enabled),
    };
    let done = visitor.act(&form, Method::PATCH, &format!("/webhooks/{id}"), &patch).await;
    Ok(ask.or_again(done.map(|()| to(&format!("/webhooks/{id}"))), &form))
}

async fn form_of_rotate(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let action = format!("/webhooks/{id}/rotate");
    let ask = Ask::new(visitor, Right::Administer, Room::Webhooks, "Another secret", action).await?;
    Ok(ask
        .says("It gets another secret, shown once. For a day both sign, so that whoever listens can change over.")
        .button("Make it and show it"))
}

pub(super) async fn ask_rotate(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_rotate(&visitor, id).await?.show())
}

pub(super) async fn rotate(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_rotate(&visitor, id).await?;
    let path = format!("/webhooks/{id}/rotate");
    match visitor.change::<IssuedWebhook>(&form, Method::POST, &path, &Value::Null).await {
        Ok(issued) => Ok(shown(&ask, "Another secret of the webhook", issued)),
        Err(refused) => Ok(ask.again(refused, &form)),
    }
}

async fn form_of_delete(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let known: Webhook = visitor.get(&format!("/webhooks/{id}")).await?;
    let action = format!("/webhooks/{id}/delete");
    let ask = Ask::new(visitor, Right::Administer, Room::Webhooks, "Delete the webhook", action).await?;
    let means = format!("{} is told nothing any more. Its deliveries are gone with it.", known.url);
    Ok(ask.grave().says(means).field(Field::reason()))
}

pub(super) async fn ask_delete(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_delete(&visitor, id).await?.show())
}

pub(super) async fn delete(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_delete(&visitor, id).await?;
    let path = format!("/webhooks/{id}?{}", query([("reason", form.text("reason").unwrap_or_default())]));
    let done = visitor.act(&form, Method::DELETE, &path, &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

//! What is done about somebody who is in the account.

use axum::http::Method;
use axum::response::Response;
use novacula_protocol::people::{User, UserPatch, UserWithPassword};
use serde_json::Value;
use uuid::Uuid;

use super::add::{publisher, role, shown};
use super::{HERE, roles};
use crate::pages::form::Form;
use crate::pages::layout::Room;
use crate::pages::refused::Refused;
use crate::pages::rules::Id;
use crate::pages::rules::ask::Ask;
use crate::pages::rules::field::Field;
use crate::pages::visitor::{Visitor, to};
use crate::right::Right;

/// A form about this user; the title names them.
async fn about(visitor: &Visitor, id: Uuid, verb: &str, title: &str) -> Result<(User, Ask), Refused> {
    let user: User = visitor.get(&format!("/users/{id}")).await?;
    let (title, action) = (format!("{title} {}", user.name), format!("/people/{id}/{verb}"));
    let ask = Ask::new(visitor, Right::Administer, Room::People, &title, action).await?;
    Ok((user, ask))
}

async fn form_of_change(visitor: &Visitor, id: Uuid) -> Result<(User, Ask), Refused> {
    let (user, ask) = about(visitor, id, "change", "Change").await?;
    let subject =
        Field::line("subject", "Subject at the OpenID provider").hint("Empty: linked to nobody there.");
    let disabled = Field::yes("disabled", "Disabled").ticked(user.disabled_at.is_some());
    let ask = ask
        .button("Save")
        .field(Field::one_of("role", "Role", roles()).value(user.role.to_string()))
        .field(publisher(user.is_release_manager))
        .field(subject.value(user.oidc_subject.clone().unwrap_or_default()))
        .field(disabled.hint("They can do nothing, in no account; their tokens and sessions do not work."));
    Ok((user, ask))
}

pub(super) async fn ask(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_change(&visitor, id).await?.1.show())
}

pub(super) async fn change(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let (user, ask) = form_of_change(&visitor, id).await?;
    let done = changed(&visitor, &user, &form).await;
    Ok(ask.or_again(done, &form))
}

/// Only what differs is asked for: to leave something as it is nobody needs a right.
async fn changed(visitor: &Visitor, user: &User, form: &Form) -> Result<Response, Refused> {
    let (role, subject) = (role(form)?, form.owned("subject").unwrap_or_default());
    let (publishes, disabled) = (form.is_ticked("publisher"), form.is_ticked("disabled"));
    let patch = UserPatch {
        role: (role != user.role).then_some(role),
        release_manager: (publishes != user.is_release_manager).then_some(publishes),
        oidc_subject: (subject != user.oidc_subject.as_deref().unwrap_or_default()).then_some(subject),
        disabled: (disabled != user.disabled_at.is_some()).then_some(disabled),
    };
    visitor.act(form, Method::PATCH, &format!("/users/{}", user.id), &patch).await?;
    Ok(to(HERE))
}

async fn form_of_password(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let (user, ask) = about(visitor, id, "password", "A one-time password for").await?;
    let means = match user.has_password {
        true => "Their password until now stops working, and all their sessions end. Their tokens go on.",
        false => {
            "They sign in with it once, and must choose one of their own. All their sessions end; their tokens go on."
        }
    };
    Ok(ask.says(means).button("Make it up and show it"))
}

pub(super) async fn ask_password(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_password(&visitor, id).await?.show())
}

pub(super) async fn password(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_password(&visitor, id).await?;
    let path = format!("/users/{id}/password");
    match visitor.change::<UserWithPassword>(&form, Method::POST, &path, &Value::Null).await {
        Ok(made) => Ok(shown(&ask, made)),
        Err(refused) => Ok(ask.again(refused, &form)),
    }
}

async fn form_of_remove(visitor: &Visitor, id: Uuid) -> Result<Ask, Refused> {
    let (_, ask) = about(visitor, id, "remove", "Remove").await?;
    Ok(ask.grave().says(
        "Their tokens and sessions in this account end now. What they did stays in the activity. They can be added again.",
    ))
}

pub(super) async fn ask_remove(visitor: Visitor, Id(id): Id<Uuid>) -> Result<Response, Refused> {
    Ok(form_of_remove(&visitor, id).await?.show())
}

pub(super) async fn remove(visitor: Visitor, Id(id): Id<Uuid>, form: Form) -> Result<Response, Refused> {
    let ask = form_of_remove(&visitor, id).await?;
    let done = visitor.act(&form, Method::DELETE, &format!("/users/{id}"), &Value::Null).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

//! `/password`: a person changes their own password. Whoever has a one-time password can go nowhere else.

use askama::Template;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use novacula_protocol::people::{PasswordChange, Session};

use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::{Visitor, to};
use crate::pages::words;

#[derive(Template)]
#[template(path = "sign_in/password.html")]
pub(crate) struct PasswordPage {
    pub session: Session,
    pub refused: Option<String>,
}

pub(super) async fn show(visitor: Visitor) -> Response {
    render(&PasswordPage { session: visitor.session, refused: None })
}

pub(super) async fn change(visitor: Visitor, form: Form) -> Response {
    match changed(&visitor, &form).await {
        Ok(()) => to("/"),
        Err(refused) => {
            let sentence = match refused.problem.code.as_str() {
                "wrong_password" => "The password until now is another one.".to_owned(),
                "no_session" => "You are here with a token, which has no password.".to_owned(),
                _ => refused.sentence(),
            };
            let page = PasswordPage { session: visitor.session, refused: Some(sentence) };
            (refused.status, render(&page)).into_response()
        }
    }
}

async fn changed(visitor: &Visitor, form: &Form) -> Result<(), Refused> {
    let new = form.verbatim("new");
    if new != form.verbatim("again") {
        return Err(Refused::invalid("the new password differs between its two fields"));
    }
    let change = PasswordChange { current: form.verbatim("current").to_owned(), new: new.to_owned() };
    visitor.act(form, Method::PUT, "/session/password", &change).await
}

//! Whoever is signed in, and asks for a page.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use novacula_protocol::people::{Membership, Session, UpgradeCounts};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Console;
use super::form::Form;
use super::guest::Guest;
use super::layout::{Layout, Room};
use super::refused::Refused;
use crate::right::{Right, permits};
use crate::store::Person;

/// A person in a browser, as the API knows them.
pub(crate) struct Visitor {
    pub guest: Guest,
    pub session: Session,
    pub now: Timestamp,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let guest = Guest::of(parts, console);
        let session: Session = guest.get("/session").await.map_err(|refused| refused.into_response())?;
        if session.must_change_password && !matches!(parts.uri.path(), "/password" | "/sign-out") {
            return Err(to("/password"));
        }
        Ok(Self { guest, session, now: console.app.clock.now() })
    }
}

impl Visitor {
    /// What the API says at a path below `/api/v1`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refused> {
        self.guest.get(path).await
    }

    /// Asks for a change, with a form of ours as the proof that a person asks for it, and reads the answer.
    pub(crate) async fn change<T: DeserializeOwned>(
        &self,
        form: &Form,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Refused> {
        let answer = self.guest.change(method, path, form.csrf(), body).await?;
        self.guest.read(answer).await
    }

    /// The same, where the answer says nothing that is needed.
    pub(crate) async fn act(
        &self,
        form: &Form,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), Refused> {
        self.guest.change(method, path, form.csrf(), body).await.map(|_| ())
    }

    /// What stands around a page.
    pub(crate) async fn layout(&self, title: impl Into<String>, here: Room) -> Result<Layout, Refused> {
        // Who has to choose a password first is not told anything else.
        let waiting = match self.session.must_change_password {
            true => 0,
            false => self.get::<UpgradeCounts>("/upgrades/counts").await?.pending,
        };
        Ok(Layout {
            title: title.into(),
            here,
            session: self.session.clone(),
            waiting,
            live: None,
            now: self.now,
        })
    }

    /// The account they act in.
    pub(crate) fn account(&self) -> Option<&Membership> {
        self.session.accounts.iter().find(|one| one.account_id == self.session.account_id)
    }

    /// Why they cannot do what needs this right; nothing where they can. The API asks again, whatever a page shows.
    pub(crate) fn cannot(&self, right: Right) -> Option<String> {
        let person = Person {
            account_id: Uuid::nil(),
            user_id: Uuid::nil(),
            name: self.session.name.clone(),
            role: self.session.role,
            is_release_manager: self.session.is_release_manager,
            is_in_founding_account: self.session.is_in_founding_account,
        };
        if !permits(&person, right) {
            return Some(format!("This needs {}; you are {}.", right.holder(), self.session.role));
        }
        let is_suspended = self.account().is_some_and(|account| account.is_suspended);
        (is_suspended && !right.outlives_suspension()).then(|| "This account is suspended.".to_owned())
    }
}

/// Sends the browser to a page after a change, so that going back or reloading asks for nothing twice.
pub(crate) fn to(place: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, place.to_owned())]).into_response()
}

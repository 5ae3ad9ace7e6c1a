//! `/api/v1/session`: a person logs in, sees who they are, changes the account they act in, and logs out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::SignedDuration;
use novacula_protocol::people::{LoginRequest, PasswordChange, Session, SessionPatch};

use crate::app::App;
use crate::auth::Caller;
use crate::extract::Body;
use crate::people;
use crate::problem::{Answer, ApiError};
use crate::secrets::{self, SecretHash};
use crate::session::{COOKIE, LONGEST, csrf_token};
use crate::store::{Credential, NewSession, Opened, OpeningToken, Person, SignedIn};

/// Longer than any password is, and short enough to be hashed by anybody who asks.
const MAX_TRIED: usize = 1_024;

pub(crate) type SetCookie = [(HeaderName, String); 1];

pub(crate) async fn login(
    State(app): State<Arc<App>>,
    from: Caller,
    headers: HeaderMap,
    Body(asked): Body<LoginRequest>,
) -> Answer<(StatusCode, SetCookie, Json<Session>)> {
    // Who is logged in as somebody else without noticing tells that somebody what they do.
    app.rules.site().check_origin(&headers, true)?;
    app.attempts.login(&asked.name, from.0, app.clock.now())?;
    let found = app.store.login(asked.name.clone()).await?;
    let kept = found.as_ref().and_then(|found| found.password.clone());
    let tried = if asked.password.len() > MAX_TRIED { String::new() } else { asked.password };
    let is_right = app.passwords.is_right(tried, kept).await?;
    let Some(found) = found.filter(|_| is_right) else {
        tracing::warn!(from = %from.0, "a login was refused");
        let sentence = "the name or the password is wrong";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "wrong_login", sentence));
    };
    app.attempts.was_right(&asked.name, from.0);
    let (cookie, session) = open(&app, found.user_id, &found.name, None).await?;
    Ok((StatusCode::CREATED, cookie, Json(session)))
}

/// For a browser of somebody who has a token and no password, as the first owner.
pub(crate) async fn login_with_token(
    State(app): State<Arc<App>>,
    who: SignedIn,
    headers: HeaderMap,
) -> Answer<(StatusCode, SetCookie, Json<Session>)> {
    app.rules.site().check_origin(&headers, true)?;
    let Credential::Token { id, expires_at } = who.credential else {
        let sentence = "this call wants the header `Authorization: Bearer nvu_…` with a person's token";
        return Err(ApiError::unauthenticated(sentence));
    };
    let person = who.person;
    let token = OpeningToken { id, account_id: person.account_id, expires_at };
    let (cookie, session) = open(&app, person.user_id, &person.name, Some(token)).await?;
    Ok((StatusCode::CREATED, cookie, Json(session)))
}

/// Begins a session for somebody who has shown who they are.
pub(super) async fn open(
    app: &App,
    user_id: uuid::Uuid,
    name: &str,
    token: Option<OpeningToken>,
) -> Answer<(SetCookie, Session)> {
    let secret = secrets::issue("").map_err(ApiError::internal)?;
    let new = NewSession { hash: SecretHash::of(&secret), user_id, token, now: app.clock.now() };
    let Some(signed_in) = app.store.open_session(new).await? else {
        let sentence = format!("`{name}` is in no account; an owner or admin of one can change that");
        return Err(ApiError::new(StatusCode::FORBIDDEN, "no_account", sentence));
    };
    tracing::info!(user = name, "logged in");
    let cookie = app.rules.site().cookie(COOKIE, &secret, "Strict", LONGEST);
    Ok(([(header::SET_COOKIE, cookie)], shown(app, signed_in, Some(csrf_token(&secret))).await?))
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    who: SignedIn,
    headers: HeaderMap,
) -> Answer<Json<Session>> {
    let csrf = match who.credential {
        Credential::Session { .. } => {
            app.rules.site().read_cookie(&headers, COOKIE).map(|secret| csrf_token(&secret))
        }
        Credential::Token { .. } => None,
    };
    Ok(Json(shown(&app, who, csrf).await?))
}

pub(crate) async fn change(
    State(app): State<Arc<App>>,
    who: SignedIn,
    headers: HeaderMap,
    Body(patch): Body<SessionPatch>,
) -> Answer<Json<Session>> {
    let (hash, _) = session_of(&who)?;
    let nowhere = || ApiError::not_found("account of yours");
    let account_id = patch.account_id.parse().map_err(|_| nowhere())?;
    if !app.store.move_session(who.person, hash, account_id).await? {
        return Err(nowhere());
    }
    let moved = app.store.by_session(hash, app.clock.now(), true).await?.ok_or_else(nowhere)?;
    show(State(app), moved, headers).await
}

pub(crate) async fn end(State(app): State<Arc<App>>, who: SignedIn) -> Answer<(StatusCode, SetCookie)> {
    let (hash, _) = session_of(&who)?;
    app.store.end_session(who.person, hash, app.clock.now()).await?;
    let gone = app.rules.site().cookie(COOKIE, "", "Strict", SignedDuration::ZERO);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]))
}

pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    who: SignedIn,
    from: Caller,
    Body(asked): Body<PasswordChange>,
) -> Answer<StatusCode> {
    let (hash, person) = session_of(&who)?;
    people::password(&asked.new).map_err(ApiError::invalid)?;
    if asked.new == asked.current {
        return Err(ApiError::invalid("the new password must differ from the one until now"));
    }
    app.attempts.login(&person.name, from.0, app.clock.now())?;
    let kept = app.store.login(person.name.clone()).await?.and_then(|found| found.password);
    let tried = if asked.current.len() > MAX_TRIED { String::new() } else { asked.current };
    if !app.passwords.is_right(tried, kept).await? {
        let sentence = "`current` is not the password until now";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_password", sentence));
    }
    app.attempts.was_right(&person.name, from.0);
    let password = app.passwords.hash(asked.new).await?;
    app.store.change_password(person.clone(), hash, password, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn session_of(who: &SignedIn) -> Answer<(SecretHash, &Person)> {
    match who.credential {
        Credential::Session { hash, .. } => Ok((hash, &who.person)),
        Credential::Token { .. } => Err(ApiError::conflict(
            "no_session",
            "this is done in a session; log in with POST /api/v1/session",
        )),
    }
}

async fn shown(app: &App, who: SignedIn, csrf_token: Option<String>) -> Answer<Session> {
    let person = who.person;
    let account_id = person.account_id.to_string();
    let mut accounts = app.store.memberships(person.user_id).await?;
    let (is_of_person, expires_at) = match who.credential {
        Credential::Session { expires_at, opened, .. } => (opened == Opened::ByPerson, Some(expires_at)),
        Credential::Token { expires_at, .. } => (false, expires_at),
    };
    accounts.retain(|membership| is_of_person || membership.account_id == account_id);
    Ok(Session {
        user_id: person.user_id.to_string(),
        name: person.name,
        account_id,
        role: person.role,
        is_release_manager: person.is_release_manager,
        is_in_founding_account: person.is_in_founding_account,
        accounts,
        must_change_password: who.must_change_password,
        csrf_token,
        expires_at,
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;

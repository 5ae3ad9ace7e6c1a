//! Accounts, the people in them, and how they are here.

use novacula_protocol::people::{
    Account, AccountPatch, AccountRequest, IssuedSecret, LoginRequest, PasswordChange, Session, SessionPatch,
    SuspensionRequest, Token, TokenRequest, User, UserPatch, UserRequest, UserWithPassword,
};

use crate::api::{accounts, session, session_oidc, tokens, users};
use crate::operation::{Operation, area, delete, get, patch, post, put};
use crate::right::Right;
use crate::{example, refusal};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("sessions", sessions());
    all.extend(area("accounts", accounts()));
    all.extend(area("users", users()));
    all.extend(area("tokens", tokens()));
    all
}

fn sessions() -> [Operation; 8] {
    [
        post("/session", "login", Right::Nobody, session::login)
            .summary("Logs in with a password; the session is in the cookie")
            .takes::<LoginRequest>(example::LOGIN_REQUEST)
            .answers::<Session>(201, example::SESSION)
            .refuses(&[refusal::WRONG_LOGIN, refusal::CSRF, refusal::NO_ACCOUNT, refusal::TOO_MANY_ATTEMPTS]),
        post("/session/token", "loginWithToken", Right::Myself, session::login_with_token)
            .summary("Logs in with a token; the session ends with it, and stays in its account")
            .answers::<Session>(201, example::SESSION)
            .refuses(&[refusal::NO_ACCOUNT]),
        get("/session", "showSession", Right::Session, session::show)
            .summary("Who the caller is, in which account they act, and where else they could")
            .answers::<Session>(200, example::SESSION),
        patch("/session", "changeSession", Right::Session, session::change)
            .summary("Acts in another account of the caller's")
            .takes::<SessionPatch>(example::SESSION_PATCH)
            .answers::<Session>(200, example::SESSION)
            .refuses(&[refusal::NOT_FOUND, refusal::NO_SESSION]),
        delete("/session", "endSession", Right::Session, session::end)
            .summary("Logs out")
            .answers_nothing()
            .refuses(&[refusal::NO_SESSION]),
        put("/session/password", "changePassword", Right::Session, session::change_password)
            .summary("Changes the caller's password and ends all their other sessions")
            .takes::<PasswordChange>(example::PASSWORD_CHANGE)
            .answers_nothing()
            .refuses(&[refusal::WRONG_PASSWORD, refusal::NO_SESSION]),
        get("/session/oidc", "beginOidcLogin", Right::Nobody, session_oidc::begin)
            .summary("Sends the browser to the OpenID provider")
            .sends_on()
            .refuses(&[refusal::OIDC_OFF, refusal::OIDC_UNAVAILABLE, refusal::OIDC_REFUSED]),
        get("/session/oidc/callback", "finishOidcLogin", Right::Nobody, session_oidc::finish)
            .summary("Where the OpenID provider sends the browser back to")
            .with_any_query()
            .query::<String>("state", "Which login it answers")
            .query::<String>("code", "What the provider knows the person by")
            .query::<String>("error", "Why it knows nobody")
            .answers_as::<String>(200, "text/html", Some("<!doctype html>".into()))
            .sends_on()
            .refuses(&[
                refusal::OIDC_OFF,
                refusal::OIDC_STATE,
                refusal::OIDC_REFUSED,
                refusal::OIDC_UNAVAILABLE,
                refusal::UNKNOWN_PERSON,
                refusal::NO_ACCOUNT,
                refusal::TOO_MANY_ATTEMPTS,
            ]),
    ]
}

fn accounts() -> [Operation; 6] {
    [
        get("/accounts", "listAccounts", Right::See, accounts::list)
            .summary("The account the caller acts in; all of them for an owner of the founding one")
            .lists::<Account>(example::ACCOUNT),
        post("/accounts", "createAccount", Right::House, accounts::create)
            .summary("A new account, with the caller as its owner")
            .takes::<AccountRequest>(example::ACCOUNT_REQUEST)
            .answers::<Account>(201, example::ACCOUNT)
            .refuses(&[refusal::NAME_TAKEN]),
        get("/accounts/{id}", "showAccount", Right::See, accounts::show)
            .summary("One account")
            .answers::<Account>(200, example::ACCOUNT),
        patch("/accounts/{id}", "changeAccount", Right::House, accounts::patch)
            .summary("Gives an account another name")
            .takes::<AccountPatch>(example::ACCOUNT_PATCH)
            .answers::<Account>(200, example::ACCOUNT)
            .refuses(&[refusal::NAME_TAKEN]),
        post("/accounts/{id}/suspend", "suspendAccount", Right::House, accounts::suspend)
            .summary("An account keeps its lists, and nothing in it can act")
            .takes::<SuspensionRequest>(example::SUSPENSION_REQUEST)
            .answers::<Account>(200, example::ACCOUNT)
            .refuses(&[refusal::REASON_REQUIRED, refusal::FOUNDING_ACCOUNT]),
        post("/accounts/{id}/resume", "resumeAccount", Right::House, accounts::resume)
            .summary("A suspended account can act again")
            .takes::<SuspensionRequest>(example::SUSPENSION_REQUEST)
            .answers::<Account>(200, example::ACCOUNT)
            .refuses(&[refusal::REASON_REQUIRED, refusal::FOUNDING_ACCOUNT]),
    ]
}

fn users() -> [Operation; 6] {
    [
        get("/users", "listUsers", Right::See, users::list)
            .summary("Who is in the account, and as what, newest first")
            .lists::<User>(example::USER),
        post("/users", "createUser", Right::Administer, users::create)
            .summary("Brings somebody into the account, if asked with a one-time password that is shown once")
            .takes::<UserRequest>(example::USER_REQUEST)
            .answers::<UserWithPassword>(201, example::USER_WITH_PASSWORD)
            .refuses(&[
                refusal::NAME_TAKEN,
                refusal::ALREADY_MEMBER,
                refusal::USER_EXISTS,
                refusal::SUBJECT_TAKEN,
            ]),
        get("/users/{id}", "showUser", Right::See, users::show)
            .summary("One user")
            .answers::<User>(200, example::USER),
        patch("/users/{id}", "changeUser", Right::Administer, users::patch)
            .summary("The role and the rights of a user, how they log in, and whether they can")
            .takes::<UserPatch>(example::USER_PATCH)
            .answers::<User>(200, example::USER)
            .refuses(&[refusal::LAST_OWNER, refusal::SUBJECT_TAKEN]),
        delete("/users/{id}", "removeUser", Right::Administer, users::remove)
            .summary("Takes a user out of the account and ends their tokens and sessions there")
            .answers_nothing()
            .refuses(&[refusal::LAST_OWNER]),
        post("/users/{id}/password", "resetPassword", Right::Administer, users::reset_password)
            .summary("A one-time password for a user, shown once; all their sessions end")
            .answers::<UserWithPassword>(201, example::USER_WITH_PASSWORD),
    ]
}

fn tokens() -> [Operation; 3] {
    [
        get("/tokens", "listTokens", Right::Myself, tokens::list)
            .summary("The caller's tokens in this account, newest first; everybody's for an owner or admin")
            .lists::<Token>(example::TOKEN),
        post("/tokens", "createToken", Right::Myself, tokens::create)
            .summary("A token of the caller's for this account, shown once")
            .takes::<TokenRequest>(example::TOKEN_REQUEST)
            .answers::<IssuedSecret>(201, example::ISSUED_SECRET),
        delete("/tokens/{id}", "revokeToken", Right::Myself, tokens::revoke)
            .summary("Ends a token")
            .answers_nothing(),
    ]
}

//! Every page from a sample, without a browser: it renders, it is well-formed, and nothing in it is a script or a style.

use std::collections::BTreeSet;

use novacula_protocol::people::{Membership, Role, Session};
use scraper::{Html, Selector};

use super::layout::{Layout, Room};
use super::refused::RefusedPage;
use super::sign_in::SignInPage;

/// What stands wherever people or executors may write: a page that does not escape it is caught.
pub(crate) const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'";

/// An owner of the house in an account of a hostile name.
pub(crate) fn layout(here: Room) -> Layout {
    Layout {
        title: here.label().to_owned(),
        here,
        session: session(),
        waiting: 2,
        live: Some(here.href().to_owned()),
        now: now(),
    }
}

pub(crate) fn now() -> jiff::Timestamp {
    "2026-11-21T20:47:34Z".parse().unwrap()
}

pub(crate) fn session() -> Session {
    Session {
        user_id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c".to_owned(),
        name: HOSTILE.to_owned(),
        account_id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687d".to_owned(),
        role: Role::Owner,
        is_release_manager: true,
        is_in_founding_account: true,
        accounts: vec![Membership {
            account_id: "01a1fd44-ec13-72dc-be3d-6f6dbcc5687d".to_owned(),
            name: HOSTILE.to_owned(),
            role: Role::Owner,
            is_release_manager: true,
            is_suspended: false,
        }],
        must_change_password: false,
        csrf_token: Some("c".repeat(64)),
        expires_at: None,
    }
}

/// The page of an answer, with names between backticks as the API writes them.
pub(crate) fn as_written(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    text.replace("<code>", "`").replace("</code>", "`")
}

/// Looks at a page as a careful browser would.
#[track_caller]
pub(crate) fn check(name: &str, page: &impl askama::Template) -> Html {
    let text = page.render().unwrap_or_else(|e| panic!("{name}: {e}"));
    let html = Html::parse_document(&text);
    assert!(html.errors.is_empty(), "{name} is not well-formed: {:?}\n{text}", html.errors);
    let all = |selector: &str| {
        let found = Selector::parse(selector).unwrap();
        html.select(&found).collect::<Vec<_>>()
    };
    assert!(all("script:not([src])").is_empty() && all("style").is_empty(), "{name}: nothing is inline");
    assert!(
        all("img[src=x]").is_empty() && !text.contains("<script>"),
        "{name}: what people write is escaped"
    );
    let mut ids = BTreeSet::new();
    for element in all("*") {
        for (attribute, value) in element.value().attrs() {
            assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {attribute}={value}");
            let is_link = matches!(attribute, "href" | "src" | "action" | "formaction");
            assert!(!is_link || value.starts_with(['/', '#', '?']), "{name} links to itself only: {value}");
            assert!(attribute != "id" || ids.insert(value.to_owned()), "{name}: the id {value} stands twice");
        }
    }
    for form in all("form[method=post]") {
        let csrf = Selector::parse("input[name=csrf]").unwrap();
        let is_free = form.value().attr("action") == Some("/sign-in");
        let is_in_action = form.value().attr("action").is_some_and(|action| action.contains("csrf="));
        assert!(
            is_free || is_in_action || form.select(&csrf).count() == 1,
            "{name}: every form says that it is ours"
        );
    }
    for field in all("input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select, textarea") {
        let is_named = field.value().attr("aria-label").is_some_and(|label| !label.is_empty())
            || field.value().attr("id").is_some_and(|id| {
                all("label[for]").iter().any(|label| label.value().attr("for") == Some(id))
            })
            || field.ancestors().any(|it| it.value().as_element().is_some_and(|it| it.name() == "label"));
        assert!(is_named, "{name}: a field without a name: {:?}", field.value());
    }
    assert_eq!(all("h1").len(), 1, "{name}: a page has one heading");
    assert_eq!(all("head > title").len(), 1, "{name}: and one title");
    html
}

#[test]
fn pages_of_nobody_in_particular_render() {
    check("refused", &RefusedPage { status: 404, title: "Not found", sentence: HOSTILE.to_owned() });
    let (next, name) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    let refused = Some(HOSTILE.to_owned());
    check("sign in", &SignInPage { next, name, has_oidc: true, refused, is_token_open: true });
}

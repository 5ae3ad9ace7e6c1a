//! For tests: a person at a page, with a token instead of a browser.

use axum::http::Method;
use novacula_protocol::people::Role;
use scraper::{Html, Selector};

use crate::in_process::people::request;
use crate::in_process::{ControlPlane, OWNER};
use crate::pages::sample::as_written;
use crate::pages::words;

/// Somebody at their desk.
#[derive(Clone)]
pub(crate) struct Desk<'a> {
    pub control_plane: &'a ControlPlane,
    pub token: String,
}

/// What they see.
pub(crate) struct Seen {
    pub status: u16,
    pub place: String,
    pub html: String,
    pub is_stored: bool,
}

impl<'a> Desk<'a> {
    pub(crate) fn of_the_owner(control_plane: &'a ControlPlane) -> Self {
        Self { control_plane, token: OWNER.to_owned() }
    }

    /// Somebody new with this role.
    pub(crate) async fn of(control_plane: &'a ControlPlane, role: Role) -> Self {
        let name = format!("{role}-at-the-desk");
        Self { control_plane, token: control_plane.somebody(OWNER, &name, role).await.token }
    }

    pub(crate) async fn see(&self, path: &str) -> Seen {
        self.ask(Method::GET, path, "").await
    }

    /// Sends a form.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        self.ask(Method::POST, path, &words::query(fields.iter().copied())).await
    }

    async fn ask(&self, method: Method, path: &str, body: &str) -> Seen {
        let bearer = format!("Bearer {}", self.token);
        let form = ("content-type", "application/x-www-form-urlencoded");
        let headers = [("authorization", bearer.as_str()), form, ("accept", "text/html")];
        let answer = self.control_plane.send(request(method, path, &headers, body.to_owned())).await;
        Seen {
            status: answer.status.as_u16(),
            place: answer.header("location").to_owned(),
            is_stored: answer.header("cache-control") != "no-store",
            html: String::from_utf8(answer.bytes).unwrap(),
        }
    }
}

impl Seen {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.html);
        self
    }

    /// A form that did what it says leads to a page.
    #[track_caller]
    pub(crate) fn led_to(&self, place: &str) {
        assert_eq!((self.status, self.place.as_str()), (303, place), "{}", self.text());
    }

    /// The form is there again and says why.
    #[track_caller]
    pub(crate) fn was_refused(&self, status: u16, why: &str) {
        let text = read(&as_written(self.html.as_bytes()));
        assert!(self.status == status && text.contains(why), "{} {text}", self.status);
    }

    /// What people read, in one line.
    pub(crate) fn text(&self) -> String {
        read(&self.html)
    }

    /// The secret that is shown once, in an answer that nobody keeps.
    #[track_caller]
    pub(crate) fn secret(&self) -> String {
        assert!(self.status == 201 && !self.is_stored, "{} {}", self.status, self.text());
        let html = Html::parse_document(&self.html);
        let secret = Selector::parse("#secret").unwrap();
        html.select(&secret).next().unwrap().text().collect()
    }

    /// Why a button of this label does not work; nothing where it does, or is not there.
    pub(crate) fn locked(&self, label: &str) -> Option<String> {
        let html = Html::parse_document(&as_written(self.html.as_bytes()));
        let (locked, button, why) = (".locked", "[aria-disabled]", ".why");
        let [locked, button, why] = [locked, button, why].map(|it| Selector::parse(it).unwrap());
        let text = |it: scraper::ElementRef<'_>| it.text().collect::<String>();
        let found = html.select(&locked).find(|it| it.select(&button).any(|it| text(it) == label))?;
        found.select(&why).next().map(text)
    }
}

/// What people read, in one line.
fn read(html: &str) -> String {
    let html = Html::parse_document(html);
    let main = Selector::parse("main").unwrap();
    let words: Vec<_> = html
        .select(&main)
        .flat_map(|main| main.text())
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    words.join(" ")
}

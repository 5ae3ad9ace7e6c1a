//! `/windows/`: when upgrades may begin, when not, and when a second person is asked.

mod freeze;
#[cfg(test)]
mod tests;
mod window;

use askama::Template;
use axum::extract::Query;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use novacula_protocol::people::{FourEyes, Freeze, Page, Selector, Window};
use novacula_protocol::sync::Channel;
use serde::Deserialize;

use super::action::{Action, Look};
use super::form::Form;
use super::layout::{Layout, Room};
use super::refused::{Refused, render};
use super::rules::ask::Ask;
use super::rules::field::Field;
use super::rules::pager::{Pager, asked};
use super::visitor::{Visitor, to};
use super::words;
use super::{Row, assets};
use crate::right::Right;

const HERE: &str = "/windows/";

pub(crate) fn routes() -> Vec<Row> {
    vec![
        (HERE, get(list)),
        ("/windows/new", get(window::ask_new).post(window::new)),
        ("/windows/{id}/change", get(window::ask_change).post(window::change)),
        ("/windows/{id}/delete", get(window::ask_delete).post(window::delete)),
        ("/windows/freezes/new", get(freeze::ask_new).post(freeze::new)),
        ("/windows/freezes/{id}/end", get(freeze::ask_end).post(freeze::end)),
        ("/windows/freezes/{id}/delete", get(freeze::ask_delete).post(freeze::delete)),
        ("/windows/four-eyes", get(ask_four_eyes).post(set_four_eyes)),
    ]
}

#[derive(Template)]
#[template(path = "windows/list.html")]
pub(crate) struct WindowsPage {
    pub layout: Layout,
    pub new_window: Action,
    pub windows: Vec<ListedWindow>,
    pub windows_pager: Pager,
    pub new_freeze: Action,
    pub freezes: Vec<ListedFreeze>,
    pub freezes_pager: Pager,
    pub change_four_eyes: Action,
    pub four_eyes: Vec<Channel>,
}

/// A window, and what can be done with it.
pub(crate) struct ListedWindow {
    pub window: Window,
    pub selector: String,
    pub actions: Vec<Action>,
}

/// A freeze, how it stands, and what can be done with it.
pub(crate) struct ListedFreeze {
    pub freeze: Freeze,
    pub selector: String,
    /// How its badge looks, and what it says.
    pub state: (&'static str, &'static str),
    pub actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Turns {
    windows: Option<String>,
    freezes: Option<String>,
}

async fn list(visitor: Visitor, Query(at): Query<Turns>) -> Result<Response, Refused> {
    let (windows_at, freezes_at) = (at.windows.as_deref(), at.freezes.as_deref());
    let windows: Page<Window> = visitor.get(&asked("/windows", &[], windows_at)).await?;
    let freezes: Page<Freeze> = visitor.get(&asked("/freezes", &[], freezes_at)).await?;
    let four_eyes: FourEyes = visitor.get("/four-eyes").await?;
    let others = [("freezes", freezes_at.unwrap_or_default())];
    let windows_pager = Pager::of(HERE, &others, "windows", windows_at, &windows);
    let others = [("windows", windows_at.unwrap_or_default())];
    let freezes_pager = Pager::of(HERE, &others, "freezes", freezes_at, &freezes);
    let (cannot, now) = (visitor.cannot(Right::Administer), visitor.now);
    let change = Action::new("Change", "/windows/four-eyes", Look::Plain);
    Ok(render(&WindowsPage {
        new_window: Action::new("New window", "/windows/new", Look::First).unless(cannot.clone()),
        windows: windows.items.into_iter().map(|window| listed_window(window, cannot.as_ref())).collect(),
        windows_pager,
        new_freeze: Action::new("New freeze", "/windows/freezes/new", Look::First).unless(cannot.clone()),
        freezes: freezes.items.into_iter().map(|it| listed_freeze(it, now, cannot.as_ref())).collect(),
        freezes_pager,
        change_four_eyes: change.unless(visitor.cannot(Right::Own)),
        four_eyes: four_eyes.channels,
        layout: visitor.layout("Windows", Room::Windows).await?,
    }))
}

pub(crate) fn listed_window(window: Window, cannot: Option<&String>) -> ListedWindow {
    let id = window.id.as_deref().unwrap_or_default();
    let change = Action::new("Change", format!("/windows/{id}/change"), Look::Plain);
    let delete = Action::new("Delete", format!("/windows/{id}/delete"), Look::Grave);
    let actions = [change, delete].map(|action| action.unless(cannot.cloned())).into();
    ListedWindow { selector: window.selector.to_string(), window, actions }
}

pub(crate) fn listed_freeze(freeze: Freeze, now: Timestamp, cannot: Option<&String>) -> ListedFreeze {
    let at = |verb: &str| format!("/windows/freezes/{}/{verb}", freeze.id);
    let is_over = freeze.ends_at <= now;
    let state = match (freeze.is_in_force, is_over) {
        (true, _) => ("badge warn", "in force"),
        (_, true) => ("badge", "over"),
        _ => ("badge busy", "to come"),
    };
    let end = (!freeze.is_in_force).then(|| {
        let why = if is_over { "It is over." } else { "It has not begun; it can be deleted." };
        why.to_owned()
    });
    let delete = freeze.is_in_force.then(|| "It is in force; end it first.".to_owned());
    let actions = vec![
        Action::new("End", at("end"), Look::Plain).unless(cannot.cloned()).unless(end),
        Action::new("Delete", at("delete"), Look::Grave).unless(cannot.cloned()).unless(delete),
    ];
    ListedFreeze { selector: freeze.selector.to_string(), state, freeze, actions }
}

/// For which executors, as a field.
fn selector_field(selector: &Selector) -> Field {
    let text = if *selector == Selector::default() { String::new() } else { selector.to_string() };
    Field::line("selector", "For the executors with these labels")
        .value(text)
        .hint("Such as ring=canary,site!=berlin,rack in (1,2),!held. Empty: every executor of the account.")
}

fn selector(form: &Form) -> Result<Selector, Refused> {
    form.text("selector").unwrap_or_default().parse().map_err(Refused::invalid)
}

/// `2026-11-22T02:00:00+01:00` as people read it: `2026-11-22, 02:00 (UTC+01:00)`.
fn clock(local: &str) -> String {
    let Some((day, time)) = local.split_once('T') else { return local.to_owned() };
    match time.find(['+', '-', 'Z']).and_then(|at| time.split_at_checked(at)) {
        Some((time, zone)) => {
            format!("{day}, {} (UTC{})", time.strip_suffix(":00").unwrap_or(time), zone.trim_matches('Z'))
        }
        None => local.replace('T', ", "),
    }
}

/// In which clocks' time, as a field.
fn zone_field(zone: &str, hint: &str) -> Field {
    Field::line("zone", "Time zone").value(zone).hint(format!("Its IANA name, such as Europe/Berlin. {hint}"))
}

async fn form_of_four_eyes(visitor: &Visitor) -> Result<Ask, Refused> {
    let known: FourEyes = visitor.get("/four-eyes").await?;
    let ask = Ask::new(visitor, Right::Own, Room::Windows, "Four eyes", "/windows/four-eyes").await?;
    let channels = Channel::ALL.map(|channel| (channel.as_str().to_owned(), channel.as_str().to_owned()));
    let field = Field::any_of("channel", "Releases of these channels want an approval", channels);
    let chosen = known.channels.iter().map(|channel| channel.as_str().to_owned());
    Ok(ask
        .says("An upgrade to such a release, and a fleet plan with one, begins only after somebody else has approved it.")
        .field(field.values(chosen))
        .button("Save"))
}

async fn ask_four_eyes(visitor: Visitor) -> Result<Response, Refused> {
    Ok(form_of_four_eyes(&visitor).await?.show())
}

async fn set_four_eyes(visitor: Visitor, form: Form) -> Result<Response, Refused> {
    let ask = form_of_four_eyes(&visitor).await?;
    let chosen: Vec<_> = form.all("channel").collect();
    let channels = Channel::ALL.into_iter().filter(|channel| chosen.contains(&channel.as_str())).collect();
    let done = visitor.act(&form, Method::PUT, "/four-eyes", &FourEyes { channels }).await;
    Ok(ask.or_again(done.map(|()| to(HERE)), &form))
}

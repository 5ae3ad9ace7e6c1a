//! What stands around every page of somebody who is signed in.

use jiff::Timestamp;
use novacula_protocol::people::{Membership, Session};

use super::words;

/// The rooms of the console, as the sidebar lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Overview,
    Executors,
    Releases,
    Upgrades,
    Plans,
    Activity,
    People,
    Keys,
    Windows,
    Webhooks,
    Accounts,
    Myself,
}

impl Room {
    /// Where the work is.
    pub(crate) const WORK: [Self; 6] =
        [Self::Overview, Self::Upgrades, Self::Executors, Self::Releases, Self::Plans, Self::Activity];
    /// Where the rules are.
    pub(crate) const RULES: [Self; 5] =
        [Self::People, Self::Keys, Self::Windows, Self::Webhooks, Self::Accounts];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Executors => "Executors",
            Self::Releases => "Releases",
            Self::Upgrades => "Upgrades",
            Self::Plans => "Fleet plans",
            Self::Activity => "Activity",
            Self::People => "People",
            Self::Keys => "Keys",
            Self::Windows => "Windows",
            Self::Webhooks => "Webhooks",
            Self::Accounts => "Accounts",
            Self::Myself => "You",
        }
    }

    pub(crate) fn href(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Executors => "/executors/",
            Self::Releases => "/releases/",
            Self::Upgrades => "/upgrades/",
            Self::Plans => "/plans/",
            Self::Activity => "/activity/",
            Self::People => "/people/",
            Self::Keys => "/keys/",
            Self::Windows => "/windows/",
            Self::Webhooks => "/webhooks/",
            Self::Accounts => "/accounts/",
            Self::Myself => "/myself/",
        }
    }

    /// The id of its drawing in `icons.svg`.
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Executors => "executors",
            Self::Releases => "releases",
            Self::Upgrades => "upgrades",
            Self::Plans => "plans",
            Self::Activity => "activity",
            Self::People => "people",
            Self::Keys => "keys",
            Self::Windows => "windows",
            Self::Webhooks => "webhooks",
            Self::Accounts => "accounts",
            Self::Myself => "myself",
        }
    }
}

/// The frame of a page.
#[derive(Clone)]
pub(crate) struct Layout {
    pub title: String,
    pub here: Room,
    pub session: Session,
    /// Upgrades that have not begun.
    pub waiting: u64,
    /// The path of the page to be followed, where it changes by itself.
    pub live: Option<String>,
    pub now: Timestamp,
}

impl Layout {
    /// The same page, which follows what happens.
    pub(crate) fn following(mut self, path: impl Into<String>) -> Self {
        self.live = Some(path.into());
        self
    }

    /// What every form of ours carries; empty with a token, which needs none.
    pub(crate) fn csrf(&self) -> &str {
        self.session.csrf_token.as_deref().unwrap_or_default()
    }

    /// The account they act in.
    pub(crate) fn account(&self) -> Option<&Membership> {
        self.session.accounts.iter().find(|one| one.account_id == self.session.account_id)
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.account().is_some_and(|account| account.is_suspended)
    }

    /// What is counted beside a room in the sidebar.
    pub(crate) fn counter(&self, room: &Room) -> Option<String> {
        (*room == Room::Upgrades && self.waiting > 0).then(|| words::count(&self.waiting))
    }

    pub(crate) fn is_here(&self, room: &Room) -> bool {
        self.here == *room
    }
}

//! What a visitor can do: a button that works, or one that says why it does not.

use askama::Template;
use askama::filters::HtmlSafe;

/// A link to the page that asks back before something is done. Without scripts it is that page; with them a dialog.
#[derive(Clone, Debug, Template)]
#[template(path = "action.html")]
pub(crate) struct Action {
    pub label: String,
    pub href: String,
    pub look: Look,
    /// Why it cannot be done now, or not by this visitor.
    pub cannot: Option<String>,
}

/// How much a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// What most visitors of the page come for.
    First,
    /// Anything else.
    Plain,
    /// What takes something away.
    Grave,
}

impl Look {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::First => "button first",
            Self::Plain => "button",
            Self::Grave => "button grave",
        }
    }
}

/// Its template escapes what it shows.
impl HtmlSafe for Action {}

impl Action {
    pub(crate) fn new(label: impl Into<String>, href: impl Into<String>, look: Look) -> Self {
        Self { label: label.into(), href: href.into(), look, cannot: None }
    }

    /// The same, with the first reason that stands in its way.
    pub(crate) fn unless(mut self, cannot: Option<String>) -> Self {
        self.cannot = self.cannot.or(cannot);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_that_does_not_work_says_why_and_leads_nowhere() {
        let action = Action::new("Execute", "/upgrades/1/start", Look::First);
        let works = action.render().unwrap();
        assert!(works.contains("href=\"/upgrades/1/start\"") && !works.contains("aria-disabled"), "{works}");
        let locked = action.unless(Some("You are <viewer>.".to_owned())).unless(None).render().unwrap();
        assert!(!locked.contains("href") && locked.contains("aria-disabled=\"true\""), "{locked}");
        assert!(locked.contains("You are &lt;viewer&gt;."), "{locked}");
    }
}

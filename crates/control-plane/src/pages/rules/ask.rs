//! The page that asks before something is done: what it means, what has to be filled in, and one button.

use askama::Template;
use axum::response::{IntoResponse as _, Response};

use super::field::Field;
use crate::pages::action::Look;
use crate::pages::assets;
use crate::pages::form::Form;
use crate::pages::layout::{Layout, Room};
use crate::pages::refused::{Refused, render};
use crate::pages::visitor::Visitor;
use crate::pages::words;
use crate::right::Right;

/// A form at the path that does what it asks.
#[derive(Template)]
#[template(path = "rules/ask.html")]
pub(crate) struct Ask {
    pub layout: Layout,
    action: String,
    says: Vec<String>,
    /// Lines under their own heading, such as what a window would come to.
    shown: Option<(&'static str, Vec<String>)>,
    fields: Vec<Field>,
    button: String,
    /// A second button: the value of its `do`, and its label.
    other: Option<(&'static str, &'static str)>,
    look: Look,
    refused: Option<String>,
}

impl Ask {
    /// What a visitor with this right is asked at this path. The button says what the title says.
    ///
    /// # Errors
    /// Why this visitor cannot.
    pub(crate) async fn new(
        visitor: &Visitor,
        right: Right,
        here: Room,
        title: &str,
        action: impl Into<String>,
    ) -> Result<Self, Refused> {
        super::allowed(visitor, right)?;
        Ok(Self::at(visitor.layout(title, here).await?, action))
    }

    /// The same for a layout that is there.
    pub(crate) fn at(layout: Layout, action: impl Into<String>) -> Self {
        let button = layout.title.clone();
        Self {
            layout,
            action: action.into(),
            says: Vec::new(),
            shown: None,
            fields: Vec::new(),
            button,
            other: None,
            look: Look::First,
            refused: None,
        }
    }

    /// A sentence about what it means.
    pub(crate) fn says(mut self, sentence: impl Into<String>) -> Self {
        self.says.push(sentence.into());
        self
    }

    /// What stands under a heading of its own.
    pub(crate) fn shows(mut self, heading: &'static str, lines: Vec<String>) -> Self {
        self.shown = Some((heading, lines));
        self
    }

    /// Something to fill in.
    pub(crate) fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// What the button says, where it is not the title.
    pub(crate) fn button(mut self, label: &str) -> Self {
        label.clone_into(&mut self.button);
        self
    }

    /// A button that stands first and sends `do` with this value.
    pub(crate) fn other_button(mut self, value: &'static str, label: &'static str) -> Self {
        self.other = Some((value, label));
        self
    }

    /// It takes something away.
    pub(crate) fn grave(mut self) -> Self {
        self.look = Look::Grave;
        self
    }

    /// With what was typed.
    pub(crate) fn typed(mut self, form: &Form) -> Self {
        for field in &mut self.fields {
            field.typed(form);
        }
        self
    }

    /// As an answer.
    pub(crate) fn show(&self) -> Response {
        render(self)
    }

    /// Once more after a refusal, which it says, with what was typed.
    pub(crate) fn again(self, refused: Refused, form: &Form) -> Response {
        if is_about_the_visitor(&refused) {
            return refused.into_response();
        }
        let page = Self { refused: Some(refused.sentence()), ..self.typed(form) };
        (refused.status, render(&page)).into_response()
    }

    /// What came of sending it: the answer to a success, else the form once more.
    pub(crate) fn or_again(self, done: Result<Response, Refused>, form: &Form) -> Response {
        done.unwrap_or_else(|refused| self.again(refused, form))
    }
}

/// The visitor has to go elsewhere first; no form helps.
pub(crate) fn is_about_the_visitor(refused: &Refused) -> bool {
    matches!(refused.problem.code.as_str(), "invalid_api_key" | "password_change_required")
}

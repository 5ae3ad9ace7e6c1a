//! One field of a form, with its label, its hint and what was typed.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::pages::form::Form;

/// A field, whatever it looks like.
#[derive(Clone, Debug, Template)]
#[template(path = "rules/field.html")]
pub(crate) struct Field {
    name: &'static str,
    label: String,
    hint: String,
    kind: Kind,
    values: Vec<String>,
    is_needed: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// One line; the type as HTML has it.
    Line(&'static str),
    /// Several lines.
    Lines,
    /// One of these: a value and what it means.
    OneOf(Vec<(String, String)>),
    /// Any of these.
    AnyOf(Vec<(String, String)>),
    /// Yes, or not.
    Yes,
    /// Comes back as it was.
    Kept,
}

/// Its template escapes what it shows.
impl HtmlSafe for Field {}

impl Field {
    fn of(kind: Kind, name: &'static str, label: &str) -> Self {
        let (hint, values) = (String::new(), Vec::new());
        Self { name, label: label.to_owned(), hint, kind, values, is_needed: false }
    }

    /// One line.
    pub(crate) fn line(name: &'static str, label: &str) -> Self {
        Self::of(Kind::Line("text"), name, label)
    }

    /// A whole number.
    pub(crate) fn number(name: &'static str, label: &str) -> Self {
        Self::of(Kind::Line("number"), name, label)
    }

    /// A date and a time, in UTC; the label says so.
    pub(crate) fn time(name: &'static str, label: &str) -> Self {
        Self::of(Kind::Line("datetime-local"), name, &format!("{label} (UTC)"))
    }

    /// Several lines.
    pub(crate) fn lines(name: &'static str, label: &str) -> Self {
        Self::of(Kind::Lines, name, label)
    }

    /// Why, for the activity.
    pub(crate) fn reason() -> Self {
        Self::lines("reason", "Why").hint("It is kept in the activity.")
    }

    /// One of several.
    pub(crate) fn one_of(
        name: &'static str,
        label: &str,
        choices: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::of(Kind::OneOf(choices.into_iter().collect()), name, label)
    }

    /// Any of several.
    pub(crate) fn any_of(
        name: &'static str,
        label: &str,
        choices: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::of(Kind::AnyOf(choices.into_iter().collect()), name, label)
    }

    /// A box to tick.
    pub(crate) fn yes(name: &'static str, label: &str) -> Self {
        Self::of(Kind::Yes, name, label)
    }

    /// What the visitor does not see.
    pub(crate) fn kept(name: &'static str, value: impl Into<String>) -> Self {
        Self::of(Kind::Kept, name, "").value(value)
    }

    /// What helps to fill it in.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// It must be filled in.
    pub(crate) fn needed(mut self) -> Self {
        self.is_needed = true;
        self
    }

    /// What stands in it.
    pub(crate) fn value(self, value: impl Into<String>) -> Self {
        self.values([value.into()])
    }

    /// What is chosen.
    pub(crate) fn values(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.values = values.into_iter().filter(|value| !value.is_empty()).collect();
        self
    }

    /// A box that is ticked.
    pub(crate) fn ticked(self, is_ticked: bool) -> Self {
        self.value(if is_ticked { "yes" } else { "" })
    }

    /// What was typed stands in it again.
    pub(super) fn typed(&mut self, form: &Form) {
        self.values = match self.kind {
            Kind::Kept => return,
            Kind::AnyOf(_) => form.all(self.name).map(str::to_owned).collect(),
            _ => form.text(self.name).map(str::to_owned).into_iter().collect(),
        };
    }

    fn first(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }

    fn has(&self, value: &str) -> bool {
        self.values.iter().any(|one| one == value)
    }
}

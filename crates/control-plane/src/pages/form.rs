//! What a form of ours sends.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Console;
use super::refused::Refused;

/// The fields of a form, and the token that shows that it is ours.
#[derive(Debug, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
}

impl FromRequest<Console> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Response> {
        match axum::Form::<Vec<(String, String)>>::from_request(request, console).await {
            Ok(axum::Form(fields)) => Ok(Self { fields }),
            Err(e) => {
                Err(Refused::invalid(format!("the form cannot be read: {}", e.body_text())).into_response())
            }
        }
    }
}

impl Form {
    #[cfg(test)]
    pub(crate) fn with(fields: &[(&str, &str)]) -> Self {
        Self {
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// The filters in the query of a page, which are a form too.
    pub(crate) fn of_query(query: Option<&str>) -> Self {
        Self { fields: form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect() }
    }

    /// The token of the session.
    pub(crate) fn csrf(&self) -> Option<&str> {
        self.text("csrf")
    }

    /// A field as it was typed, without the spaces around it; nothing where it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }

    /// The same, owned.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A field with the spaces around it: in a password they count.
    pub(crate) fn verbatim(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// Every field as it was sent.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of a field that may stand several times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.trim())
    }

    /// A box is ticked.
    pub(crate) fn is_ticked(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// A field that has to be there, as what it means.
    ///
    /// # Errors
    /// One sentence that names the field as people see it.
    pub(crate) fn needed<T: std::str::FromStr>(&self, name: &str, called: &str) -> Result<T, Refused> {
        self.read(name, called)?.ok_or_else(|| Refused::invalid(format!("{called} must be filled in")))
    }

    /// A field as what it means; nothing where it is empty.
    ///
    /// # Errors
    /// One sentence that names the field as people see it.
    pub(crate) fn read<T: std::str::FromStr>(&self, name: &str, called: &str) -> Result<Option<T>, Refused> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let read = text.parse().map_err(|_| Refused::invalid(format!("{called} cannot be `{text}`")))?;
        Ok(Some(read))
    }

    /// A field of date and time, which is in UTC and says so; nothing where it is empty.
    ///
    /// # Errors
    /// One sentence that names the field as people see it.
    pub(crate) fn time(&self, name: &str, called: &str) -> Result<Option<Timestamp>, Refused> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let refused =
            || Refused::invalid(format!("{called} must be a date and a time in UTC, it is `{text}`"));
        let time: DateTime = text.trim_end_matches('Z').parse().map_err(|_| refused())?;
        let time = time.to_zoned(TimeZone::UTC).map_err(|_| refused())?;
        Ok(Some(time.timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_was_typed_and_an_empty_one_is_none() {
        let form =
            Form::with(&[("a", " x "), ("b", " "), ("n", "12"), ("m", "twelve"), ("c", "1"), ("c", "2")]);
        assert_eq!((form.text("a"), form.text("b"), form.text("z")), (Some("x"), None, None));
        assert_eq!(form.read::<u32>("n", "The number").unwrap(), Some(12));
        assert_eq!(form.read::<u32>("b", "The number").unwrap(), None);
        assert_eq!(
            form.read::<u32>("m", "The number").unwrap_err().problem.message,
            "The number cannot be `twelve`"
        );
        assert_eq!(
            form.needed::<u32>("b", "The number").unwrap_err().problem.message,
            "The number must be filled in"
        );
        assert_eq!((form.verbatim("a"), form.verbatim("z")), (" x ", ""));
        assert_eq!(form.all("c").collect::<Vec<_>>(), ["1", "2"]);
        assert!(form.is_ticked("a") && !form.is_ticked("b"));
    }

    #[test]
    fn a_time_in_a_form_is_in_utc() {
        let form =
            Form::with(&[("at", "2026-11-21T20:47"), ("full", "2026-11-21T20:47:30Z"), ("no", "soon")]);
        assert_eq!(form.time("at", "The date").unwrap().unwrap().to_string(), "2026-11-21T20:47:00Z");
        assert_eq!(form.time("full", "The date").unwrap().unwrap().to_string(), "2026-11-21T20:47:30Z");
        assert!(form.time("no", "The date").is_err());
        assert_eq!(form.time("none", "The date").unwrap(), None);
    }
}

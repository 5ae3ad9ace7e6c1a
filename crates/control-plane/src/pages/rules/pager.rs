//! The way through a list that is never shown whole.

use askama::Template;
use askama::filters::HtmlSafe;
use novacula_protocol::people::Page;

use crate::pages::words;

/// Links to the newest and to the next page of a list.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "rules/pager.html")]
pub(crate) struct Pager {
    newest: Option<String>,
    older: Option<String>,
}

/// Its template escapes what it shows.
impl HtmlSafe for Pager {}

/// Rows of a list on a page.
pub(crate) const ROWS: &str = "50";

impl Pager {
    /// Of a list at `path` whose cursor is the parameter `name`, here at `at`; `others` stay as they are.
    pub(crate) fn of<T>(
        path: &str,
        others: &[(&str, &str)],
        name: &str,
        at: Option<&str>,
        page: &Page<T>,
    ) -> Self {
        let link = |cursor: Option<&str>| {
            let pairs = others.iter().copied().chain(cursor.map(|cursor| (name, cursor)));
            let query = words::query(pairs.filter(|(_, value)| !value.is_empty()));
            if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
        };
        Self {
            newest: at.map(|_| link(None)),
            older: page.next_cursor.as_deref().map(|cursor| link(Some(cursor))),
        }
    }
}

/// The path that asks the API for a page of a list.
pub(crate) fn asked(path: &str, others: &[(&str, &str)], cursor: Option<&str>) -> String {
    let pairs = others.iter().copied().chain(cursor.map(|cursor| ("cursor", cursor)));
    let query = words::query(pairs.filter(|(_, value)| !value.is_empty()).chain([("limit", ROWS)]));
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_keeps_the_filters_and_a_short_list_has_none() {
        let page = |next: Option<&str>| Page::<u8> { items: vec![], next_cursor: next.map(str::to_owned) };
        let filters = [("actor", "a&b"), ("target", "")];
        let both = Pager::of("/activity/", &filters, "cursor", Some("7"), &page(Some("3")));
        assert_eq!(both.newest.as_deref(), Some("/activity/?actor=a%26b"));
        assert_eq!(both.older.as_deref(), Some("/activity/?actor=a%26b&cursor=3"));
        assert_eq!(Pager::of("/x/", &[], "cursor", None, &page(None)).render().unwrap().trim(), "");
        assert_eq!(asked("/users", &filters, Some("3")), "/users?actor=a%26b&cursor=3&limit=50");
    }
}

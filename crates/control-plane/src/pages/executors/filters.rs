//! Pure: which executors a visitor wants to see, as it stands in the address of the page and in the form above the table.

use crate::pages::words;

/// What narrows the list, each as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub search: String,
    /// `key=value` each.
    pub labels: Vec<String>,
    pub group: String,
    pub version: String,
    pub channel: String,
    pub kind: String,
    pub status: String,
    pub support: String,
    pub held: String,
    pub pending: String,
    /// Where the page begins.
    pub cursor: String,
}

impl Filters {
    /// From the address; an empty field of a form filters nothing.
    pub(crate) fn read(pairs: Vec<(String, String)>) -> Self {
        let mut filters = Self::default();
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            match name.as_str() {
                "label" if !value.is_empty() => filters.labels.push(value),
                name => {
                    if let Some(field) = filters.field(name) {
                        *field = value;
                    }
                }
            }
        }
        filters
    }

    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "search" => &mut self.search,
            "group" => &mut self.group,
            "version" => &mut self.version,
            "channel" => &mut self.channel,
            "kind" => &mut self.kind,
            "status" => &mut self.status,
            "support" => &mut self.support,
            "held" => &mut self.held,
            "pending" => &mut self.pending,
            "cursor" => &mut self.cursor,
            _ => return None,
        })
    }

    /// Without the page: what narrows the list.
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let fields = [
            ("search", &self.search),
            ("group", &self.group),
            ("version", &self.version),
            ("channel", &self.channel),
            ("kind", &self.kind),
            ("status", &self.status),
            ("support", &self.support),
            ("held", &self.held),
            ("pending", &self.pending),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let labels = self.labels.iter().map(|label| ("label", label.as_str()));
        fields.map(|(name, value)| (name, value.as_str())).chain(labels).collect()
    }

    /// Something narrows the list.
    pub(crate) fn narrow(&self) -> bool {
        !self.pairs().is_empty()
    }

    /// What the API is asked.
    pub(crate) fn asked(&self, limit: usize) -> String {
        let limit = limit.to_string();
        let mut pairs = self.pairs();
        pairs.push(("limit", &limit));
        if !self.cursor.is_empty() {
            pairs.push(("cursor", &self.cursor));
        }
        format!("/executors?{}", words::query(pairs))
    }

    /// The page itself.
    pub(crate) fn here(&self) -> String {
        self.page(&self.cursor)
    }

    /// The page that begins at a cursor; the first without.
    pub(crate) fn page(&self, cursor: &str) -> String {
        let mut pairs = self.pairs();
        if !cursor.is_empty() {
            pairs.push(("cursor", cursor));
        }
        if pairs.is_empty() {
            "/executors/".to_owned()
        } else {
            format!("/executors/?{}", words::query(pairs))
        }
    }

    /// The page of a bulk request for all of these; nothing where a batch could not tell them from others.
    pub(crate) fn bulk(&self) -> Option<String> {
        let mut pairs = self.pairs();
        let is_known = |(name, _): &(&str, &str)| matches!(*name, "kind" | "label");
        if !pairs.iter().all(is_known) {
            return None;
        }
        if self.labels.is_empty() {
            pairs.push(("all", "yes"));
        }
        Some(format!("/executors/upgrade?{}", words::query(pairs)))
    }
}

/// The query of the list of those that have a label.
pub(crate) fn label_query(key: &str, value: &str) -> String {
    words::query([("label", format!("{key}={value}").as_str())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Filters {
        Filters::read(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn empty_fields_filter_nothing_and_the_rest_is_kept_through_the_pages() {
        let none = read(&[("search", " "), ("label", ""), ("kind", ""), ("unknown", "x")]);
        assert!(!none.narrow());
        assert_eq!(
            (none.here(), none.asked(50)),
            ("/executors/".to_owned(), "/executors?limit=50".to_owned())
        );
        let some = read(&[("label", "a=b&c"), ("label", "x=y"), ("held", "true"), ("cursor", "6a")]);
        assert_eq!(some.asked(50), "/executors?held=true&label=a%3Db%26c&label=x%3Dy&limit=50&cursor=6a");
        assert_eq!(some.page("6b"), "/executors/?held=true&label=a%3Db%26c&label=x%3Dy&cursor=6b");
        assert_eq!(some.page(""), "/executors/?held=true&label=a%3Db%26c&label=x%3Dy");
    }

    #[test]
    fn only_what_a_batch_can_tell_apart_is_offered_as_a_whole() {
        assert_eq!(
            read(&[("label", "a=b"), ("kind", "agent")]).bulk().as_deref(),
            Some("/executors/upgrade?kind=agent&label=a%3Db")
        );
        assert_eq!(read(&[]).bulk().as_deref(), Some("/executors/upgrade?all=yes"));
        assert_eq!(read(&[("label", "a=b"), ("status", "online")]).bulk(), None);
    }
}

//! The places for values in a statement, as PostgreSQL wants them: `?2` and `:name` become `$1`, `$2`, …

use super::super::{Error, Sql, Values};
use rusqlite::types::ToSql;

/// A statement with its places, in the order of their numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub text: String,
    pub places: Vec<Place>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Number(usize),
    Name(String),
}

pub(super) fn translate(text: &str) -> Translated {
    let mut translated = Translated { text: String::with_capacity(text.len()), places: Vec::new() };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (taken, place) = match first {
            '\'' | '"' => (quoted(rest, first), None),
            '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), None),
            '?' => {
                let taken = 1 + digits(&rest[1..]);
                (taken, rest[1..taken].parse().ok().map(Place::Number))
            }
            ':' if rest.starts_with("::") => (2, None),
            ':' => {
                let taken = 1 + word(&rest[1..]);
                (taken, (taken > 1).then(|| Place::Name(rest[..taken].to_owned())))
            }
            other => (other.len_utf8(), None),
        };
        match place {
            Some(place) => {
                let number = translated.number_of(place);
                translated.text.push_str(&format!("${number}"));
            }
            None => translated.text.push_str(&rest[..taken]),
        }
        rest = &rest[taken..];
    }
    translated
}

impl Translated {
    fn number_of(&mut self, place: Place) -> usize {
        let known = self.places.iter().position(|known| *known == place);
        known.map_or_else(
            || {
                self.places.push(place);
                self.places.len()
            },
            |known| known + 1,
        )
    }

    /// The values in the order of the places.
    pub(super) fn given<'p>(&self, values: Values<'p>) -> Sql<Vec<&'p dyn ToSql>> {
        let value = |place: &Place| match (place, values) {
            (Place::Number(number), Values::Numbered(values)) => values.get(number - 1).copied(),
            (Place::Name(name), Values::Named(values)) => {
                values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
            }
            _ => None,
        };
        let missing =
            |place: &Place| Error::Unfit(format!("the statement has no value for {place:?}").into());
        self.places.iter().map(|place| value(place).ok_or_else(|| missing(place))).collect()
    }
}

/// How long the quoted part at the start is; a doubled quote inside it begins the next.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_in_the_order_in_which_they_are_met() {
        let found = translate(
            "UPDATE t SET a = ?3, b = ?1, c = ?3 WHERE d = ':x?1' AND e = \"?2\" -- ?9\n OR f = ?2",
        );
        assert_eq!(
            found.text,
            "UPDATE t SET a = $1, b = $2, c = $1 WHERE d = ':x?1' AND e = \"?2\" -- ?9\n OR f = $3"
        );
        assert_eq!(found.places, [Place::Number(3), Place::Number(1), Place::Number(2)]);
    }

    #[test]
    fn names_are_places_and_casts_are_none() {
        let found = translate("SELECT 'it''s :no' || :a::text WHERE :b_2 IS NULL OR x = :a");
        assert_eq!(found.text, "SELECT 'it''s :no' || $1::text WHERE $2 IS NULL OR x = $1");
        assert_eq!(found.places, [Place::Name(":a".into()), Place::Name(":b_2".into())]);
    }

    #[test]
    fn a_value_that_is_missing_is_told() {
        let found = translate("SELECT ?1, ?2");
        assert!(found.given(Values::Numbered(rusqlite::params![1])).is_err());
        assert_eq!(found.given(Values::Numbered(rusqlite::params![1, 2])).unwrap().len(), 2);
        assert!(found.given(Values::Named(rusqlite::named_params! {":a": 1})).is_err());
    }
}

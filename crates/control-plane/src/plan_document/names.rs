//! Lists of names in sentences.

/// More are not read.
const SHOWN: usize = 5;
const SHOWN_CHARS: usize = 80;

/// `` `a`, `b` and 3 more``.
pub(super) fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<_> =
        names.by_ref().take(SHOWN).map(|name| format!("`{}`", short(name.as_ref()))).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `` `a`, `b` and 3 more``, or a sentence that there are none.
pub(super) fn list_or<T: AsRef<str>>(names: impl IntoIterator<Item = T>, none: &str) -> String {
    let listed = list(names);
    if listed.is_empty() { none.to_owned() } else { listed }
}

/// `1 executor`, `2 executors`.
pub(super) fn executors(count: usize) -> String {
    if count == 1 { "1 executor".to_owned() } else { format!("{count} executors") }
}

/// On one line, and cut where it is long.
pub(super) fn short(name: &str) -> String {
    let mut shown: String = name.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if name.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

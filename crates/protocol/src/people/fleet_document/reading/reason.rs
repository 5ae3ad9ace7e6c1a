//! What serde says, in the words of people who write plans.

/// Longer than that, what was found is not repeated.
const SHOWN_CHARS: usize = 200;

/// In a line of a terminal: cut where it is long, and with nothing in it that moves or hides the rest.
pub(super) fn shown(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == SHOWN_CHARS {
            shown.push('…');
            break;
        }
        if hides(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// One sentence that follows the path of the field.
pub(super) fn reason(said: &str) -> String {
    let split = |prefix: &str| said.strip_prefix(prefix)?.rsplit_once(", expected ");
    if let Some((_, known)) = split("unknown field ") {
        return format!("is no field that is known here; {}", known_fields(known));
    }
    if let Some((found, known)) = split("unknown variant ") {
        return format!("must be {known}, it is {}", shown(found));
    }
    if let Some((found, expected)) = split("invalid type: ").or_else(|| split("invalid value: ")) {
        let quotes = match expected {
            "a string" if found.contains('`') => "; put it in quotes",
            _ => "",
        };
        return format!("must be {}, it is {}{quotes}", wanted(expected), shown(&what(found)));
    }
    shown(said)
}

fn known_fields(known: &str) -> String {
    match known.strip_prefix("one of ") {
        Some(several) => format!("there are {several}"),
        None => format!("there is {known}"),
    }
}

fn wanted(expected: &str) -> &str {
    match expected {
        "a string" => "text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "u8" | "u32" | "u64" => "a whole number, not negative and not larger than 4294967295",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "variant identifier" => "a word such as `http`",
        "a map" => "a mapping of names to values",
        it if it.starts_with("struct ") || it.contains("tagged enum") => "a mapping of names to values",
        it => it,
    }
}

fn what(found: &str) -> String {
    let number = found.strip_prefix("floating point ").or_else(|| found.strip_prefix("integer "));
    match (number, found) {
        (Some(number), _) => format!("the number {number}"),
        (None, "null" | "unit value") => "empty".to_owned(),
        (None, "sequence") => "a list".to_owned(),
        (None, "map") => "a mapping".to_owned(),
        (None, it) => {
            it.strip_prefix("boolean ").or_else(|| it.strip_prefix("string ")).unwrap_or(it).to_owned()
        }
    }
}

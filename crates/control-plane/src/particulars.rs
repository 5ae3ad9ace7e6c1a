//! Pure: what a release says of itself until it is published: its type, and the steps that people do themselves.

use novacula_protocol::people::{Release, Step};

const MAX_TYPE: usize = 64;
const MAX_STEPS: usize = 50;
const MAX_STEP: usize = 4_096;

/// What somebody says of a release; what is absent is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Upgrades of different types keep their order.
    pub r#type: Option<String>,
    /// Before an upgrade begins.
    pub prerequisites: Option<Vec<String>>,
    /// After it has completed.
    pub postrequisites: Option<Vec<String>>,
}

impl Particulars {
    /// It can be meant.
    ///
    /// # Errors
    /// One sentence: what was expected, what was found.
    pub fn checked(self) -> Result<Self, String> {
        if let Some(word) = &self.r#type {
            is_type(word)?;
        }
        for (field, steps) in
            [("prerequisites", &self.prerequisites), ("postrequisites", &self.postrequisites)]
        {
            are_steps(field, steps.as_deref().unwrap_or_default())?;
        }
        Ok(self)
    }

    /// The first of it that the release says otherwise: the field, as it stands, and as it is said here.
    #[must_use]
    pub fn differs(&self, release: &Release) -> Option<(&'static str, String, String)> {
        if let Some(word) = self.r#type.as_ref().filter(|word| **word != release.r#type) {
            return Some(("type", release.r#type.clone(), word.clone()));
        }
        let steps = [
            ("prerequisites", &self.prerequisites, &release.prerequisites),
            ("postrequisites", &self.postrequisites, &release.postrequisites),
        ];
        steps.into_iter().find_map(|(field, said, known)| {
            let (said, known) = (said.as_ref()?, texts(known.as_deref()));
            (*said != known).then(|| (field, in_short(&known), in_short(said)))
        })
    }

    /// Puts it into the release.
    pub fn tell(&self, release: &mut Release) {
        if let Some(word) = &self.r#type {
            release.r#type.clone_from(word);
        }
        if let Some(steps) = &self.prerequisites {
            release.prerequisites = Some(numbered(steps.clone()));
        }
        if let Some(steps) = &self.postrequisites {
            release.postrequisites = Some(numbered(steps.clone()));
        }
    }
}

/// Steps with their numbers.
#[must_use]
pub fn numbered(texts: Vec<String>) -> Vec<Step> {
    (1..).zip(texts).map(|(number, text)| Step { number, text }).collect()
}

/// Steps without their numbers.
#[must_use]
pub fn texts(steps: Option<&[Step]>) -> Vec<String> {
    steps.unwrap_or_default().iter().map(|step| step.text.clone()).collect()
}

fn is_type(word: &str) -> Result<(), String> {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if (1..=MAX_TYPE).contains(&word.len()) && word.bytes().all(fits) {
        return Ok(());
    }
    let word: String = word.chars().take(MAX_TYPE).collect();
    Err(format!("`type` must have 1 to {MAX_TYPE} small letters, digits and `-`, it is {word:?}"))
}

fn are_steps(field: &str, steps: &[String]) -> Result<(), String> {
    if steps.len() > MAX_STEPS {
        return Err(format!("`{field}` must be at most {MAX_STEPS} steps, there are {}", steps.len()));
    }
    for (number, step) in (1..).zip(steps) {
        let length = step.chars().count();
        if step.trim().is_empty() || length > MAX_STEP {
            return Err(format!(
                "step {number} of `{field}` must say in 1 to {MAX_STEP} characters what to do, it has {length}"
            ));
        }
    }
    Ok(())
}

fn in_short(steps: &[String]) -> String {
    let first: String = steps.first().map(|step| step.chars().take(40).collect()).unwrap_or_default();
    match steps.len() {
        0 => "none".to_owned(),
        1 => format!("1 step, {first}"),
        count => format!("{count} steps, first {first}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_word_and_steps_say_what_to_do() {
        let word = |word: &str| Particulars { r#type: Some(word.into()), ..Particulars::default() };
        let steps =
            |steps: Vec<String>| Particulars { postrequisites: Some(steps), ..Particulars::default() };
        for good in [
            word("agent"),
            word("db-migration-2"),
            word(&"x".repeat(64)),
            steps(vec![]),
            steps(vec!["é".repeat(4_096); 50]),
            steps(vec!["<b>'; DROP TABLE releases; --</b>\nand more".into()]),
            Particulars::default(),
        ] {
            assert_eq!(good.clone().checked(), Ok(good));
        }
        for (bad, said) in [
            (word(""), "1 to 64"),
            (word("Agent"), "small letters"),
            (word("a b"), "small letters"),
            (word("a_b"), "small letters"),
            (word("é"), "small letters"),
            (word(&"x".repeat(65)), "1 to 64"),
            (word("<b>'; --\u{1b}[2J"), "small letters"),
            (steps(vec!["x".into(); 51]), "at most 50"),
            (steps(vec!["x".into(), " \n".into()]), "step 2 of `postrequisites`"),
            (steps(vec!["x".repeat(4_097)]), "it has 4097"),
        ] {
            let refused = bad.checked().unwrap_err();
            assert!(refused.contains(said) && !refused.contains('\u{1b}'), "{refused}");
        }
    }
}

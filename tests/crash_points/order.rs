//! The order on disk is the safety argument: it is read from what one upgrade calls.

/// Finds the calls of one run one after the other.
pub struct Order<'a> {
    left: Vec<&'a str>,
}

impl<'a> Order<'a> {
    /// Of a run under strace, one call a line.
    pub fn of(calls: &'a str) -> Self {
        Self { left: calls.lines().collect() }
    }

    /// The next call of `name` in which all of `parts` stand, behind the one found before.
    #[track_caller]
    pub fn then(&mut self, sentence: &str, name: &str, parts: &[&str]) {
        let Some(position) = self.left.iter().position(|line| is_call(line, name, parts)) else {
            panic!("{sentence}: no {name} of {parts:?} among\n{}", self.left.join("\n"));
        };
        self.left.drain(..=position);
    }

    /// No such call is left.
    #[track_caller]
    pub fn never(&self, sentence: &str, name: &str, parts: &[&str]) {
        let found = self.left.iter().find(|line| is_call(line, name, parts));
        assert!(found.is_none(), "{sentence}: {found:?}");
    }
}

fn is_call(line: &str, name: &str, parts: &[&str]) -> bool {
    let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
    call.starts_with(name) && parts.iter().all(|part| call.contains(part))
}

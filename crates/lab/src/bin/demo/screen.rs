//! What the demonstration looks like: plain lines for a file or a pipe, colour and one moving line on a terminal.

use std::env;
use std::io::{IsTerminal as _, Write as _, stdout};

/// Where the story is told.
pub struct Screen {
    is_terminal: bool,
    has_colour: bool,
}

impl Screen {
    pub fn new() -> Self {
        let is_terminal = stdout().is_terminal();
        Self { is_terminal, has_colour: is_terminal && env::var_os("NO_COLOR").is_none() }
    }

    /// A line.
    pub fn say(&self, text: &str) {
        println!("{}{text}", self.wipe());
    }

    /// The head of a chapter.
    pub fn chapter(&self, text: &str) {
        self.say(&format!("\n{}", self.coloured("1", text)));
    }

    /// What a sysadmin would type.
    pub fn command(&self, text: &str) {
        self.say(&format!("  {}", self.coloured("36", &format!("$ {text}"))));
    }

    /// Why something is as it is.
    pub fn remark(&self, text: &str) {
        self.say(&format!("  {}", self.coloured("2", text)));
    }

    /// Something that has come true.
    pub fn good(&self, text: &str) {
        self.say(&format!("  {} {text}", self.coloured("32", "✓")));
    }

    /// Something bad that was dealt with.
    pub fn caught(&self, text: &str) {
        self.say(&format!("  {} {text}", self.coloured("33", "↩")));
    }

    /// The line that moves; on a terminal only.
    pub fn moving(&self, text: &str) {
        if self.is_terminal {
            print!("{}{text}", self.wipe());
            // Whoever closed the terminal does not miss it.
            let _ = stdout().flush();
        }
    }

    fn wipe(&self) -> &'static str {
        if self.is_terminal { "\r\x1b[2K" } else { "" }
    }

    fn coloured(&self, code: &str, text: &str) -> String {
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

//! `novactl completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::command_line::CommandLine;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// For which shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self, terminal: &Terminal) -> anyhow::Result<Ending> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "novactl", &mut script);
        terminal.bytes(&script)?;
        Ok(Ending::Done)
    }
}

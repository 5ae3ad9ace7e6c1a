//! The command line as a whole: what can be asked for, and how each command ends.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::completions::Completions;
use crate::connection;
use crate::control_plane::ControlPlane;
use crate::ending::{Ending, Failure, wrong_usage};
use crate::simulate::Simulate;
use crate::terminal::Terminal;
use crate::{
    account, activity, batch, executor, fleet, four_eyes, freeze, release, token, upgrade, user, webhook,
    window,
};

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed (also: a watched upgrade did not complete, a watched plan was halted), 2 wrong usage, 3 nothing to do, \
4 refused by policy.

Your token comes from --token-file or from the variable NOVACULA_TOKEN, never from the command line: every user of a \
machine can read the command lines of all others.";

/// Publish releases, enrol executors, request and watch upgrades, of one or of a whole fleet
#[derive(Debug, Parser)]
#[command(name = "novactl", version, after_help = AFTER_HELP)]
pub struct CommandLine {
    #[command(flatten)]
    connection: connection::Options,

    /// Results as JSON on stdout, errors as problem JSON on stderr
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Publish, list and yank releases
    #[command(subcommand)]
    Release(release::Command),
    /// Enrol, list and show executors
    #[command(subcommand)]
    Executor(executor::Command),
    /// Request, follow and steer upgrades
    #[command(subcommand)]
    Upgrade(upgrade::Command),
    /// Say when upgrades may begin
    #[command(subcommand)]
    Window(window::Command),
    /// Let no upgrade begin for some time
    #[command(subcommand)]
    Freeze(freeze::Command),
    /// Upgrade many executors, and see who needs it
    #[command(subcommand)]
    Batch(batch::Command),
    /// Take a fleet to a version, wave by wave: apply, watch, halt and roll back plans
    #[command(subcommand)]
    Fleet(fleet::Command),
    /// Let a second person approve upgrades
    #[command(subcommand)]
    FourEyes(four_eyes::Command),
    /// Make, suspend and resume accounts
    #[command(subcommand)]
    Account(account::Command),
    /// Say who is in the account, and as what
    #[command(subcommand)]
    User(user::Command),
    /// Make and end tokens of yours
    #[command(subcommand)]
    Token(token::Command),
    /// See who did what, when and why
    #[command(subcommand)]
    Activity(activity::Command),
    /// Have others told of upgrades
    #[command(subcommand)]
    Webhook(webhook::Command),
    Simulate(Box<Simulate>),
    Completions(Completions),
}

/// Runs one command line to its end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let ending = match CommandLine::try_parse_from(&arguments) {
        Ok(line) => line.run(),
        Err(error) => not_a_command(&error, &arguments),
    };
    ExitCode::from(ending.code())
}

impl CommandLine {
    fn run(self) -> Ending {
        let terminal = Terminal::new(self.json);
        let result = match &self.command {
            Command::Completions(completions) => completions.run(&terminal),
            Command::Simulate(simulate) => simulate.run(&terminal),
            Command::Release(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Executor(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Account(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::User(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Token(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Activity(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Window(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Batch(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Fleet(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::FourEyes(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Freeze(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Upgrade(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
            Command::Webhook(command) => self.connect(&terminal).and_then(|cp| command.run(&cp, &terminal)),
        };
        result.unwrap_or_else(|error| {
            // `novactl … | head`: nobody reads on, so there is nothing to say.
            let unread = error.chain().filter_map(|e| e.downcast_ref::<io::Error>());
            if unread.into_iter().any(|e| e.kind() == io::ErrorKind::BrokenPipe) {
                return Ending::Failed;
            }
            terminal.failure(&Failure::from_chain(&error))
        })
    }

    fn connect(&self, terminal: &Terminal) -> anyhow::Result<ControlPlane> {
        Ok(ControlPlane::new(self.connection.connection(terminal)?))
    }
}

fn not_a_command(error: &clap::Error, arguments: &[OsString]) -> Ending {
    let terminal = Terminal::new(arguments.iter().any(|argument| argument == "--json"));
    let asked_for_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if terminal.json && !asked_for_help {
        let text = error.render().to_string();
        let sentence = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return terminal.failure(&wrong_usage(sentence));
    }
    // Nothing else could be said if this cannot be printed.
    let _ = error.print();
    if asked_for_help { Ending::Done } else { Ending::WrongUsage }
}

//! How a command ends: the exit codes of the protocol, and the one shape of everything that is not a success.

use std::fmt;

use novacula_protocol::Refusal;
use novacula_protocol::problem::Problem;

/// The exit codes, the same as the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What was asked for is done.
    Done,
    /// It is not, and trying again may help.
    Failed,
    /// The command line is not one.
    WrongUsage,
    /// It was done before.
    NothingToDo,
    /// A rule stands against it; trying again as it is will not help.
    Refused,
    /// A simulation has found the control plane break a promise.
    Broken,
}

impl Ending {
    /// For the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::WrongUsage => 2,
            Self::NothingToDo | Self::Broken => 3,
            Self::Refused => 4,
        }
    }
}

/// A command that did not do what was asked, in the words of the API.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How the command ends because of it.
    pub ending: Ending,
    /// For `--json`, and its sentence for people.
    pub problem: Problem,
    /// Of the answer, if it came as one.
    pub status: Option<u16>,
    /// The next try may succeed without anybody doing anything.
    passing: bool,
}

impl Failure {
    /// Puts an ending, a code and a sentence together.
    pub fn new(ending: Ending, code: impl Into<String>, message: impl Into<String>) -> Self {
        let problem = Problem { code: code.into(), message: message.into(), details: serde_json::Map::new() };
        Self { ending, problem, status: None, passing: false }
    }

    /// Nobody could be asked, or the one asked was too busy.
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Whether waiting may cure it.
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// What an error chain comes to: the failure in it, or a plain one.
    pub fn from_chain(error: &anyhow::Error) -> Self {
        match error.downcast_ref::<Self>() {
            Some(failure) => failure.clone(),
            None => Self::new(Ending::Failed, "failed", format!("{error:#}")),
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { ending: Ending::Failed, problem, status: None, passing: false }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(Ending::Refused, refusal.code.as_str(), refusal.message)
    }
}

/// The command line asks for something that is not one thing.
pub fn wrong_usage(message: impl Into<String>) -> Failure {
    Failure::new(Ending::WrongUsage, "usage", message)
}

/// It is as asked for already.
pub fn nothing_to_do(message: impl Into<String>) -> Failure {
    Failure::new(Ending::NothingToDo, "nothing_to_do", message)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Failure {}

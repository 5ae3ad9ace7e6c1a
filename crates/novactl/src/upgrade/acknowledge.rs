//! `novactl upgrade acknowledge`

use novacula_protocol::people::{self, UpgradeSteps};

use super::steps;
use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Say that steps before an upgrade are done, or with --after those after it
///
/// An upgrade does not begin while a step before it is open. Who says first that a step is done stays.
#[derive(Debug, clap::Args)]
pub struct Acknowledge {
    /// Its id
    id: String,

    /// The numbers of the steps, as `novactl upgrade steps` shows them
    #[arg(required = true, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    numbers: Vec<u32>,

    /// The steps after the upgrade, once it has completed
    #[arg(long)]
    after: bool,
}

impl Acknowledge {
    /// Says so, and shows how it stands then.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let part = if self.after { "postrequisites" } else { "prerequisites" };
        let path = format!("{}/{part}/acknowledge", super::path(&self.id)?);
        let asked = people::Acknowledge { numbers: self.numbers.clone() };
        let shown: UpgradeSteps = control_plane.post(&path, &asked)?;
        steps::show(terminal, &shown)?;
        Ok(Ending::Done)
    }
}

//! `novactl fleet group create`

use novacula_protocol::people::{ExecutorGroup, ExecutorGroupRequest, Selector};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Call executors by one name
///
/// A group is all executors that its selector takes, today and later. A wave names it with `group: NAME`; who is in the
/// wave is fixed when it begins.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Its name
    name: String,

    /// Whom it takes, for example "site=berlin,ring in (canary,test)"
    #[arg(long, value_name = "SELECTOR", value_parser = super::somebody)]
    selector: Selector,
}

impl Create {
    /// Makes it, and says how many it takes.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let asked = ExecutorGroupRequest { name: self.name.clone(), selector: self.selector.clone() };
        let group: ExecutorGroup = control_plane.post(super::GROUPS, &asked)?;
        super::show(terminal, &group)?;
        Ok(Ending::Done)
    }
}

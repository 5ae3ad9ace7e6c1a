//! `novactl fleet group change`

use novacula_protocol::people::{ExecutorGroup, ExecutorGroupPatch, Selector};

use crate::control_plane::ControlPlane;
use crate::ending::{Ending, wrong_usage};
use crate::terminal::Terminal;

/// Change a group; what is not given stays
///
/// Waves that have begun keep the executors they have. A group that a wave to come names keeps its name.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Its name or its id
    #[arg(value_name = "NAME|ID")]
    group: String,

    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Whom it takes, for example "site=berlin,ring in (canary,test)"
    #[arg(long, value_name = "SELECTOR", value_parser = super::somebody)]
    selector: Option<Selector>,
}

impl Change {
    /// Changes it, and says how many it takes then.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let patch = ExecutorGroupPatch { name: self.name.clone(), selector: self.selector.clone() };
        if patch == ExecutorGroupPatch::default() {
            let sentence = "expected what to change: see `novactl fleet group change --help`";
            return Err(wrong_usage(sentence).into());
        }
        let known = super::find(control_plane, &self.group)?;
        let group: ExecutorGroup = control_plane.patch(&super::path(&known), &patch)?;
        super::show(terminal, &group)?;
        Ok(Ending::Done)
    }
}

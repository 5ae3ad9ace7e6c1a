//! `novactl upgrade steps`

use novacula_protocol::people::{UpgradeStep, UpgradeSteps};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// Show what people do before and after one upgrade, and who says that it is done
#[derive(Debug, clap::Args)]
pub struct Steps {
    /// Its id
    id: String,
}

impl Steps {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let path = format!("{}/steps", super::path(&self.id)?);
        show(terminal, &control_plane.get(&path, &[])?)?;
        Ok(Ending::Done)
    }
}

pub fn show(terminal: &Terminal, steps: &UpgradeSteps) -> anyhow::Result<()> {
    if terminal.json {
        return terminal.json(steps);
    }
    part(terminal, "before", &steps.prerequisites)?;
    part(terminal, "after", &steps.postrequisites)
}

fn part(terminal: &Terminal, what: &str, steps: &[UpgradeStep]) -> anyhow::Result<()> {
    if steps.is_empty() {
        return terminal.line(format!("{what}: none"));
    }
    terminal.line(format!("{what}:"))?;
    for step in steps {
        let mark = if step.acknowledged_by.is_some() { '+' } else { '.' };
        let mut lines = step.text.lines();
        terminal.line(format!("  {mark} {:>2}. {}", step.number, lines.next().unwrap_or_default()))?;
        lines.try_for_each(|line| terminal.line(format!("        {line}")))?;
        if let (Some(by), Some(at)) = (&step.acknowledged_by, step.acknowledged_at) {
            terminal.line(format!("        done, says {by}, {}", at.strftime("%Y-%m-%d %H:%M:%SZ")))?;
        }
    }
    Ok(())
}

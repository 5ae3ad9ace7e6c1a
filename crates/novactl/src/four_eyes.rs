//! `novactl four-eyes …`: which channels want the approval of a second person.

use novacula_protocol::people::FourEyes;
use novacula_protocol::sync::Channel;

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

const FOUR_EYES: &str = "/four-eyes";

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the channels whose releases want the approval of a second person
    Show,
    /// Choose them
    Set {
        /// stable, beta, dev; none of them: nobody is asked
        #[arg(value_name = "CHANNEL", value_parser = crate::release::channel)]
        channels: Vec<Channel>,
    },
}

impl Command {
    /// Does what was asked.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let chosen: FourEyes = match self {
            Self::Show => control_plane.get(FOUR_EYES, &[])?,
            Self::Set { channels } => {
                control_plane.put(FOUR_EYES, &FourEyes { channels: channels.clone() })?
            }
        };
        if terminal.json {
            terminal.json(&chosen)?;
            return Ok(Ending::Done);
        }
        let channels: Vec<_> = chosen.channels.iter().map(|channel| channel.as_str()).collect();
        terminal.line(match channels.as_slice() {
            [] => "no upgrade wants an approval".to_owned(),
            some => format!("upgrades to releases of {} want an approval", some.join(", ")),
        })?;
        Ok(Ending::Done)
    }
}

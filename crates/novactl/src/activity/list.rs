//! `novactl activity list`

use jiff::Timestamp;
use novacula_protocol::people::{Activity, Page};

use crate::control_plane::ControlPlane;
use crate::ending::Ending;
use crate::terminal::Terminal;

/// List who did what, newest first
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only by this actor: a person, `executor NAME` or `control plane`
    #[arg(long)]
    actor: Option<String>,

    /// Only this action, for example release.yanked
    #[arg(long)]
    action: Option<String>,

    /// Only what was done to this: an id, a name or a version
    #[arg(long, value_name = "ID|NAME")]
    target: Option<String>,

    /// Not before this time, for example 2026-11-21T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,

    /// At most so many; 100 unless told, with --csv all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// As a table for a spreadsheet
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

impl List {
    /// Prints them.
    pub fn run(&self, control_plane: &ControlPlane, terminal: &Terminal) -> anyhow::Result<Ending> {
        let since = self.since.map(|since| since.to_string());
        let mut query = Vec::new();
        query.extend(self.actor.as_deref().map(|actor| ("actor", actor)));
        query.extend(self.action.as_deref().map(|action| ("action", action)));
        query.extend(self.target.as_deref().map(|target| ("target", target)));
        query.extend(since.as_deref().map(|since| ("since", since)));
        let most = match self.limit {
            Some(limit) => limit as usize,
            None if self.csv => usize::MAX,
            None => 100,
        };
        let (items, has_more): (Vec<Activity>, bool) = control_plane.first(super::ACTIVITY, &query, most)?;
        if has_more {
            terminal.note(format!("older ones are not shown: these are the newest {most}, see --limit"));
        }
        if terminal.json {
            terminal.json(&Page { items, next_cursor: None })?;
        } else if self.csv {
            let table = items.iter().fold(Activity::CSV_HEAD.to_owned(), |table, entry| table + &entry.csv());
            terminal.table_text(&table)?;
        } else {
            let rows: Vec<_> = items.into_iter().map(row).collect();
            terminal.table(["AT", "ACTOR", "ACTION", "NAME", "REASON", "TARGET"], &rows)?;
        }
        Ok(Ending::Done)
    }
}

fn row(entry: Activity) -> [String; 6] {
    [
        entry.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        entry.actor,
        entry.action.to_string(),
        entry.name,
        entry.reason,
        entry.target,
    ]
}

//! What may be asked of the load.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use crate::fleet::{Role, Roles};

/// Syncs as a whole fleet of executors, and says in JSON how soon it was answered
#[derive(Parser, Clone, Debug)]
#[command(name = "load")]
pub struct Asked {
    /// Where to: the address of a control plane, or those of its replicas with commas between
    #[arg(long, value_delimiter = ',', required = true, value_name = "ADDR:PORT")]
    pub targets: Vec<SocketAddr>,
    /// So many executors sync in turn, each with its own name and key
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub executors: u32,
    /// So many connections, each kept alive
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub connections: u64,
    /// So many threads
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub threads: u64,
    /// End after so many seconds
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// End after so many requests
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,
    /// So many requests a second, each measured from when it was due [default: each connection asks as soon as it may]
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// How many of 100 executors have something new to say at every sync
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub changing: u32,
    /// What they have to say
    #[arg(long, value_enum, default_value_t = Change::Label, value_name = "WHAT")]
    pub change: Change,
    /// How many of 100 executors report the progress of an upgrade
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub in_upgrade: u32,
    /// So many syncs of an upgrading executor lie between two stages
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub at_a_stage: u32,
    /// So often an executor has said something new in runs before
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub said: u32,
    /// How long a request is tried again, at all targets in turn, before it counts as an error
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    pub patience: f64,
    /// Write down who was told that its change is kept: a line of number, last change answered, last change sent
    #[arg(long, value_name = "FILE")]
    pub acknowledged: Option<PathBuf>,
    /// Print one request as it is sent, and send nothing
    #[arg(long, value_name = "EXECUTOR")]
    pub show: Option<u32>,
}

/// What is new in a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Change {
    /// The value of a label.
    Label,
    /// The next stage of an upgrade, or a line of its log.
    Stage,
}

impl Asked {
    pub fn check(&self) -> Result<()> {
        let both = self.changing + self.in_upgrade;
        ensure!(both <= 100, "--changing and --in-upgrade must be at most 100 together, they are {both}");
        ensure!(self.threads > 0 && self.connections >= self.threads, "every thread wants a connection");
        let enough = self.connections + self.threads;
        ensure!(u64::from(self.executors) >= enough, "there must be at least {enough} executors");
        ensure!(self.executors <= 100_000_000, "a number of an executor has 8 digits");
        ensure!(self.at_a_stage > 0, "--at-a-stage must be at least 1");
        ensure!(self.seconds.is_some() || self.requests.is_some(), "give --seconds or --requests");
        Ok(())
    }

    /// Who says what.
    pub fn roles(&self) -> Roles {
        let changing = match self.change {
            Change::Label => Role::Relabelled,
            Change::Stage => Role::Advancing,
        };
        Roles { upgrading: self.in_upgrade, others: self.changing, changing }
    }
}

//! What a tick of a fleet plan knows of executors beside what the store holds.

use std::collections::HashMap;
use std::sync::Arc;

use novacula_protocol::people::Presence;
use novacula_protocol::spec::Kind;
use uuid::Uuid;

use crate::clock::Clock;
use crate::labels::Labels;

/// What is known of the executors of an account beside what the store holds.
#[derive(Clone)]
pub struct Sights {
    /// By their ids.
    pub by_id: Arc<HashMap<Uuid, Sight>>,
    /// How long an executor has to pick its upgrade up.
    pub ttl_ms: u64,
    /// For the ids of upgrades.
    pub clock: Clock,
}

impl Sights {
    /// For what needs to know nobody.
    pub(super) fn none() -> Self {
        Self { by_id: Arc::default(), ttl_ms: 0, clock: Clock::of_the_system() }
    }
}

/// What is known of one executor.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What people and its host say of it.
    pub labels: Labels,
    /// Whether it syncs, if anybody can tell.
    pub presence: Option<Presence>,
    /// Starts of its service since boot.
    pub restarts: u32,
    /// The freeze or window that lets nothing begin there.
    pub calendar: Option<String>,
}

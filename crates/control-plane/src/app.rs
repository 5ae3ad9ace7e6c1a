//! What every request can reach.

use std::sync::Arc;

use jiff::Timestamp;
use novacula_protocol::signature::TrustedKeys;
use semver::Version;
use tokio_util::sync::CancellationToken;

use crate::artifacts::Artifacts;
use crate::attempts::Attempts;
use crate::calendar::LiveCalendar;
use crate::caller::TrustedProxies;
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::metrics::Metrics;
use crate::oidc::Oidc;
use crate::outgoing::Client;
use crate::pace::Limits;
use crate::pace::live::LivePace;
use crate::password::Passwords;
use crate::session::Site;
use crate::store::Store;
use crate::suspended::Suspended;

/// What may be set about how the control plane behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long after its due time an upgrade waits to be picked up.
    pub pending_upgrade_ttl_ms: u64,
    /// How old the last sync of an online executor may be that was told the next.
    pub heartbeat_timeout_ms: u64,
    /// What executors are told to wait between two syncs while there is not too much to do.
    pub sync_interval_ms: u64,
    /// What they are told at most.
    pub sync_interval_max_ms: u64,
    /// The largest artifact that is taken.
    pub max_artifact_bytes: u64,
    /// How executors reach us; else as the request came in.
    pub public_url: Option<String>,
    /// Where executors fetch artifacts; else from us.
    pub artifact_base_url: Option<String>,
    /// Browsers reach us by https.
    pub is_https: bool,
    /// Whose word about their callers is taken.
    pub trusted_proxies: TrustedProxies,
    /// Requests come in with TLS, without a proxy before us that ends it.
    pub serves_tls: bool,
}

impl Rules {
    /// What the pace keeps to.
    #[must_use]
    pub fn pace(&self) -> Limits {
        Limits {
            base_ms: self.sync_interval_ms,
            ceiling_ms: self.sync_interval_max_ms,
            heartbeat_timeout_ms: self.heartbeat_timeout_ms,
        }
    }

    /// Where people's browsers find us.
    #[must_use]
    pub fn site(&self) -> Site<'_> {
        Site { public_url: self.public_url.as_deref(), is_https: self.is_https }
    }
}

/// The control plane behind its routes.
pub(crate) struct App {
    pub store: Store,
    pub fleet: Arc<Fleet>,
    pub pace: LivePace,
    pub calendar: LiveCalendar,
    pub metrics: Metrics,
    pub attempts: Attempts,
    pub passwords: Passwords,
    pub suspended: Suspended,
    /// Where people log in who are known elsewhere.
    pub oidc: Option<Oidc>,
    pub artifacts: Artifacts,
    pub keys: TrustedKeys,
    pub clock: Clock,
    /// When it began to hear executors.
    pub started_at: Timestamp,
    pub rules: Rules,
    pub webhooks: Client,
    pub gates: Client,
    pub version: Version,
    /// Answers that never end by themselves end when this does.
    pub ending: CancellationToken,
}

//! From settings to a listening control plane, and back to nothing.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs2::FileExt;
use novacula_protocol::enroll::USER_TOKEN_PREFIX;
use novacula_protocol::signature::TrustedKeys;
use semver::Version;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::tokens::USUALLY_FOR;
use crate::app::App;
use crate::artifacts::Artifacts;
use crate::attempts::Attempts;
use crate::calendar::LiveCalendar;
use crate::certificate::Certificate;
use crate::clock::Clock;
use crate::entrance::Entrance;
use crate::gate_probe::rounds;
use crate::hall::{self, Hall};
use crate::ledger::remember;
use crate::metrics::Metrics;
use crate::oidc::Oidc;
use crate::outgoing::Client;
use crate::pace::live::{self, LivePace};
use crate::password::Passwords;
use crate::secrets::{self, NoRandomness, SecretHash};
use crate::settings::{BucketSettings, OutgoingSettings, Settings};
use crate::store::{self, Database, OwnerToken, Store, StoreError};
use crate::suspended::Suspended;
use crate::webhook::dispatch;
use crate::{background, recount, replicas, routes};

/// How long answers that are under way may take once the end is asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Why the control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is of no use.
    #[error("the data directory {0} must be a folder this user can write: {1}")]
    DataDir(PathBuf, std::io::Error),
    /// Somebody else has it.
    #[error("the data directory {0} is in use by another control plane; give each its own")]
    InUse(PathBuf),
    /// The address is of no use.
    #[error("cannot listen on {0}: {1}; choose another with --listen or --port")]
    Listen(SocketAddr, std::io::Error),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] store::OpenError),
    /// The database is.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What TLS is served with is of no use.
    #[error("{0}")]
    Tls(String),
    /// What the bucket of artifacts is reached with is of no use.
    #[error("{0}")]
    Bucket(String),
    /// What calls that go out are trusted by is of no use.
    #[error("{0} {1}: {2}")]
    OutgoingCa(&'static str, PathBuf, String),
    /// No token can be made.
    #[error(transparent)]
    Secret(#[from] NoRandomness),
    /// This program does not know its own version.
    #[error("the version of this program must be semver: {0}")]
    Version(#[from] semver::Error),
}

/// A control plane that listens.
pub struct Running {
    /// Where.
    pub address: SocketAddr,
    /// On the very first start: the owner's token, to be shown once.
    pub owner_token: Option<String>,
    certificate: Option<Arc<Certificate>>,
    app: Arc<App>,
    hall: Hall,
    /// What goes on by itself.
    works: JoinSet<()>,
    _lock: Option<std::fs::File>,
}

/// Starts a control plane; it trusts `keys` and lives by `clock`.
///
/// # Errors
/// One sentence about what is in the way.
pub async fn start(settings: Settings, keys: TrustedKeys, clock: Clock) -> Result<Running, StartError> {
    let data_dir = settings.data_dir;
    let lock = take_data_dir(&data_dir, &settings.database)?;
    let bucket = settings.bucket.map(BucketSettings::open).transpose().map_err(StartError::Bucket)?;
    let artifacts = Artifacts::open(data_dir.join("artifacts"), bucket)
        .map_err(|e| StartError::DataDir(data_dir.clone(), e))?;
    let asked = SocketAddr::new(settings.listen, settings.port);
    let certificate = settings.tls.map(Certificate::read).transpose().map_err(StartError::Tls)?.map(Arc::new);
    let listener = hall::listen(asked).map_err(|e| StartError::Listen(asked, e))?;
    let address = listener.local_addr().map_err(|e| StartError::Listen(asked, e))?;
    let store = Store::open(&settings.database)?;

    let token = secrets::issue(USER_TOKEN_PREFIX)?;
    let ids = [clock.new_id(), clock.new_id(), clock.new_id()];
    let founding = OwnerToken { ids, hash: SecretHash::of(&token), now: clock.now() };
    let is_first_start = store.found_account(founding).await?;
    let suspended = Suspended::remembering(store.suspended_accounts().await?);
    let fleet = remember(&store, clock.now()).await?;
    let (webhooks, gates) = (client(settings.webhooks)?, client(settings.gates)?);
    let now = clock.now();
    let calendar = LiveCalendar::of(store.calendar(now).await?, now);
    let version = Version::parse(env!("CARGO_PKG_VERSION"))?;
    let app = Arc::new(App {
        store,
        fleet,
        pace: LivePace::new(settings.rules.pace()),
        calendar,
        metrics: Metrics::default(),
        attempts: Attempts::default(),
        passwords: Passwords::default(),
        suspended,
        oidc: settings.oidc.map(Oidc::new),
        artifacts,
        keys,
        started_at: clock.now(),
        clock,
        rules: settings.rules,
        webhooks,
        gates,
        version,
        ending: CancellationToken::new(),
    });

    let entrance = Entrance::new(Arc::clone(&app), routes::router(Arc::clone(&app)), Handle::current());
    let hall = Hall::open(listener, certificate.as_ref(), &entrance);
    let hall = hall.map_err(|e| StartError::Listen(asked, e))?;
    let mut works = JoinSet::new();
    works.spawn(background::run(Arc::clone(&app)));
    works.spawn(dispatch::run(Arc::clone(&app)));
    works.spawn(rounds::run(Arc::clone(&app)));
    works.spawn(live::run(Arc::clone(&app)));
    works.spawn(replicas::run(Arc::clone(&app)));
    works.spawn(recount::run(Arc::clone(&app)));
    works.spawn({
        let app = Arc::clone(&app);
        async move { app.artifacts.watch().await }
    });
    Ok(Running {
        address,
        owner_token: is_first_start.then_some(token),
        hall,
        works,
        certificate,
        app,
        _lock: lock,
    })
}

/// Gives an owner of the founding account a new token, when everybody has lost theirs. Nothing else may be using the
/// data directory. Answers whose it is, and the token, to be shown once.
///
/// # Errors
/// One sentence about what is in the way.
pub async fn reset_owner(
    data_dir: &Path,
    database: &Database,
    clock: Clock,
) -> Result<Option<(String, String)>, StartError> {
    let _lock = take_data_dir(data_dir, database)?;
    let store = Store::open(database)?;
    let token = secrets::issue(USER_TOKEN_PREFIX)?;
    let now = clock.now();
    let ids = [clock.new_id(), clock.new_id(), clock.new_id()];
    let new = OwnerToken { ids, hash: SecretHash::of(&token), now };
    let name = store.reset_owner(new, now + USUALLY_FOR).await?;
    Ok(name.map(|name| (name, token)))
}

impl Running {
    /// Where, as callers write it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.certificate.is_some() { "https" } else { "http" }, self.address)
    }

    /// Reads the certificate again. One that is of no use is told in one line, and the one before stays.
    pub fn read_certificate_again(&self) {
        match self.certificate.as_ref().map(|certificate| certificate.read_again()) {
            Some(Ok(())) => tracing::info!("the certificate was read again and is shown from now on"),
            Some(Err(e)) => tracing::error!("the certificate before stays in use: {e}"),
            None => tracing::info!("there is no certificate to be read again"),
        }
    }

    /// Ends: no new requests, those under way get some time, and what was only remembered becomes durable.
    pub async fn stop(mut self) {
        self.app.ending.cancel();
        if !self.hall.close(GRACE).await {
            tracing::warn!("some requests were cut off");
        }
        // To their end: whatever is given back after this, nobody takes again.
        self.works.shutdown().await;
        if let Err(e) = self.app.store.end_turns().await {
            tracing::warn!("the others wait some seconds before they do what happens by the clock: {e}");
        }
        if let Err(e) = self.app.keep_presence(Duration::ZERO).await {
            tracing::error!("the presence of executors is not kept: {e}");
        }
        // A request that was cut off has left its work in the queue.
        if let Err(e) = self.app.store.flush().await {
            tracing::error!("not everything that was asked is written: {e}");
        }
        tracing::info!(commits = self.app.store.commits(), "ended");
    }
}

fn client(settings: OutgoingSettings) -> Result<Client, StartError> {
    let OutgoingSettings { leave, ca_setting, ca_file } = settings;
    let useless = |e: String| StartError::OutgoingCa(ca_setting, ca_file.clone().unwrap_or_default(), e);
    let pem = ca_file.as_ref().map(std::fs::read).transpose().map_err(|e| useless(e.to_string()))?;
    Client::new(leave, pem.as_deref()).map_err(useless)
}

/// A file has one control plane. Those that share a server may share the folder of their artifacts too.
fn take_data_dir(data_dir: &Path, database: &Database) -> Result<Option<std::fs::File>, StartError> {
    let useless = |e| StartError::DataDir(data_dir.to_owned(), e);
    // Names and labels of a fleet are nobody else's business.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(useless)?;
    if let Database::Postgresql(_) = database {
        return Ok(None);
    }
    let lock = std::fs::File::create(data_dir.join("lock")).map_err(useless)?;
    lock.try_lock_exclusive().map_err(|_| StartError::InUse(data_dir.to_owned()))?;
    Ok(Some(lock))
}

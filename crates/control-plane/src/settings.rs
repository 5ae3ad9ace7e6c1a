//! What may be set, by flag or by environment. Every value is read here, and a bad one is told in one line.

mod artifacts;
mod oidc;
mod outgoing;
mod test_mode;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use novacula_protocol::sync::DEFAULT_SYNC_INTERVAL_MS;

use crate::app::Rules;
use crate::caller::TrustedProxies;
use crate::certificate::TlsFiles;
use crate::oidc::OidcSettings;
use crate::store::{Address, Database};

pub use artifacts::{ArtifactArgs, BucketSettings};
pub use outgoing::{OutgoingArgs, OutgoingSettings};
pub use test_mode::TestMode;

/// As written: read by [`Settings::read`], so that a bad value is told in our words.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Where database and artifacts are kept [default: ./novacula-data]
    #[arg(long, env = "DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<String>,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, env = "LISTEN", value_name = "ADDR")]
    pub listen: Option<String>,
    /// The port to listen on, 0 for any that is free [default: 3000]
    #[arg(long, env = "PORT", value_name = "N")]
    pub port: Option<String>,
    /// How executors reach this control plane [default: as their request came in]
    #[arg(long, env = "PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Proxies whose word about their callers is taken: addresses and networks with commas between [default: none]
    #[arg(long, env = "TRUSTED_PROXIES", value_name = "LIST")]
    pub trusted_proxies: Option<String>,
    /// The OpenID provider that people can log in with [default: none]
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// Who this control plane is there
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// File with the secret it shows there
    #[arg(long, env = "OIDC_CLIENT_SECRET_FILE", value_name = "PATH")]
    pub oidc_client_secret_file: Option<String>,
    /// The database, sqlite:PATH or postgresql://HOST/DATABASE; a password belongs into the environment, where no list of
    /// processes shows it [default: a file in the data directory]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// How long after its due time an upgrade waits to be picked up [default: 900000]
    #[arg(long, env = "PENDING_UPGRADE_TTL_MS", value_name = "MS")]
    pub pending_upgrade_ttl_ms: Option<String>,
    /// How old the last sync of an online executor may be [default: 30000]
    #[arg(long, env = "HEARTBEAT_TIMEOUT_MS", value_name = "MS")]
    pub heartbeat_timeout_ms: Option<String>,
    /// How long executors wait between two syncs [default: 5000]
    #[arg(long, env = "SYNC_INTERVAL_MS", value_name = "MS")]
    pub sync_interval_ms: Option<String>,
    /// How long they are told to wait at most, when there is too much to do [default: 60000]
    #[arg(long, env = "SYNC_INTERVAL_MAX_MS", value_name = "MS")]
    pub sync_interval_max_ms: Option<String>,
    /// The largest artifact that is taken [default: 536870912]
    #[arg(long, env = "MAX_ARTIFACT_BYTES", value_name = "BYTES")]
    pub max_artifact_bytes: Option<String>,
    /// The certificate to show callers, PEM, with those between it and its root [default: no TLS]
    #[arg(long, env = "TLS_CERT_FILE", value_name = "FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, env = "TLS_KEY_FILE", value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// How the log is written, json or text [default: text on a terminal, else json]
    #[arg(long, env = "LOG_FORMAT", value_name = "json|text")]
    pub log_format: Option<String>,
    /// Where artifacts are.
    #[command(flatten)]
    pub artifacts: ArtifactArgs,
    /// Calls that go out.
    #[command(flatten)]
    pub outgoing: OutgoingArgs,
    /// For simulations only: a clock that goes SPEED times as fast, counted from TIMESTAMP [default: none]
    #[arg(long, env = "TEST_CLOCK", value_name = "SPEED@TIMESTAMP")]
    pub test_clock: Option<String>,
    /// For simulations only: one more public key whose releases are taken; no agent trusts it [default: none]
    #[arg(long, env = "TEST_KEY", value_name = "FILE")]
    pub test_key: Option<PathBuf>,
}

/// As written: which database is copied, and where to.
#[derive(Args, Clone, Debug, Default)]
pub struct BackupArgs {
    /// The copy; it must not exist yet
    pub file: PathBuf,
    /// Where database and artifacts are kept [default: ./novacula-data]
    #[arg(long, env = "DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<String>,
    /// The database, sqlite:PATH or postgresql://HOST/DATABASE; a password belongs into the environment, where no list of
    /// processes shows it [default: a file in the data directory]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

impl BackupArgs {
    /// Which database.
    ///
    /// # Errors
    /// One line: which value, what was expected, what was found.
    pub fn database(&self) -> Result<Database, String> {
        place(self.data_dir.clone(), self.database_url.as_deref()).map(|(_, database)| database)
    }
}

/// As written: what is moved, and where to.
#[derive(Args, Clone, Debug, Default)]
pub struct MigrateArgs {
    /// The installation as it is, sqlite:PATH
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The database it shall be in, postgresql://HOST/DATABASE; a password belongs into the environment, where no list of
    /// processes shows it
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub to: String,
}

impl MigrateArgs {
    /// From which file, to which database.
    ///
    /// # Errors
    /// One line: which value, what was expected.
    pub fn read(&self) -> Result<(PathBuf, Box<Address>), String> {
        let Ok(Database::Sqlite(from)) = Database::read(&self.from) else {
            return Err("--from must be sqlite:PATH, the file of the installation as it is".to_owned());
        };
        match Database::read(&self.to) {
            Ok(Database::Postgresql(to)) => Ok((from, to)),
            _ => Err("--to (DATABASE_URL) must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE".to_owned()),
        }
    }
}

/// As written: whose owner gets a new token.
#[derive(Args, Clone, Debug, Default)]
pub struct ResetOwnerArgs {
    /// Where database and artifacts are kept [default: ./novacula-data]
    #[arg(long, env = "DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<String>,
    /// The database, sqlite:PATH or postgresql://HOST/DATABASE; a password belongs into the environment, where no list of
    /// processes shows it [default: a file in the data directory]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

impl ResetOwnerArgs {
    /// The data directory and the database.
    ///
    /// # Errors
    /// One line: which value, what was expected, what was found.
    pub fn place(self) -> Result<(PathBuf, Database), String> {
        place(self.data_dir, self.database_url.as_deref())
    }
}

/// As read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where artifacts are kept, and the database unless said otherwise.
    pub data_dir: PathBuf,
    /// The database.
    pub database: Database,
    /// The address to listen on.
    pub listen: IpAddr,
    /// The port to listen on.
    pub port: u16,
    /// How the control plane behaves.
    pub rules: Rules,
    /// Where people log in who are known elsewhere.
    pub oidc: Option<OidcSettings>,
    /// What TLS is served with, if it is.
    pub tls: Option<TlsFiles>,
    /// Where artifacts are kept, if not in the data directory.
    pub bucket: Option<BucketSettings>,
    /// Where webhooks may be.
    pub webhooks: OutgoingSettings,
    /// Where what gates ask may be.
    pub gates: OutgoingSettings,
    /// What makes it a control plane for simulations.
    pub test_mode: TestMode,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const YEAR_MS: u64 = 365 * DAY_MS;

impl Settings {
    /// Reads what was written.
    ///
    /// # Errors
    /// One line: which value, what was expected, what was found.
    pub fn read(args: ServeArgs) -> Result<Self, String> {
        let (data_dir, database) = place(args.data_dir, args.database_url.as_deref())?;
        let listen = args.listen.unwrap_or_else(|| "127.0.0.1".to_owned());
        let listen: IpAddr = listen
            .parse()
            .map_err(|_| bad("LISTEN", "--listen", "an IP address such as 127.0.0.1", &listen))?;
        let port = args.port.unwrap_or_else(|| "3000".to_owned());
        let port = port.parse().map_err(|_| bad("PORT", "--port", "a number from 0 to 65535", &port))?;
        let sync_interval_ms =
            number("SYNC_INTERVAL_MS", args.sync_interval_ms, DEFAULT_SYNC_INTERVAL_MS, 1_000, 900_000)?;
        let heartbeat_timeout_ms =
            number("HEARTBEAT_TIMEOUT_MS", args.heartbeat_timeout_ms, 30_000, 1_000, DAY_MS)?;
        if heartbeat_timeout_ms <= sync_interval_ms {
            return Err(format!(
                "HEARTBEAT_TIMEOUT_MS must be longer than SYNC_INTERVAL_MS ({sync_interval_ms}), found `{heartbeat_timeout_ms}`"
            ));
        }
        let pending_upgrade_ttl_ms =
            number("PENDING_UPGRADE_TTL_MS", args.pending_upgrade_ttl_ms, 900_000, 1_000, YEAR_MS)?;
        // Whoever comes too seldom never picks up what is offered for a short time only.
        let usual_ms = 60_000.min(pending_upgrade_ttl_ms / 3).max(sync_interval_ms);
        let sync_interval_max_ms = number(
            "SYNC_INTERVAL_MAX_MS",
            args.sync_interval_max_ms,
            usual_ms,
            sync_interval_ms,
            900_000.min(pending_upgrade_ttl_ms).max(sync_interval_ms),
        )?;
        let public_url = args.public_url.map(|url| public_url(&url)).transpose()?;
        let trusted_proxies = args.trusted_proxies.unwrap_or_default();
        let trusted_proxies = TrustedProxies::read(&trusted_proxies).map_err(|found| {
            bad(
                "TRUSTED_PROXIES",
                "--trusted-proxies",
                "addresses and networks such as 10.0.0.1,fd00::/8",
                &found,
            )
        })?;
        let oidc = oidc::read(
            args.oidc_issuer,
            args.oidc_client_id,
            args.oidc_client_secret_file.as_deref(),
            public_url.as_deref(),
        )?;
        let tls = match (args.tls_cert_file, args.tls_key_file) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(
                    "TLS_CERT_FILE and TLS_KEY_FILE must be given both or neither, found one".to_owned()
                );
            }
        };
        let artifacts = artifacts::read(args.artifacts)?;
        let (webhooks, gates) = outgoing::read(args.outgoing)?;
        Ok(Self {
            oidc,
            rules: Rules {
                is_https: tls.is_some() || public_url.as_ref().is_some_and(|url| url.starts_with("https:")),
                trusted_proxies,
                pending_upgrade_ttl_ms,
                heartbeat_timeout_ms,
                sync_interval_ms,
                sync_interval_max_ms,
                max_artifact_bytes: number(
                    "MAX_ARTIFACT_BYTES",
                    args.max_artifact_bytes,
                    512 << 20,
                    1,
                    1 << 40,
                )?,
                public_url,
                artifact_base_url: artifacts.base_url,
                serves_tls: tls.is_some(),
            },
            tls,
            bucket: artifacts.bucket,
            webhooks,
            gates,
            test_mode: TestMode::read(args.test_clock, args.test_key, listen)?,
            data_dir,
            database,
            listen,
            port,
        })
    }
}

/// The data directory and the database.
fn place(data_dir: Option<String>, database_url: Option<&str>) -> Result<(PathBuf, Database), String> {
    let data_dir = PathBuf::from(data_dir.unwrap_or_else(|| "./novacula-data".to_owned()));
    if data_dir.as_os_str().is_empty() {
        return Err(bad("DATA_DIR", "--data-dir", "the path of a folder", ""));
    }
    let database = match database_url {
        // What was found may hold a password.
        Some(url) => Database::read(url)
            .map_err(|expected| format!("DATABASE_URL (--database-url) must be {expected}"))?,
        None => Database::Sqlite(data_dir.join("novacula.sqlite")),
    };
    Ok((data_dir, database))
}

fn number(
    variable: &str,
    written: Option<String>,
    default: u64,
    least: u64,
    most: u64,
) -> Result<u64, String> {
    let Some(written) = written else { return Ok(default) };
    written
        .parse()
        .ok()
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| format!("{variable} must be a whole number from {least} to {most}, found `{written}`"))
}

fn truth(variable: &str, written: Option<String>) -> Result<bool, String> {
    match written.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(found) => Err(format!("{variable} must be true or false, found `{found}`")),
    }
}

fn public_url(url: &str) -> Result<String, String> {
    let parsed = url.parse::<axum::http::Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
    });
    match parsed {
        Some(_) => Ok(url.trim_end_matches('/').to_owned()),
        None => Err(bad("PUBLIC_URL", "--public-url", "a URL such as https://control-plane.example", url)),
    }
}

fn bad(variable: &str, flag: &str, expected: &str, found: &str) -> String {
    format!("{variable} ({flag}) must be {expected}, found `{found}`")
}

#[cfg(test)]
mod tests;

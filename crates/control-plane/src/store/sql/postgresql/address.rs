//! Where a PostgreSQL database is, and how it is reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::{Error, Sql};
use super::Postgres;
use uuid::Uuid;

/// How long somebody may take to answer that they are there.
const PATIENCE: Duration = Duration::from_secs(3);

/// A control plane that is frozen or cut off holds nobody up for longer than this. How a statement finds its rows is
/// decided once, perhaps when its tables are small, and holds when they are not: to decide it anew for each group costs
/// a quarter of a small one.
const WRITER: &str = "SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '5s';
    SET statement_timeout = '30s'; SET tcp_user_timeout = 10000; SET enable_seqscan = off; SET jit = off;
    SET plan_cache_mode = force_generic_plan; SET default_transaction_isolation = 'read committed';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
/// Whoever was not noted when the server falls is heard again soon.
const ASIDE: &str = "SET synchronous_commit = off";
const READER: &str = "SET default_transaction_read_only = on";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    /// The one that writes, for this control plane.
    Write(Uuid),
    /// The one that notes whom this control plane has heard, for which nobody waits.
    Aside,
    /// One of those that read.
    Read,
    /// The one that brings the schema along.
    Migrate,
}

/// A database as its URL says. It holds a password, which nothing shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    config: Config,
    /// The roots of its certificate; none: those of the web.
    ca_file: Option<String>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Without who asks and by which word.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => write!(f, "{database} at {host}"),
            Some(Host::Unix(folder)) => write!(f, "{database} at {}", folder.display()),
            None => write!(f, "{database}"),
        }
    }
}

impl Address {
    /// Reads `postgresql://…`. Whatever is not on this host is spoken to through TLS, unless the URL says otherwise.
    ///
    /// # Errors
    /// What was expected.
    pub fn read(url: &str) -> Result<Self, &'static str> {
        let expected = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE";
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut ca_file = None;
        let mut mode = None;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslrootcert" => ca_file = Some(value.into_owned()),
                "sslmode" => mode = Some(value.into_owned()),
                _ => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        // A plus is itself to those who read it next.
        let rest = rest.finish().replace('+', "%20");
        let mut config: Config =
            format!("{place}?{rest}").trim_end_matches('?').parse().map_err(|_| expected)?;
        let is_here = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => {
                name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            }
        };
        if config.get_hosts().is_empty() {
            return Err(expected);
        }
        let is_secret = match mode.as_deref() {
            Some("disable") => false,
            Some("require" | "verify-ca" | "verify-full") => true,
            None => !config.get_hosts().iter().all(is_here),
            Some(_) => return Err("a URL whose `sslmode` is disable, require or verify-full"),
        };
        config.ssl_mode(if is_secret { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(PATIENCE).tcp_user_timeout(Duration::from_secs(10));
        config.keepalives_idle(Duration::from_secs(5)).keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("novacula-control-plane");
        }
        Ok(Self { config, ca_file })
    }

    /// Opens a connection.
    pub(in crate::store) fn connect(&self, purpose: Purpose) -> Sql<Postgres> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::Unfit(format!("a connection has no runtime: {e}").into()))?;
        let client = runtime.block_on(async {
            let patience = tokio::time::timeout(2 * PATIENCE, self.open(purpose));
            patience.await.map_err(|_| Error::Lost("the database does not answer".to_owned()))?
        });
        Ok(Postgres::of(runtime, client?, purpose))
    }

    /// The same, for whoever speaks to it by themselves.
    pub(in crate::store) async fn open(&self, purpose: Purpose) -> Sql<Client> {
        let client = match self.config.get_ssl_mode() {
            SslMode::Require => {
                let (client, connection) = self.config.connect(self.tls()?).await?;
                tokio::spawn(end_of(connection));
                client
            }
            _ => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(end_of(connection));
                client
            }
        };
        match purpose {
            Purpose::Write(by) => {
                client.batch_execute(&format!("{WRITER}; SET novacula.by = '{by}'")).await?
            }
            Purpose::Aside => client.batch_execute(&format!("{WRITER}; {ASIDE}")).await?,
            Purpose::Read => client.batch_execute(READER).await?,
            Purpose::Migrate => {}
        }
        Ok(client)
    }

    pub(super) fn is_secret(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn tls(&self) -> Sql<MakeRustlsConnect> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                let useless = |e: &dyn fmt::Display| {
                    Error::Unfit(format!("`sslrootcert` {file} must hold PEM certificates, but: {e}").into())
                };
                for certificate in CertificateDer::pem_file_iter(file).map_err(|e| useless(&e))? {
                    roots.add(certificate.map_err(|e| useless(&e))?).map_err(|e| useless(&e))?;
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Unfit(e.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(MakeRustlsConnect::new(config))
    }
}

/// Carries what is said until one side hangs up; whoever speaks next is told of the end.
async fn end_of<T>(connection: Connection<Socket, T>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(e) = connection.await {
        tracing::debug!("a connection to the database has ended: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_elsewhere_is_reached_through_tls_and_one_on_this_host_is_not() {
        for (url, is_secret) in [
            ("postgresql://novacula:secret@db.example/novacula", true),
            ("postgres://novacula:secret@10.0.0.1:5433/novacula", true),
            (
                "postgresql://novacula@db.example/novacula?sslmode=verify-full&sslrootcert=/etc/ca%2Bme.pem",
                true,
            ),
            ("postgresql://novacula@db.example/novacula?sslmode=disable", false),
            ("postgresql://novacula@localhost/novacula", false),
            ("postgresql://novacula@localhost/novacula?sslmode=require", true),
            ("postgresql://novacula@[::1]/novacula", false),
            ("postgresql:///novacula?host=/run/postgresql&user=novacula", false),
        ] {
            let address = Address::read(url).unwrap();
            assert_eq!(address.config.get_ssl_mode() == SslMode::Require, is_secret, "{url}");
        }
        let url = "postgresql://novacula@db.example/novacula?sslrootcert=/etc/ca%2Bme.pem";
        assert_eq!(Address::read(url).unwrap().ca_file.as_deref(), Some("/etc/ca+me.pem"));
    }

    #[test]
    fn an_address_shows_neither_user_nor_password() {
        let address = Address::read("postgresql://jane:s3cret@db.example/novacula").unwrap();
        assert_eq!(address.to_string(), "novacula at db.example");
        let shown = format!("{address:?} {:#?}", Some(&address));
        assert!(!shown.contains("s3cret") && !shown.contains("jane"), "{shown}");
    }

    #[test]
    fn what_is_no_address_is_told_without_what_was_written() {
        for url in [
            "postgresql://",
            "postgresql://jane:s3cret@db.example:port/novacula",
            "postgresql://jane:s3cret@db.example/novacula?sslmode=maybe",
            "postgresql://jane:s3cret@db.example/novacula?colour=s3cret",
        ] {
            assert!(!Address::read(url).unwrap_err().contains("s3cret"), "{url}");
        }
    }
}

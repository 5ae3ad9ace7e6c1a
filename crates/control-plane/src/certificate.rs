//! The certificate that callers are shown, and its key: read at the start, and again when somebody says so.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its root, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What is current.
pub(crate) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificate {
    /// Reads it.
    ///
    /// # Errors
    /// One line: which file, what was expected, what was found.
    pub(crate) fn read(files: TlsFiles) -> Result<Self, String> {
        let current = RwLock::new(Arc::new(config(&files)?));
        Ok(Self { files, current })
    }

    /// Reads it again; while that fails, the one before stays.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_again(&self) -> Result<(), String> {
        let config = Arc::new(config(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn config(files: &TlsFiles) -> Result<ServerConfig, String> {
    let bad = |variable: &str, file: &Path, expected: &str, found: &dyn std::fmt::Display| {
        format!("{variable} {} must hold {expected}, but: {found}", file.display())
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| bad("TLS_CERT_FILE", &files.certificate, "PEM certificates", &e))?;
    if chain.is_empty() {
        return Err(bad("TLS_CERT_FILE", &files.certificate, "PEM certificates", &"it holds none"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|e| bad("TLS_KEY_FILE", &files.key, "a PEM key", &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS is of no use: {e}"))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| bad("TLS_KEY_FILE", &files.key, "the key of TLS_CERT_FILE", &e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

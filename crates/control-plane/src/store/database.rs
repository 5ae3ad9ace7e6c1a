//! Which database, as its URL says.

use std::fmt;
use std::path::PathBuf;

use super::sql::Address;

/// Where what is durable is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// In a file, by the embedded engine.
    Sqlite(PathBuf),
    /// At a PostgreSQL server, which several control planes may share.
    Postgresql(Box<Address>),
}

impl Database {
    /// Reads `sqlite:PATH` or `postgresql://…`.
    ///
    /// # Errors
    /// What was expected; what was found may hold a password.
    pub fn read(url: &str) -> Result<Self, &'static str> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Address::read(url).map(Box::new).map(Self::Postgresql);
        }
        match url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some(path) if !path.is_empty() && !path.starts_with(':') => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err("sqlite:PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        }
    }
}

/// Without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgresql(address) => write!(f, "{address}"),
        }
    }
}

//! Which accounts only keep their lists: remembered, because every sync asks.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use axum::http::StatusCode;
use uuid::Uuid;

use crate::problem::ApiError;

/// The accounts that are suspended; the store is never behind it.
#[derive(Default)]
pub(crate) struct Suspended(RwLock<HashSet<Uuid>>);

impl Suspended {
    /// Starts from what the store holds.
    pub(crate) fn remembering(accounts: Vec<Uuid>) -> Self {
        Self(RwLock::new(accounts.into_iter().collect()))
    }

    /// Notes what the store holds now.
    pub(crate) fn note(&self, account: Uuid, is_suspended: bool) {
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if is_suspended {
            accounts.insert(account);
        } else {
            accounts.remove(&account);
        }
    }

    /// Takes what the store holds now.
    pub(crate) fn replace(&self, accounts: Vec<Uuid>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = accounts.into_iter().collect();
    }

    /// # Errors
    /// When the account is suspended.
    pub(crate) fn check(&self, account: Uuid) -> Result<(), ApiError> {
        match self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&account) {
            true => Err(account_suspended()),
            false => Ok(()),
        }
    }
}

/// What is answered to whoever would change something in a suspended account.
pub(crate) fn account_suspended() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "account_suspended",
        "the account is suspended: it keeps its lists, and nothing in it can be changed until it is resumed",
    )
}

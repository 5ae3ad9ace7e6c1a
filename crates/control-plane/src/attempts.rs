//! Tries of secrets: logins by name and by address, bad keys and tokens by address. What is right is never held back.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::caller::household;
use crate::limiter::{Limiter, Pace};
use crate::problem::ApiError;

/// Of each kind; some megabytes at most.
const MOST_TOLD_APART: usize = 16_384;
/// A person who mistypes is not held back, and whoever guesses has 2,880 tries a day.
const LOGINS_OF_A_NAME: Pace = Pace { burst: 10, every_ms: 30_000 };
/// An office behind one address logs in in the morning.
const LOGINS_FROM_AN_ADDRESS: Pace = Pace { burst: 30, every_ms: 2_000 };
/// Secrets of 256 bits are not guessed; this only keeps the noise down, also that of a fleet whose keys have ended.
const BAD_SECRETS_FROM_AN_ADDRESS: Pace = Pace { burst: 60, every_ms: 1_000 };

/// The tries of late.
pub(crate) struct Attempts {
    by_name: Mutex<Limiter<String>>,
    by_address: Mutex<Limiter<IpAddr>>,
    bad_secrets: Mutex<Limiter<IpAddr>>,
}

impl Default for Attempts {
    fn default() -> Self {
        let limiter = |pace| Mutex::new(Limiter::new(pace, MOST_TOLD_APART));
        Self {
            by_name: Mutex::new(Limiter::new(LOGINS_OF_A_NAME, MOST_TOLD_APART)),
            by_address: limiter(LOGINS_FROM_AN_ADDRESS),
            bad_secrets: limiter(BAD_SECRETS_FROM_AN_ADDRESS),
        }
    }
}

impl Attempts {
    /// Counts a login before it is looked at, so that many at once count as many.
    ///
    /// # Errors
    /// When there were too many.
    pub(crate) fn login(&self, name: &str, from: IpAddr, now: Timestamp) -> Result<(), ApiError> {
        let now = now.as_millisecond();
        locked(&self.by_address).take(household(from), now).map_err(too_many)?;
        locked(&self.by_name).take(as_counted(name), now).map_err(too_many)
    }

    /// The login was right, so it does not count.
    pub(crate) fn was_right(&self, name: &str, from: IpAddr) {
        locked(&self.by_address).give_back(household(from));
        locked(&self.by_name).give_back(as_counted(name));
    }

    /// Counts a key or token that is not known here.
    ///
    /// # Errors
    /// When there were too many.
    pub(crate) fn bad_secret(&self, from: IpAddr, now: Timestamp) -> Result<(), ApiError> {
        locked(&self.bad_secrets).take(household(from), now.as_millisecond()).map_err(too_many)
    }
}

/// Names differ by more than case, and no longer than a name can be.
fn as_counted(name: &str) -> String {
    name.chars().take(64).collect::<String>().to_ascii_lowercase()
}

fn locked<T>(limiter: &Mutex<T>) -> MutexGuard<'_, T> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_many(wait_ms: u64) -> ApiError {
    let seconds = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
    ApiError::too_many_attempts(seconds)
}

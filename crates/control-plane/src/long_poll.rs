//! Syncs that wait: asked with `Prefer: wait=25` (RFC 7240), a sync that has nothing to tell is answered when there is
//! something to tell, or when the time is over.
//!
//! Whoever waits is rung when the memory of the fleet takes something over that concerns it, and is then heard as if it had
//! come this moment: who was revoked meanwhile is refused, and nobody gets an answer from before. Where its executor has
//! said something else meanwhile, on another connection, that is the newer word: it is answered, and not heard again.
//! Waiting costs an entry here and the task of a connection that would be open anyway.

mod preference;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponseParts, ResponseParts};
use jiff::Timestamp;
use novacula_protocol::sync::SyncRequest;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::app::App;
use crate::clock::Stopwatch;
use crate::executor::{Asks, IdentityRefused};
use crate::fleet::KeyHolder;
use crate::problem::{Answer, ApiError};
use crate::secrets::SecretHash;

use preference::wait_s;

/// Nobody waits longer, in seconds: proxies between us end what is silent for a minute.
pub(crate) const MOST_S: u64 = 60;
/// However short a heartbeat may be.
const BEAT: Duration = Duration::from_millis(250);

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Who waits, by the key it came with.
#[derive(Default)]
pub(crate) struct LongPolls {
    waiting: Mutex<HashMap<Uuid, Waiter>>,
    tickets: AtomicU64,
}

struct Waiter {
    ticket: u64,
    account_id: Uuid,
    bell: Arc<Notify>,
}

/// A sync that waits, until it is dropped: also when its caller hangs up.
struct Waiting<'a> {
    polls: &'a LongPolls,
    key_id: Uuid,
    ticket: u64,
    bell: Arc<Notify>,
}

impl LongPolls {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Uuid, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more waits. Where the same executor waits already, that sync is over: nobody listens to two answers.
    fn enter(&self, by: KeyHolder) -> Waiting<'_> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let bell = Arc::new(Notify::new());
        let waiter = Waiter { ticket, account_id: by.account_id, bell: Arc::clone(&bell) };
        if let Some(before) = self.waiting().insert(by.key_id, waiter) {
            before.bell.notify_one();
        }
        Waiting { polls: self, key_id: by.key_id, ticket, bell }
    }

    /// Something is new for the executor of a key.
    pub(crate) fn ring(&self, key_id: Uuid) {
        if let Some(waiter) = self.waiting().get(&key_id) {
            waiter.bell.notify_one();
        }
    }

    /// Something is new for every executor of an account.
    pub(crate) fn ring_account(&self, account_id: Uuid) {
        for waiter in self.waiting().values().filter(|waiter| waiter.account_id == account_id) {
            waiter.bell.notify_one();
        }
    }

    /// How many wait.
    pub(crate) fn count(&self) -> u64 {
        self.waiting().len() as u64
    }
}

impl Waiting<'_> {
    /// No other sync of the same executor came after this one.
    fn is_latest(&self) -> bool {
        self.polls.waiting().get(&self.key_id).is_some_and(|waiter| waiter.ticket == self.ticket)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.polls.waiting();
        if waiting.get(&self.key_id).is_some_and(|waiter| waiter.ticket == self.ticket) {
            waiting.remove(&self.key_id);
        }
    }
}

/// What is said beside the answer to whoever waited, or could have: `None` where it was answered as ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied(Option<u64>);

impl IntoResponseParts for Applied {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        if let Some(value) = self.0.and_then(|s| HeaderValue::try_from(format!("wait={s}")).ok()) {
            parts.headers_mut().insert(PREFERENCE_APPLIED, value);
        }
        Ok(parts)
    }
}

/// A sync that would wait is no measure of how quickly we answer.
pub(crate) fn is_preferred(headers: &HeaderMap) -> bool {
    headers.contains_key(PREFER)
}

impl App {
    /// Takes a sync in and answers what the executor is asked to do, and when that was: at once, or when there is
    /// something, where the executor prefers to wait and has nothing in hand.
    pub(crate) async fn hear_and_wait(
        self: &Arc<Self>,
        by: KeyHolder,
        said: Arc<SyncRequest>,
        headers: &HeaderMap,
    ) -> Answer<(Asks, Timestamp, Applied)> {
        let has_nothing = said.upgrade.is_none() && said.preflight.is_empty();
        let Some(wait_s) = wait_s(headers).filter(|_| has_nothing && self.fleet.knows(by, &said)) else {
            return self.hear_now(by, said).await.map(|(asks, now)| (asks, now, Applied(None)));
        };
        // Before it is heard: what comes in between rings.
        let waiting = self.fleet.long_polls().enter(by);
        let since = Stopwatch::start();
        let (mut asks, mut now) = self.hear_now(by, said.clone()).await?;
        while asks.is_nothing() {
            let rest = Duration::from_secs(wait_s).saturating_sub(since.elapsed());
            if rest.is_zero() {
                return Ok((asks, now, Applied(Some(wait_s))));
            }
            let beat = self.clock.wait(Duration::from_millis(self.heartbeat_timeout_ms() / 2), BEAT);
            let aside = self.pace.set_aside();
            tokio::select! {
                () = waiting.bell.notified() => {}
                () = self.ending.cancelled() => {}
                () = tokio::time::sleep(rest.min(beat)) => {}
            }
            drop(aside);
            let still = self.still_holds(headers)?;
            now = self.clock.now();
            if let Some(asks) = self.fleet.asked_since(still, &said, now) {
                return Ok((asks, now, Applied(None)));
            }
            let is_over =
                self.ending.is_cancelled() || !waiting.is_latest() || !self.fleet.knows(still, &said);
            (asks, now) = self.hear_now(still, said.clone()).await?;
            if is_over {
                return Ok((asks, now, Applied(None)));
            }
        }
        Ok((asks, now, Applied(Some(wait_s))))
    }

    /// Takes a sync in and answers what the executor is asked to do, and when that was.
    async fn hear_now(self: &Arc<Self>, by: KeyHolder, said: Arc<SyncRequest>) -> Answer<(Asks, Timestamp)> {
        let now = self.clock.now();
        let outcome = self.hear_sync(by, said, None, now).await;
        self.asks(outcome).map(|asks| (asks, now))
    }

    /// The gate has let it in some time ago; its key may have ended since, or its account be suspended.
    fn still_holds(&self, headers: &HeaderMap) -> Answer<KeyHolder> {
        let bearer =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        let hash = bearer.map(|(_, secret)| SecretHash::of(secret.trim()));
        let by = hash.and_then(|hash| self.fleet.key(hash, self.clock.now()));
        let by = by.ok_or(IdentityRefused::UnknownKey).map_err(ApiError::from)?;
        self.suspended.check(by.account_id)?;
        Ok(by)
    }
}

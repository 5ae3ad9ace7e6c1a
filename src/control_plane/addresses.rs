//! The addresses of the control plane, remembered between two syncs: the client asks for them at every request, even on
//! a connection that it keeps, and each time costs a query and a thread.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// After this many requests it is asked again: a minute of ordinary syncs.
const USES: u32 = 12;

/// What was last resolved. Clones share their memory.
#[derive(Clone, Default)]
pub struct Addresses(Arc<Mutex<Option<Known>>>);

struct Known {
    authority: String,
    addresses: ResolvedSocketAddrs,
    uses_left: u32,
}

impl Addresses {
    /// Asks anew the next time: the last address may be the reason for a failure.
    pub fn forget(&self) {
        *self.known() = None;
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let authority = format!(
            "{}://{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |it| it.as_str())
        );
        if let Some(known) = &mut *self.known()
            && known.authority == authority
            && known.uses_left > 0
        {
            known.uses_left -= 1;
            return Ok(known.addresses.clone());
        }
        let addresses = DefaultResolver::default().resolve(uri, config, timeout)?;
        *self.known() = Some(Known { authority, addresses: addresses.clone(), uses_left: USES });
        Ok(addresses)
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Addresses")
    }
}

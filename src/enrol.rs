//! The executor's key: from the config, or from one exchange of an enrolment token.

use std::thread;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::config::{Access, Config};
use crate::control_plane;
use crate::error::{Error, chain};
use crate::host::dice;
use crate::systemd;
use crate::upgrade::trial::Records;

/// The key to sync with. Tries to enrol until it works: a control plane that is away never ends an agent.
///
/// # Errors
/// There is neither a key nor a token, or the key cannot be stored.
pub fn key(config: &Config, records: &Records, version: &semver::Version) -> Result<String, Error> {
    let token = match &config.control_plane.access {
        Access::Key(key) => return Ok(key.clone()),
        Access::EnrolmentToken(token) => Some(token),
        Access::Stored => None,
    };
    match (records.stored_key(), token) {
        (Ok(Some(key)), _) => return Ok(key),
        // With a token in hand a damaged key is no loss: enrolling again brings another.
        (Err(e), Some(_)) => log::error!("{}; enrolling again", chain(&e)),
        (Err(e), None) => return Err(e),
        (Ok(None), _) => {}
    }
    let Some(token) = token else {
        return Err(Error::host(format!(
            "no key to sync with: put access_token or access_token_file into [control_plane] of the config \
             ({}/credentials.json is not there either)",
            records.data_dir().display()
        )));
    };
    let client = control_plane::client(&config.control_plane, version)?;
    let mut backoff = Backoff::default();
    systemd::notify("READY=1");
    loop {
        systemd::notify("WATCHDOG=1");
        match control_plane::enroll(&client, &config.control_plane.url, token, &config.name) {
            Ok(key) => {
                records.lock()?.store_key(&key)?;
                log::info!("enrolled as {}", config.name);
                return Ok(key);
            }
            Err(no_answer) => {
                if backoff.failures() == 0 {
                    log::warn!("not enrolled yet, trying on: {}", no_answer.reason);
                }
                backoff.failed(no_answer.retry_after_ms);
            }
        }
        let mut left = Duration::from_millis(backoff.wait_ms(config.sync_interval_ms, false, dice()));
        while !left.is_zero() {
            systemd::notify("WATCHDOG=1");
            let slice = left.min(Duration::from_secs(5));
            thread::sleep(slice);
            left -= slice;
        }
    }
}

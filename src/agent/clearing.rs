//! What is cleared away when nobody needs it any more.

use novacula_protocol::spec::PendingUpgrade;
use novacula_protocol::sync::Offer;

use super::{Agent, Course};
use crate::error::chain;
use crate::{disk, systemd};

impl Agent<'_> {
    /// Three starts within two minutes end a trial. Without one, whoever restarts or kills an agent three times must
    /// not be the end of it. Before READY, so that the next restart finds it done.
    pub(super) fn forget_starts(&self) {
        if systemd::supervises_us()
            && self.is_without_trial()
            && let Err(e) = systemd::forget_starts()
        {
            log::warn!("{}", chain(&e));
        }
    }

    pub(super) fn is_without_trial(&self) -> bool {
        self.records.trial().is_ok_and(|trial| trial.is_none())
            && self.records.trial_is_unreadable().is_ok_and(|unreadable| !unreadable)
    }

    /// The dead-man's switch of a trial that has ended is of no more use.
    pub(super) fn disarm(&self, course: &Course<'_>) {
        let is_over = course.trial.is_none() && self.is_without_trial();
        if is_over
            && systemd::supervises_us()
            && let Err(e) = systemd::disarm_trial_timer()
        {
            log::debug!("{}", chain(&e));
        }
    }

    /// Removes what an interrupted run left behind, but for the download that the offer goes on with.
    pub(super) fn sweep(&self, course: &mut Course<'_>, offer: Option<&Offer>) {
        if !course.unswept || course.in_hand.is_some() {
            return;
        }
        let offered = match offer {
            Some(Offer::Understood(spec)) => match &**spec {
                PendingUpgrade::Agent(spec) => Some(spec.sha256.as_str()),
                PendingUpgrade::Operator(_) => None,
            },
            _ => None,
        };
        // A download that a sysadmin has in hand is theirs.
        let Ok(Some(_in_hand)) = self.records.take_in_hand() else { return };
        // And so is a file that the judge is about to rename into place.
        let Ok(mut records) = self.records.lock() else { return };
        // Another agent on this binary may be fetching.
        let Some(Ok(Some(_alone))) = self.places.binary.parent().map(disk::try_lock_directory) else {
            return;
        };
        for directory in [self.places.binary.parent(), Some(self.records.data_dir())].into_iter().flatten() {
            match disk::sweep(directory, offered) {
                Ok(0) => {}
                Ok(swept) => {
                    log::info!("removed {swept} leftovers of an interrupted run in {}", directory.display());
                }
                Err(e) => log::warn!("{}", chain(&e)),
            }
        }
        if offered.is_none()
            && let Err(e) = records.forget_download()
        {
            log::warn!("{}", chain(&e));
        }
        course.unswept = offered.is_some();
    }
}

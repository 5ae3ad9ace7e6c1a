//! The ways an agent takes across a disk, and the good ends of each.

use novacula_protocol::Stage;
use novacula_protocol::spec::Intent;

use crate::site::{Disk, End, NEW, OLD, Site};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journey {
    /// From the offer to the swap, and on to the end.
    Upgrade,
    /// From the start of the new binary, with an open trial, to COMPLETED.
    Commit,
    /// From the start of the new binary to the old one, because the control plane wants it back.
    RollBack,
    /// The same by `novacula-agent rollback`, with an open trial.
    RollBackByHand,
    /// The same after the trial was committed.
    RollBackLater,
}

pub const COMPLETED: End = End { stage: Stage::Completed, runs_new: true };
pub const ROLLED_BACK: End = End { stage: Stage::RolledBack, runs_new: false };

impl Journey {
    pub fn intent(self) -> Intent {
        if self == Self::RollBack { Intent::Rollback } else { Intent::Apply }
    }

    /// What the agent is started with.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Upgrade | Self::Commit | Self::RollBack => "run",
            Self::RollBackByHand | Self::RollBackLater => "rollback",
        }
    }

    /// Lets what was started go as far as it comes; the end that it told, if it came so far.
    pub fn goes_on<D: Disk>(self, site: &mut Site<'_, D>) -> Option<End> {
        match self {
            Self::Upgrade | Self::Commit | Self::RollBack => site.goes_to_the_end(self.intent()),
            Self::RollBackByHand | Self::RollBackLater => {
                site.wait_until_ended()?.success().then_some(ROLLED_BACK)
            }
        }
    }

    /// Starts the agent again after whatever was done to it, and holds what comes of it against what must; `intent` is
    /// what the control plane wants now.
    pub fn ends_well<D: Disk>(
        self,
        site: &mut Site<'_, D>,
        intent: Intent,
        good: &[End],
        told_before: Option<End>,
    ) {
        let had_new = site.has_a_runnable_agent();
        let inode = site.inode();
        if self == Self::RollBackLater {
            site.rolls_back_by_hand();
        }
        site.start();
        let end = site.goes_to_the_end(intent).expect("without a fault the agent goes on");
        assert!(good.contains(&end), "{end:?} is not among {good:?}");
        if let Some(told) = told_before.filter(|_| self != Self::RollBackLater) {
            assert_eq!(end, told, "an end that was told stays the end");
        }
        site.is_tidy();
        assert_eq!(site.has_a_runnable_agent(), end.runs_new, "what is in place is what runs");
        if had_new && end.runs_new {
            assert_eq!(site.inode(), inode, "the same attempt was swapped in twice");
        }
    }

    /// What a run that was cut short must come to when nothing more goes wrong.
    pub fn good_end<D: Disk>(self, site: &Site<'_, D>) -> End {
        match self {
            Self::Upgrade | Self::Commit => COMPLETED,
            Self::RollBack => ROLLED_BACK,
            // A sysadmin whose command broke off has decided only if it came as far as the verdict.
            Self::RollBackByHand if site.decided() == Some(Stage::RolledBack) => ROLLED_BACK,
            Self::RollBackByHand => COMPLETED,
            // The end of the upgrade stays what it was, whatever a sysadmin does later.
            Self::RollBackLater => End { stage: Stage::Completed, runs_new: false },
        }
    }
}

impl<D: Disk> Site<'_, D> {
    /// The old binary takes the upgrade as far as its trial.
    pub fn comes_on_trial(&mut self) {
        self.control_plane.hold(NEW);
        self.offer(Intent::Apply);
        self.start();
        let is_new = |version: String| (version == NEW).then_some(());
        self.control_plane.hears("the new binary syncs", |sync| is_new(sync.current_version.to_string()));
        self.kill();
    }

    /// The new binary commits.
    pub fn commits(&mut self) {
        self.start();
        assert_eq!(self.goes_to_the_end(Intent::Apply), Some(COMPLETED));
        self.kill();
    }

    /// The old binary runs, and waits for an answer to its first sync.
    pub fn waits_for_an_offer(&mut self) {
        self.control_plane.hold(OLD);
        self.start();
        self.control_plane.hears("the old binary syncs", |_| Some(()));
    }

    /// The answer comes.
    pub fn is_offered(&mut self, intent: Intent) {
        self.offer(intent);
        self.control_plane.release();
    }
}

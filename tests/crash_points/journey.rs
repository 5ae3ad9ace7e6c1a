//! The ways an agent takes across a disk, each cut short at one point and gone to its end afterwards.

use novacula_protocol::Stage;
use novacula_protocol::spec::Intent;

use crate::site::{End, NEW, OLD, Releases, Site};
use crate::strace::{Harm, Point, Strace};

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

/// What the journeys begin with, made once by the agent itself.
pub struct Beginnings<'a> {
    releases: &'a Releases,
    on_trial: Site<'a>,
    committed: Site<'a>,
}

impl<'a> Beginnings<'a> {
    pub fn make(releases: &'a Releases) -> Self {
        let mut on_trial = Site::new(releases, None);
        on_trial.control_plane.hold(NEW);
        on_trial.offer(Intent::Apply);
        on_trial.start();
        on_trial
            .control_plane
            .hears("the new binary syncs", |sync| (sync.current_version.to_string() == NEW).then_some(()));
        on_trial.kill();
        let mut committed = Site::new(releases, Some(&on_trial));
        committed.start();
        let end = committed.goes_to_the_end(Intent::Apply);
        assert_eq!(end, Some(End { stage: Stage::Completed, runs_new: true }));
        committed.kill();
        Self { releases, on_trial, committed }
    }
}

/// One journey on a site of its own.
pub struct Trip<'a> {
    journey: Journey,
    site: Site<'a>,
}

impl<'a> Trip<'a> {
    pub fn prepare(journey: Journey, beginnings: &Beginnings<'a>) -> Self {
        let like = match journey {
            Journey::Upgrade => None,
            Journey::Commit | Journey::RollBack | Journey::RollBackByHand => Some(&beginnings.on_trial),
            Journey::RollBackLater => Some(&beginnings.committed),
        };
        Self { journey, site: Site::new(beginnings.releases, like) }
    }

    /// What a run without a fault calls, one call a line.
    pub fn census(mut self) -> String {
        let trace = self.begin(None);
        let end = self.goes_on();
        assert!(end.is_some(), "a run without a fault comes to its end");
        trace.calls()
    }

    /// Goes until the point, and then on to the end; whether the point was met.
    pub fn meets(mut self, point: &Point) -> bool {
        let trace = self.begin(Some(point));
        let told_before = self.goes_on();
        let was_met = match point.harm {
            Harm::Kill => told_before.is_none(),
            Harm::NoSpace | Harm::Broken => trace.has_injected(),
        };
        let had_new = self.site.has_a_runnable_agent();
        let inode = self.site.inode();
        self.site.kill();
        drop(trace);
        self.comes_to_a_good_end(point, told_before);
        if had_new && self.site.has_a_runnable_agent() {
            assert_eq!(self.site.inode(), inode, "the same attempt was swapped in twice");
        }
        was_met
    }

    /// Starts what is traced.
    fn begin(&mut self, point: Option<&Point>) -> Strace {
        let intent = self.intent();
        let site = &mut self.site;
        match self.journey {
            Journey::Upgrade => {
                site.control_plane.hold(OLD);
                site.start();
                site.control_plane.hears("the old binary syncs", |_| Some(()));
                let trace = site.trace(point);
                site.offer(Intent::Apply);
                site.control_plane.release();
                trace
            }
            Journey::Commit | Journey::RollBack => {
                site.offer(intent);
                site.start_traced("run", point)
            }
            Journey::RollBackByHand | Journey::RollBackLater => site.start_traced("rollback", point),
        }
    }

    fn intent(&self) -> Intent {
        if self.journey == Journey::RollBack { Intent::Rollback } else { Intent::Apply }
    }

    /// Lets what was started go as far as it comes; the end that it told, if it came so far.
    fn goes_on(&mut self) -> Option<End> {
        match self.journey {
            Journey::Upgrade | Journey::Commit | Journey::RollBack => {
                self.site.goes_to_the_end(self.intent())
            }
            Journey::RollBackByHand | Journey::RollBackLater => {
                let succeeded = self.site.wait_until_ended().success();
                succeeded.then_some(End { stage: Stage::RolledBack, runs_new: false })
            }
        }
    }

    /// Starts the agent again and holds what comes of it against what must.
    fn comes_to_a_good_end(&mut self, point: &Point, told_before: Option<End>) {
        let completed = End { stage: Stage::Completed, runs_new: true };
        let rolled_back = End { stage: Stage::RolledBack, runs_new: false };
        let failed = End { stage: Stage::Failed, runs_new: false };
        let good: &[End] = match self.journey {
            Journey::Upgrade if point.harm == Harm::Kill => &[completed],
            Journey::Upgrade => &[completed, failed],
            Journey::Commit => &[completed],
            Journey::RollBack => &[rolled_back],
            // A sysadmin whose command broke off has decided only if it came as far as the verdict.
            Journey::RollBackByHand if self.site.has_decided_to_roll_back() => &[rolled_back],
            Journey::RollBackByHand => &[completed],
            // The end of the upgrade stays what it was, whatever a sysadmin does later.
            Journey::RollBackLater => {
                self.site.rolls_back_by_hand();
                &[End { stage: Stage::Completed, runs_new: false }]
            }
        };
        self.site.start();
        let end = self.site.goes_to_the_end(self.intent()).expect("without a fault the agent goes on");
        assert!(good.contains(&end), "{end:?} is not among {good:?}");
        let upgrade_told = told_before.filter(|_| self.journey != Journey::RollBackLater);
        if let Some(told) = upgrade_told.filter(|_| !self.site.was_hit_twice()) {
            assert_eq!(end, told, "an end that was told stays the end");
        }
        self.site.is_tidy();
        assert_eq!(self.site.has_a_runnable_agent(), end.runs_new, "what is in place is what runs");
    }
}

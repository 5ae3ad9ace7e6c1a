//! The journeys on a disk that forgets, each cut short after some operations and gone to its end on what is left.

use std::fs;
use std::path::Path;

use novacula_lab::forgetful::{self, Loss, Moment, Mounted};
use novacula_protocol::Stage;
use novacula_protocol::spec::Intent;

use crate::journey::{COMPLETED, Journey, ROLLED_BACK};
use crate::site::{Disk, End, Releases, Site, copy};

impl Disk for Mounted {
    fn root(&self) -> &Path {
        self.place()
    }

    fn is_cut(&self) -> bool {
        self.was_cut_at().is_some()
    }

    fn let_go(&self) {
        self.turn_off();
    }
}

/// What the journeys begin with, made once by the agent itself.
pub struct Beginnings {
    releases: Releases,
    installed: forgetful::Disk,
    on_trial: forgetful::Disk,
    committed: forgetful::Disk,
}

impl Beginnings {
    pub fn make(releases: Releases) -> Self {
        let installed = {
            let place = tempfile::tempdir().unwrap();
            let disk = Mounted::mount(forgetful::Disk::default(), place.path());
            fs::create_dir(place.path().join("bin")).unwrap();
            copy(&releases.old, &place.path().join("bin/novacula-agent"));
            disk.disk()
        };
        let mut site = site(&releases, &installed);
        site.comes_on_trial();
        let on_trial = site.disk.disk();
        site.disk.remount(on_trial.clone());
        site.control_plane.release();
        site.commits();
        let committed = site.disk.disk();
        drop(site);
        Self { releases, installed, on_trial, committed }
    }
}

fn site<'a>(releases: &'a Releases, beginning: &forgetful::Disk) -> Site<'a, Mounted> {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("disk");
    fs::create_dir(&place).unwrap();
    let disk = Mounted::mount(beginning.clone(), &place);
    let site = Site::new(releases, directory, disk);
    site.disk.settle();
    site
}

/// One journey on a disk of its own.
pub struct Trip<'a> {
    journey: Journey,
    site: Site<'a, Mounted>,
}

impl<'a> Trip<'a> {
    pub fn prepare(journey: Journey, beginnings: &'a Beginnings) -> Self {
        let beginning = match journey {
            Journey::Upgrade => &beginnings.installed,
            Journey::Commit | Journey::RollBack | Journey::RollBackByHand => &beginnings.on_trial,
            Journey::RollBackLater => &beginnings.committed,
        };
        Self { journey, site: site(&beginnings.releases, beginning) }
    }

    /// The operations of a run without a cut.
    pub fn census(mut self) -> Vec<&'static str> {
        self.begin(None);
        let end = self.journey.goes_on(&mut self.site);
        assert!(end.is_some(), "a run without a cut comes to its end");
        self.site.disk.operations()
    }

    /// Goes on until this moment. Then the power is cut, and for each of the losses the agent goes on to its end with
    /// what is left, as `check` tries. When the power was cut, unless the journey came to its end before.
    pub fn goes_until(
        mut self,
        moment: Moment,
        losses: &[Loss],
        mut check: impl FnMut(Loss, &mut dyn FnMut()),
    ) -> Option<Moment> {
        self.begin(Some(moment));
        let told = self.journey.goes_on(&mut self.site);
        let was_cut = self.site.disk.was_cut_at();
        assert!(was_cut.is_some() || told.is_some(), "it is cut short, or comes to its end");
        self.site.kill();
        let cut = self.site.disk.disk();
        for loss in losses {
            self.site.disk.remount(cut.after_cut(*loss));
            check(*loss, &mut || {
                let (intent, good) = self.goes_on_with();
                self.journey.ends_well(&mut self.site, intent, &[good], told);
            });
            self.site.kill();
        }
        was_cut
    }

    /// What the control plane wants when the power is back, and the one good end. It wants the contrary of what was
    /// decided: a verdict is final.
    fn goes_on_with(&self) -> (Intent, End) {
        match (self.journey, self.site.decided()) {
            (Journey::Upgrade | Journey::Commit, Some(Stage::Completed)) => (Intent::Rollback, COMPLETED),
            (Journey::RollBack, Some(Stage::RolledBack)) => (Intent::Apply, ROLLED_BACK),
            (journey, _) => (journey.intent(), journey.good_end(&self.site)),
        }
    }

    fn begin(&mut self, cut_at: Option<Moment>) {
        let (journey, site) = (self.journey, &mut self.site);
        if journey == Journey::Upgrade {
            site.waits_for_an_offer();
            site.disk.cut_at(cut_at);
            site.is_offered(journey.intent());
        } else {
            site.offer(journey.intent());
            site.disk.cut_at(cut_at);
            site.start_with(journey.verb());
        }
    }
}

//! The journeys under strace, each cut short at one point and gone to its end afterwards.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use novacula_protocol::Stage;

use crate::journey::Journey;
use crate::site::{Disk, End, Releases, Site, copy};
use crate::strace::{Harm, Point, Strace};

/// A directory like any other.
pub struct Folder(PathBuf);

impl Disk for Folder {
    fn root(&self) -> &Path {
        &self.0
    }
}

/// What the journeys begin with, made once by the agent itself.
pub struct Beginnings<'a> {
    releases: &'a Releases,
    on_trial: Site<'a, Folder>,
    committed: Site<'a, Folder>,
}

impl<'a> Beginnings<'a> {
    pub fn make(releases: &'a Releases) -> Self {
        let mut on_trial = site(releases, None);
        on_trial.comes_on_trial();
        let mut committed = site(releases, Some(&on_trial));
        committed.commits();
        Self { releases, on_trial, committed }
    }
}

/// A host with the old binary, or one that stands where `like` stands.
fn site<'a>(releases: &'a Releases, like: Option<&Site<'_, Folder>>) -> Site<'a, Folder> {
    let directory = tempfile::tempdir().unwrap();
    let folder = Folder(directory.path().to_owned());
    match like {
        Some(like) => {
            for name in ["bin", "data"] {
                copy(&like.disk.root().join(name), &folder.root().join(name));
            }
        }
        None => {
            fs::create_dir(folder.root().join("bin")).unwrap();
            copy(&releases.old, &folder.root().join("bin/novacula-agent"));
        }
    }
    Site::new(releases, directory, folder)
}

/// One journey on a site of its own.
pub struct Trip<'a> {
    journey: Journey,
    site: Site<'a, Folder>,
}

impl<'a> Trip<'a> {
    pub fn prepare(journey: Journey, beginnings: &Beginnings<'a>) -> Self {
        let like = match journey {
            Journey::Upgrade => None,
            Journey::Commit | Journey::RollBack | Journey::RollBackByHand => Some(&beginnings.on_trial),
            Journey::RollBackLater => Some(&beginnings.committed),
        };
        Self { journey, site: site(beginnings.releases, like) }
    }

    /// What a run without a fault calls, one call a line.
    pub fn census(mut self) -> String {
        let trace = self.begin(None);
        let end = self.journey.goes_on(&mut self.site);
        assert!(end.is_some(), "a run without a fault comes to its end");
        trace.calls()
    }

    /// Goes until the point, and then on to the end; whether the point was met.
    pub fn meets(mut self, point: &Point) -> bool {
        let trace = self.begin(Some(point));
        let told_before = self.journey.goes_on(&mut self.site);
        let was_met = match point.harm {
            Harm::Kill => told_before.is_none(),
            Harm::NoSpace | Harm::Broken => trace.has_injected(),
        };
        self.site.kill();
        drop(trace);
        let mut good = vec![self.journey.good_end(&self.site)];
        if self.journey == Journey::Upgrade && point.harm != Harm::Kill {
            good.push(End { stage: Stage::Failed, runs_new: false });
        }
        self.journey.ends_well(&mut self.site, self.journey.intent(), &good, told_before);
        was_met
    }

    /// Starts what is traced.
    fn begin(&mut self, point: Option<&Point>) -> Strace {
        let (journey, site) = (self.journey, &mut self.site);
        let log = site.path("strace");
        if journey == Journey::Upgrade {
            site.waits_for_an_offer();
            let trace = Strace::attach(site.agent.as_ref().expect("it runs").id(), point, log);
            site.is_offered(journey.intent());
            return trace;
        }
        site.offer(journey.intent());
        // From its first instruction on.
        let (strace, trace) = Strace::from_the_start(point, log);
        let binary = site.binary();
        let strace = [strace.get_program()].into_iter().chain(strace.get_args());
        let words: Vec<&OsStr> = strace.chain([binary.as_os_str()]).collect();
        site.spawn(&words, journey.verb());
        trace
    }
}

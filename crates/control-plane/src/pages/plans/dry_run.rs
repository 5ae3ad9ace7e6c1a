//! What would come of a plan, as a page shows it: how many, not who, wherever there are many.

use std::collections::BTreeMap;

use jiff::Timestamp;
use novacula_protocol::people::{DryMember, DryWave, PlanDryRun, Presence};

use crate::pages::words;

/// More names nobody reads.
const MOST_NAMES: usize = 50;

/// A dry run.
#[derive(Clone, Debug)]
pub(crate) struct DryRunShown {
    pub target: String,
    pub warnings: Vec<String>,
    pub waves: Vec<DryWaveShown>,
    pub total: u64,
    pub in_no_wave: Named,
    /// How long it takes if people approve at once and nothing fails.
    pub takes: String,
    pub ends_at: Timestamp,
}

/// One wave of it.
#[derive(Clone, Debug)]
pub(crate) struct DryWaveShown {
    pub wave: DryWave,
    pub total: u64,
    pub hops: Named,
    pub silent: Named,
    pub canaries: Named,
    /// What stands in the way, and of whom.
    pub obstacles: Vec<(String, Named)>,
    /// Whose host says that it could not.
    pub unfit: Vec<(String, String)>,
    pub unfit_more: u64,
    /// Hosts that still owe answers to their checks.
    pub owing: u64,
}

/// So many, and the names of the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub count: u64,
    pub names: Vec<String>,
}

impl Named {
    fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut named = Self::default();
        for name in names {
            named.count += 1;
            if named.names.len() < MOST_NAMES {
                named.names.push(name.to_owned());
            }
        }
        named
    }

    pub(crate) fn more(&self) -> u64 {
        self.count - u64::try_from(self.names.len()).unwrap_or(self.count)
    }

    /// `a, b and 3 more`
    pub(crate) fn said(&self) -> String {
        let names = self.names.join(", ");
        match self.more() {
            0 => names,
            more => format!("{names} and {} more", words::count(&more)),
        }
    }
}

impl DryRunShown {
    pub(crate) fn of(run: PlanDryRun, now: Timestamp) -> Self {
        let waves: Vec<_> = run.waves.into_iter().map(DryWaveShown::of).collect();
        Self {
            target: run.target_version.to_string(),
            warnings: run.warnings,
            total: waves.iter().map(|wave| wave.total).sum(),
            waves,
            in_no_wave: Named::of(run.in_no_wave.iter().map(String::as_str)),
            takes: words::took(&now, &run.ends_at),
            ends_at: run.ends_at,
        }
    }
}

impl DryWaveShown {
    fn of(wave: DryWave) -> Self {
        let those = |is: fn(&&DryMember) -> bool| {
            Named::of(wave.executors.iter().filter(is).map(|member| member.name.as_str()))
        };
        let mut obstacles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for member in &wave.executors {
            if let Some(obstacle) = &member.obstacle {
                obstacles.entry(obstacle).or_default().push(&member.name);
            }
        }
        let mut obstacles: Vec<_> =
            obstacles.into_iter().map(|(why, names)| (why.to_owned(), Named::of(names))).collect();
        obstacles.sort_by_key(|(_, named)| std::cmp::Reverse(named.count));
        obstacles.truncate(MOST_NAMES);
        let all_unfit: Vec<_> = wave.executors.iter().filter_map(unfit).collect();
        Self {
            total: wave.executors.len() as u64,
            hops: those(|member| member.route.len() > 1),
            silent: those(|member| member.status == Presence::Offline),
            canaries: those(|member| member.canary),
            unfit_more: all_unfit.len().saturating_sub(MOST_NAMES) as u64,
            unfit: all_unfit.into_iter().take(MOST_NAMES).collect(),
            owing: wave.executors.iter().filter(|member| !member.owes.is_empty()).count() as u64,
            obstacles,
            wave,
        }
    }
}

/// What the host says against it.
fn unfit(member: &DryMember) -> Option<(String, String)> {
    let failed = member.preflight.iter().filter(|checked| !checked.result.ok);
    let said: Vec<_> = failed.map(|it| format!("{}: {}", it.result.check, it.result.note)).collect();
    (!said.is_empty()).then(|| (member.name.clone(), said.join("; ")))
}

//! Pure: why an executor is not upgraded. The rules stand in the order in which they stop one; the first that does is
//! the answer.

pub mod plan;

use jiff::Timestamp;
use novacula_protocol::people::{Explanation, Presence, Release, ReleaseStatus, Rule, Upgrade, Wait};
use novacula_protocol::spec::{Confirm, Direction};
use novacula_protocol::{Stage, Status, reach};
use semver::Version;

use self::plan::PlanStand;
use crate::executor::{Executor, Snapshot};
use crate::upgrade::LAPSED;

/// What the rules look at.
pub struct Facts<'a> {
    /// The executor and its latest upgrade.
    pub snapshot: &'a Snapshot,
    /// Its account only keeps its lists.
    pub is_suspended: bool,
    /// Whether it syncs.
    pub presence: Presence,
    /// Those of its kind.
    pub releases: &'a [Release],
    /// Where it shall go; the newest it is offered, where nobody said.
    pub wanted: Option<&'a Version>,
    /// What its open upgrade waits for.
    pub wait: Option<&'a Wait>,
    /// The plans that have it or will, first the one that has it before the others.
    pub plans: &'a [PlanStand],
    /// The freeze or window that would stop its upgrade.
    pub calendar: Option<&'a Wait>,
    /// Now.
    pub now: Timestamp,
}

/// The first rule that stops the executor's upgrade.
#[must_use]
pub fn explain(facts: &Facts<'_>) -> Explanation {
    let executor = &facts.snapshot.executor;
    // Where nobody said where it shall go, the plan says so that has it; where somebody did, only plans count that lead
    // there.
    let leads = |plan: &&PlanStand| facts.wanted.is_none_or(|wanted| *wanted == plan.target_version);
    let plan = facts.plans.iter().filter(leads).find(|plan| !plan.is_settled());
    let facts = &Facts { wanted: facts.wanted.or(plan.map(|plan| &plan.target_version)), ..*facts };
    let target = target(facts);
    let version = target.map(|release| release.version.clone()).or_else(|| facts.wanted.cloned());
    let (rule, message) = suspended(facts)
        .or_else(|| offline(facts))
        .or_else(|| held(executor))
        .or_else(|| facts.snapshot.open_upgrade().map(|open| in_hand(&open.shown, facts)))
        .or_else(|| plan.and_then(|plan| plan.verdict(&executor.name)))
        .or_else(|| not_offered(facts, target))
        .or_else(|| target.and_then(|release| on_the_way(facts, release)))
        .or_else(|| target.and_then(|release| last_time(facts, release)))
        .or_else(|| facts.calendar.map(|wait| (wait.code.into(), wait.message.clone())))
        .unwrap_or_else(|| {
            let to = version.as_ref().map(ToString::to_string).unwrap_or_default();
            (
                Rule::Nothing,
                format!("nothing stops `{}`: its upgrade to {to} can be requested", executor.name),
            )
        });
    let upgrade_id = facts.snapshot.open_upgrade().map(|open| open.shown.id.clone());
    Explanation { rule, message, target_version: version, upgrade_id }
}

type Verdict = Option<(Rule, String)>;

/// The release it is about: the one asked for, else the newest that is offered.
fn target<'a>(facts: &Facts<'a>) -> Option<&'a Release> {
    let from = facts.snapshot.executor.standpoint();
    let offered = facts.releases.iter().filter(|release| reach::is_offered(from, *release));
    match facts.wanted {
        Some(wanted) => offered.into_iter().find(|release| release.version == *wanted),
        None => offered.max_by(|a, b| a.version.cmp_precedence(&b.version)),
    }
}

fn suspended(facts: &Facts<'_>) -> Verdict {
    let sentence = "the account is suspended: its executors are refused until it is resumed";
    facts.is_suspended.then(|| (Rule::AccountSuspended, sentence.to_owned()))
}

fn offline(facts: &Facts<'_>) -> Verdict {
    let executor = &facts.snapshot.executor;
    (facts.presence == Presence::Offline).then(|| {
        let seen = executor.last_seen_at;
        let sentence =
            format!("`{}` is offline, it was last heard at {seen}; look after its host", executor.name);
        (Rule::Offline, sentence)
    })
}

fn held(executor: &Executor) -> Verdict {
    let held = executor.held.as_ref()?;
    let until = match held.until {
        Some(until) => format!("until {until}"),
        None => "until it is taken off there".to_owned(),
    };
    Some((Rule::Held, format!("the host of `{}` is on hold {until}: {}", executor.name, held.reason)))
}

fn in_hand(open: &Upgrade, facts: &Facts<'_>) -> (Rule, String) {
    let (name, to) = (&open.executor_name, &open.target_version);
    if let Some(wait) = facts.wait {
        return (wait.code.into(), format!("the upgrade of `{name}` to {to} waits: {}", wait.message));
    }
    if open.started_at.is_none() {
        let end = open.expires_at;
        if facts.now >= end {
            let sentence = format!(
                "the upgrade of `{name}` to {to} was not picked up before {end} and is about to lapse; request it again"
            );
            return (Rule::Lapsed, sentence);
        }
        let sentence =
            format!("the upgrade of `{name}` to {to} waits to be picked up at the next sync, until {end}");
        return (Rule::Pending, sentence);
    }
    let (stage, status) = (open.stage, open.status);
    let tail = match (stage, status, &open.error) {
        (_, Status::Paused, _) => "; it is paused".to_owned(),
        (Stage::ConfirmCompletion, ..) if open.confirm == Confirm::Manual => {
            "; it waits for somebody to complete it".to_owned()
        }
        (_, _, Some(error)) => format!("; its trouble is {}: {}", error.code, error.message),
        (Stage::Download, ..) if open.bytes_total > 0 => {
            format!("; it has {} of {} bytes", open.bytes_done, open.bytes_total)
        }
        _ => String::new(),
    };
    (Rule::Running, format!("the upgrade of `{name}` to {to} is at {stage} {status}{tail}"))
}

/// Why the release that was asked for is none for this executor, or why there is none at all.
fn not_offered(facts: &Facts<'_>, target: Option<&Release>) -> Verdict {
    let executor = &facts.snapshot.executor;
    if target.is_some() {
        return None;
    }
    if facts.wanted == Some(&executor.current_version) {
        return Some(up_to_date(executor));
    }
    let (kind, channel) = (executor.kind, executor.channel);
    let Some(wanted) = facts.wanted else {
        let sentence = format!(
            "no release of kind {kind} is published in the channel {channel} for {}; publish one",
            executor.target
        );
        return Some((Rule::NoRelease, sentence));
    };
    let why = match facts.releases.iter().find(|release| release.version == *wanted) {
        None => format!("there is no release {wanted} of kind {kind}; publish it"),
        Some(release) if release.status == ReleaseStatus::Draft => {
            format!("{wanted} is a draft; publish it")
        }
        Some(release) if release.status == ReleaseStatus::Yanked => {
            format!("{wanted} was yanked; choose another release")
        }
        Some(release) if !channel.includes(release.channel) => format!(
            "{wanted} is published in the channel {}, `{}` follows {channel}",
            release.channel, executor.name
        ),
        Some(_) => format!("{wanted} has no artifact for {}; choose another release", executor.target),
    };
    Some((Rule::NoRelease, why))
}

fn up_to_date(executor: &Executor) -> (Rule, String) {
    (Rule::UpToDate, format!("`{}` runs {} already", executor.name, executor.current_version))
}

fn on_the_way(facts: &Facts<'_>, release: &Release) -> Verdict {
    let executor = &facts.snapshot.executor;
    let (from, to) = (&executor.current_version, &release.version);
    match (reach::direction(from, to), facts.wanted) {
        (None, _) => return Some(up_to_date(executor)),
        (Some(Direction::Downgrade), None) => {
            let sentence =
                format!("`{}` runs {from}, the newest release it is offered is {to}", executor.name);
            return Some((Rule::UpToDate, sentence));
        }
        _ => {}
    }
    let direction = reach::direction(from, to)?;
    let hop = reach::hop_between(from, to)?;
    // Of those within reach, the one furthest along the way.
    let first = reach::available(executor.standpoint(), direction, facts.releases)
        .into_iter()
        .rfind(|available| available.blocked_by.is_none() && available.release.version.major != from.major);
    let next = match first {
        Some(first) => format!("go to {} now", first.release.version),
        None => "none of those is offered to it, so publish one".to_owned(),
    };
    Some((Rule::Unreachable, format!("from {from}, {to} {hop}: {next}")))
}

/// The end of the last upgrade, where it was one to the same release and did not bring it there.
fn last_time(facts: &Facts<'_>, release: &Release) -> Verdict {
    let last = &facts.snapshot.upgrade.as_ref()?.shown;
    let at = last.ended_at?;
    if last.target_version != release.version || last.stage == Stage::Completed {
        return None;
    }
    let to = &release.version;
    let (code, message) = last.error.as_ref().map_or(("", ""), |error| (&error.code, &error.message));
    if code == LAPSED {
        return Some((Rule::Lapsed, format!("the last request for {to} lapsed at {at}: {message}")));
    }
    let why = if code.is_empty() { String::new() } else { format!(": {code}: {message}") };
    let stage = last.stage;
    let sentence =
        format!("the last upgrade to {to} ended {stage} at {at}{why}; mend that, then request it again");
    Some((Rule::LastAttempt, sentence))
}

#[cfg(test)]
mod tests;

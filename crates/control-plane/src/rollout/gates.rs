//! Pure: what each gate of a wave says now.

use novacula_protocol::people::{Gate, GateOutcome, GateSpec, MemberOutcome, WaveSpec};

use super::Wave;
use super::limits::Counted;
use super::member::Member;

/// Its executors are online and run the target.
pub const ONLINE: &str = "online";
/// None of them has an open or failed upgrade.
pub const RECONCILED: &str = "reconciled";
/// None of them restarts all the time.
pub const RESTARTS: &str = "restarts";
/// A person says yes.
pub const APPROVAL: &str = "approval";

/// Restarts of one executor since its upgrade completed, where a plan does not say.
const MAX_RESTARTS: u32 = 3;

/// The gates of a wave by name, in the order in which they are asked.
#[must_use]
pub fn names(spec: &WaveSpec) -> Vec<String> {
    let own = spec.gates.iter().filter(|gate| !matches!(gate, GateSpec::Restarts { .. }));
    let (people, probes): (Vec<_>, Vec<_>) = own.partition(|gate| matches!(gate, GateSpec::Approval { .. }));
    let mut names: Vec<String> = [ONLINE, RECONCILED, RESTARTS].map(str::to_owned).to_vec();
    names.extend(probes.iter().map(|gate| gate.name().to_owned()));
    names.extend(people.iter().map(|gate| gate.name().to_owned()));
    if !spec.validation.automated && !names.iter().any(|name| name == APPROVAL) {
        names.push(APPROVAL.to_owned());
    }
    names
}

/// Whether it holds anybody up.
#[must_use]
pub fn is_blocking(spec: &WaveSpec, name: &str) -> bool {
    match spec.gates.iter().find(|gate| gate.name() == name) {
        Some(GateSpec::Prometheus { blocking, .. } | GateSpec::Http { blocking, .. }) => *blocking,
        _ => true,
    }
}

/// What each says.
pub(super) fn judge(wave: &Wave<'_>, members: &[&Member], counted: &Counted) -> Vec<Gate> {
    let judged = names(wave.spec).into_iter().filter_map(|name| {
        let said = wave.said.iter().find(|gate| gate.name == name);
        let spec = wave.spec.gates.iter().find(|gate| gate.name() == name);
        let (outcome, message) = match (name.as_str(), spec) {
            (ONLINE, _) => online(wave.spec, counted),
            (RECONCILED, _) => reconciled(wave.spec, members, counted),
            (RESTARTS, _) => restarts(wave.spec, members),
            // A person says yes to the wave, not to its beginning.
            (_, Some(GateSpec::Approval { .. }) | None) if wave.is_canary_part => return None,
            (_, Some(GateSpec::Approval { .. }) | None) => approval(said),
            (_, Some(_)) => probed(wave, said),
        };
        let blocking = is_blocking(wave.spec, &name);
        Some(Gate {
            name,
            outcome,
            message,
            blocking,
            at: said.and_then(|said| said.at),
            by: said.and_then(|said| said.by.clone()),
            skipped: said.is_some_and(|said| said.skipped),
        })
    });
    judged.collect()
}

fn online(spec: &WaveSpec, counted: &Counted) -> (GateOutcome, String) {
    let Counted { total, on_target, lost, unreachable, aside, .. } = *counted;
    let silent = unreachable + lost;
    if let Some(most) = counted.has_too_many_unreachable(spec) {
        let message =
            format!("{silent} of {total} executors do not sync, at most {most} may; look after their hosts");
        return (GateOutcome::Inconclusive, message);
    }
    if on_target > lost {
        let there = on_target - lost;
        return (GateOutcome::Pass, format!("{there} of {total} executors are online and on target"));
    }
    if counted.waiting + counted.started > 0 {
        return (GateOutcome::Waiting, format!("none of {total} executors is on target yet"));
    }
    let message = match (total, aside) {
        (0, 0) => "nobody is in the wave; label executors for it, or skip this gate".to_owned(),
        (0, _) => format!("all {aside} executors of the wave are set aside; see why, or skip this gate"),
        _ => format!("none of {total} executors is online and on target, so nothing is proved"),
    };
    (GateOutcome::Inconclusive, message)
}

fn reconciled(spec: &WaveSpec, members: &[&Member], counted: &Counted) -> (GateOutcome, String) {
    let Counted { total, failed, slow, waiting, started, .. } = *counted;
    let first = |outcome: MemberOutcome| {
        let first = members.iter().find(|member| member.outcome == outcome);
        first.map(|member| format!("`{}`: {}", member.name, member.reason)).unwrap_or_default()
    };
    if let Some(most) = counted.has_too_many_failed(spec) {
        let first = first(MemberOutcome::Failed);
        return (
            GateOutcome::Fail,
            format!("{failed} of {total} executors failed, at most {most} may; {first}"),
        );
    }
    if let Some(most) = counted.has_too_many_slow(spec) {
        let first = first(MemberOutcome::Slow);
        return (
            GateOutcome::Fail,
            format!("{slow} of {total} executors stand still, at most {most} may; {first}"),
        );
    }
    if waiting + started > 0 {
        return (
            GateOutcome::Waiting,
            format!("{started} of {total} executors are under way, {waiting} wait"),
        );
    }
    let tolerated = match (failed, slow) {
        (0, 0) => String::new(),
        _ => format!("; {failed} failed and {slow} stand still, which the plan allows"),
    };
    (GateOutcome::Pass, format!("no executor has an open upgrade{tolerated}"))
}

fn restarts(spec: &WaveSpec, members: &[&Member]) -> (GateOutcome, String) {
    let asked = spec.gates.iter().find_map(|gate| match gate {
        GateSpec::Restarts { max_per_executor } => Some(*max_per_executor),
        _ => None,
    });
    let most = asked.unwrap_or(MAX_RESTARTS);
    let completed = members.iter().filter(|member| member.outcome == MemberOutcome::Completed);
    let worst = completed.map(|member| (since(member), &member.name)).max();
    match worst {
        None => (GateOutcome::Pass, "no executor was upgraded yet".to_owned()),
        Some((count, name)) if count > most => (
            GateOutcome::Fail,
            format!(
                "`{name}` restarted {count} times since its upgrade completed, at most {most} are allowed"
            ),
        ),
        Some((count, _)) => (GateOutcome::Pass, format!("no executor restarted more than {count} times")),
    }
}

/// A reboot begins the count anew.
fn since(member: &Member) -> u32 {
    let (before, now) = (member.restarts_before, member.seen.restarts);
    if now < before { now } else { now - before }
}

/// What a probe said before the wave was healthy does not count.
fn probed(wave: &Wave<'_>, said: Option<&Gate>) -> (GateOutcome, String) {
    let fresh = said.filter(|said| {
        said.outcome != GateOutcome::Waiting
            && wave.healthy_since.is_some_and(|since| said.at.is_some_and(|at| at >= since))
    });
    match fresh {
        Some(said) => (said.outcome, said.message.clone()),
        None if wave.healthy_since.is_some() => (GateOutcome::Waiting, "it is being asked".to_owned()),
        None => (GateOutcome::Waiting, "it is asked once the wave is healthy".to_owned()),
    }
}

fn approval(said: Option<&Gate>) -> (GateOutcome, String) {
    match said.filter(|said| said.outcome == GateOutcome::Pass) {
        Some(said) => (GateOutcome::Pass, said.message.clone()),
        None => (GateOutcome::Waiting, "a person has to approve the wave".to_owned()),
    }
}

//! Pure: one wave of a fleet plan and what is known of its executors in, what happens to it now out.
//!
//! ```text
//!            canaries healthy ─ soak ─ gates
//!          ┌──────────────────────────────────┐
//! Pending ─▶ Canary                           ▼
//!    └──────────────────────────────────▶ Running ─▶ Soaking ─▶ Gate ─▶ Passed ─▶ the next wave
//!                                             └──────────┴────────┴──▶ Halted ─▶ RollingBack ─▶ RolledBack
//! ```
//!
//! Dead, slow and broken are three things: who does not sync makes the outcome uncertain, and the plan pauses until it
//! is known; who fails or stands still in an upgrade is a reason to halt.

pub mod back;
pub mod gates;
pub mod limits;
pub mod member;

use jiff::Timestamp;
use novacula_protocol::people::{Gate, GateOutcome, GateSpec, MemberOutcome, WaveSpec};
use uuid::Uuid;

use crate::clock::after_ms;
use gates::{APPROVAL, ONLINE, RECONCILED};
use limits::Counted;
use member::Member;

/// A wave that has begun.
#[derive(Clone, Debug)]
pub struct Wave<'a> {
    /// What the plan says of it.
    pub spec: &'a WaveSpec,
    /// Its canaries go, and the rest waits for them.
    pub is_canary_part: bool,
    /// Everybody in it, in its order, as they are known now.
    pub members: &'a [Member],
    /// Since when it is healthy.
    pub healthy_since: Option<Timestamp>,
    /// What its probes said last, and what people said to its gates.
    pub said: &'a [Gate],
    /// How many at once.
    pub max_in_flight: u32,
}

/// What comes of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Where it stands, and why.
    pub verdict: Verdict,
    /// Who may go now, in their order.
    pub grants: Vec<Uuid>,
    /// Since when it is healthy.
    pub healthy_since: Option<Timestamp>,
    /// What each gate says.
    pub gates: Vec<Gate>,
}

/// Where a wave stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Executors go.
    Run,
    /// It is healthy and is watched.
    Soak(Timestamp),
    /// It waits for this gate.
    Await {
        /// Which.
        gate: String,
        /// Why, in one sentence.
        message: String,
    },
    /// Nobody can tell.
    Pause(String),
    /// It failed.
    Halt(String),
    /// The canaries have proved it; the rest may go.
    CanaryPassed,
    /// The next wave may begin.
    Passed,
}

/// What comes of the wave now.
#[must_use]
pub fn next(wave: &Wave<'_>, now: Timestamp) -> Next {
    let members = part(wave.members, wave.is_canary_part);
    let counted = Counted::of(&members);
    let gates = gates::judge(wave, &members, &counted);
    let holds = |outcome: GateOutcome| {
        gates.iter().find(|gate| gate.outcome == outcome && gate.blocking && !gate.skipped)
    };
    let is_open = |name: &str| gates.iter().any(|gate| gate.name == name && is_passed(gate));

    if let Some(failed) = holds(GateOutcome::Fail) {
        let verdict = Verdict::Halt(format!("gate `{}`: {}", failed.name, failed.message));
        return Next { verdict, grants: Vec::new(), healthy_since: None, gates };
    }
    if let Some(online) = holds(GateOutcome::Inconclusive).filter(|gate| gate.name == ONLINE) {
        let verdict = Verdict::Pause(format!("gate `{ONLINE}`: {}", online.message));
        return Next { verdict, grants: Vec::new(), healthy_since: None, gates };
    }
    let grants = grants(&members, &counted, wave.max_in_flight);
    let is_healthy = is_open(ONLINE) && (is_open(RECONCILED) || wave.healthy_since.is_some());
    if !is_healthy {
        return Next { verdict: Verdict::Run, grants, healthy_since: None, gates };
    }
    let healthy_since = wave.healthy_since.unwrap_or(now);
    let next = |verdict| Next { verdict, grants, healthy_since: Some(healthy_since), gates: gates.clone() };
    let soaked_at = after_ms(healthy_since, wave.spec.validation.health_check_duration.ms);
    let soaked_at = soaked_at.unwrap_or(Timestamp::MAX);
    if now < soaked_at {
        return next(Verdict::Soak(soaked_at));
    }
    if let Some(unclear) = holds(GateOutcome::Inconclusive) {
        return next(Verdict::Pause(format!("gate `{}`: {}", unclear.name, unclear.message)));
    }
    // A person is asked last, when there is nothing else to wait for.
    if let Some(awaited) = holds(GateOutcome::Waiting) {
        let (gate, message) = (awaited.name.clone(), awaited.message.clone());
        return next(Verdict::Await { gate, message });
    }
    next(if wave.is_canary_part { Verdict::CanaryPassed } else { Verdict::Passed })
}

/// Who is at it in a wave that goes, and what the next waits for; said after those that may go now have gone.
#[must_use]
pub fn under_way(members: &[Member], is_canary_part: bool, max_in_flight: u32) -> String {
    let members = part(members, is_canary_part);
    Counted::of(&members).under_way(&members, max_in_flight)
}

fn part(members: &[Member], is_canary_part: bool) -> Vec<&Member> {
    members.iter().filter(|member| member.canary || !is_canary_part).collect()
}

fn is_passed(gate: &Gate) -> bool {
    gate.outcome == GateOutcome::Pass || gate.skipped || !gate.blocking
}

/// As many as the cap leaves room for, in their order, of those that nothing stands in the way of.
fn grants(members: &[&Member], counted: &Counted, max_in_flight: u32) -> Vec<Uuid> {
    let room = max_in_flight.saturating_sub(counted.started) as usize;
    let waiting = members.iter().filter(|member| member.outcome == MemberOutcome::Waiting);
    waiting.filter(|member| member.seen.obstacle().is_none()).take(room).map(|m| m.executor_id).collect()
}

/// The gate that a person opens, by its usual name.
#[must_use]
pub fn is_approval(name: &str, spec: &WaveSpec) -> bool {
    let named = |gate: &GateSpec| matches!(gate, GateSpec::Approval { .. }) && gate.name() == name;
    (name == APPROVAL && !spec.validation.automated) || spec.gates.iter().any(named)
}

#[cfg(test)]
mod tests;

//! Pure: who goes when, and how many at once.

use novacula_protocol::people::{CountOrPercent, WaveSpec};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// How many go at once, where a plan does not say.
const MAX_IN_FLIGHT: CountOrPercent = CountOrPercent::Percent(25);

/// The place of an executor in the order of a plan, smaller first: another one in each plan, so that the same machines
/// are not always the first.
#[must_use]
pub fn rank(plan_id: Uuid, executor_id: Uuid) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(plan_id.as_bytes());
    digest.update(executor_id.as_bytes());
    digest.finalize().into()
}

/// How many of a wave of `total` go at once: at least one.
#[must_use]
pub fn in_flight(wave: &WaveSpec, total: u32) -> u32 {
    wave.max_in_flight.unwrap_or(MAX_IN_FLIGHT).of(total).max(1)
}

/// How many of a wave of `total` go first; 0 where nobody goes before the others.
#[must_use]
pub fn canary(wave: &WaveSpec, total: u32) -> u32 {
    wave.canary.map_or(0, |canary| canary.of(total).min(total))
}

/// What decides which of several plans has an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The plan; ids grow with time.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The higher one has the executor.
    pub priority: i32,
    /// Plans of the same priority that have it before this one.
    pub yields_to: Vec<String>,
}

/// Plans in the order in which they have an executor: by priority, then those that others yield to, then the older.
#[must_use]
pub fn order(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by_key(|claim| (std::cmp::Reverse(claim.priority), claim.id));
    let mut ordered: Vec<Claim> = Vec::with_capacity(claims.len());
    while !claims.is_empty() {
        let highest = claims[0].priority;
        let is_free = |claim: &Claim| {
            let has_to_wait_for = |other: &Claim| {
                other.priority == highest && other.id != claim.id && claim.yields_to.contains(&other.name)
            };
            claim.priority == highest && !claims.iter().any(has_to_wait_for)
        };
        // Circles are refused when a plan is applied; if there is one all the same, the older has it.
        let next = claims.iter().position(is_free).unwrap_or(0);
        ordered.push(claims.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_with_the_higher_priority_has_an_executor_then_who_is_yielded_to_then_the_older() {
        let claim = |id: u128, priority: i32, yields_to: &[&str]| Claim {
            id: Uuid::from_u128(id),
            name: format!("p{id}"),
            priority,
            yields_to: yields_to.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (sentence, claims, expected) in [
            ("the older", vec![claim(2, 0, &[]), claim(1, 0, &[])], "p1 p2"),
            ("the higher one", vec![claim(1, 0, &[]), claim(2, 1, &[]), claim(3, -1, &[])], "p2 p1 p3"),
            ("the one that is yielded to", vec![claim(1, 0, &["p2"]), claim(2, 0, &[])], "p2 p1"),
            (
                "over several",
                vec![claim(1, 0, &["p2"]), claim(2, 0, &["p3"]), claim(3, 0, &[]), claim(4, 0, &[])],
                "p3 p2 p1 p4",
            ),
            ("yielding does not lift a low one", vec![claim(1, 5, &["p2"]), claim(2, 0, &[])], "p1 p2"),
            ("a circle ends with the older", vec![claim(1, 0, &["p2"]), claim(2, 0, &["p1"])], "p1 p2"),
            ("yielding to nobody", vec![claim(1, 0, &["gone"]), claim(2, 0, &["p2"])], "p1 p2"),
        ] {
            let names: Vec<_> = order(claims).into_iter().map(|claim| claim.name).collect();
            assert_eq!(names.join(" "), expected, "{sentence}");
        }
    }

    #[test]
    fn the_order_of_executors_is_another_one_in_each_plan() {
        let executors: Vec<_> = (0..100).map(Uuid::from_u128).collect();
        let first = |plan: u128| {
            *executors.iter().min_by_key(|executor| rank(Uuid::from_u128(plan), **executor)).unwrap()
        };
        let firsts: std::collections::BTreeSet<_> = (0..50).map(first).collect();
        assert!(firsts.len() > 25, "{} of 50 plans begin with another executor", firsts.len());
        assert_eq!(first(1), first(1));
    }
}

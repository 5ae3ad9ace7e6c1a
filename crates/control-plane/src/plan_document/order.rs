//! Which of several plans has an executor.

use jiff::Timestamp;
use novacula_protocol::people::{DocumentRefused, FleetUpgradePlan};
use uuid::Uuid;

use super::{LivePlan, names};

/// So many plans another may yield to.
const MOST_YIELDS: usize = 16;

/// A plan, as far as its place among others goes.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Its id.
    pub id: Uuid,
    /// Unique among them.
    pub name: &'a str,
    /// The higher one comes first.
    pub priority: i32,
    /// The names of those of the same priority that come before it.
    pub yields_to: &'a [String],
    /// Of what is left, the older comes first.
    pub created_at: Timestamp,
}

impl<'a> From<&'a LivePlan> for Standing<'a> {
    fn from(plan: &'a LivePlan) -> Self {
        Self {
            id: plan.id,
            name: &plan.name,
            priority: plan.priority,
            yields_to: &plan.yields_to,
            created_at: plan.created_at,
        }
    }
}

/// The ids of the plans in their order: an executor that several take belongs to the first of them. It is by priority,
/// then by who yields to whom, then by age. Plans that yield to each other in a circle come in the order of their age.
#[must_use]
pub fn order<'a>(plans: impl IntoIterator<Item = Standing<'a>>) -> Vec<Uuid> {
    let mut left: Vec<_> = plans.into_iter().collect();
    left.sort_by_key(|plan| (std::cmp::Reverse(plan.priority), plan.created_at, plan.id));
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(oldest) = left.first() {
        let priority = oldest.priority;
        let waits = |plan: &Standing<'_>| {
            let others = left.iter().filter(|other| other.priority == priority && other.id != plan.id);
            others.into_iter().any(|other| plan.yields_to.iter().any(|name| name == other.name))
        };
        let next = left.iter().position(|plan| plan.priority == priority && !waits(plan)).unwrap_or_default();
        ordered.push(left.remove(next).id);
    }
    ordered
}

/// Whether `yieldsTo` can be meant among the plans that live.
pub(super) fn checked(document: &FleetUpgradePlan, plans: &[LivePlan]) -> Result<(), DocumentRefused> {
    let (name, spec) = (&document.metadata.name, &document.spec);
    if spec.yields_to.len() > MOST_YIELDS {
        let count = spec.yields_to.len();
        return Err(DocumentRefused::at(
            "spec.yieldsTo",
            format!("must be at most {MOST_YIELDS} plans, there are {count}"),
        ));
    }
    for (at, other) in spec.yields_to.iter().enumerate() {
        let shown = names::short(other);
        let refused = |reason: String| Err(DocumentRefused::at(format!("spec.yieldsTo[{at}]"), reason));
        if other == name {
            return refused("must be another plan, it is this one".to_owned());
        }
        if spec.yields_to[..at].contains(other) {
            return refused(format!("must stand once, `{shown}` stands twice"));
        }
        let Some(plan) = plans.iter().find(|plan| plan.name == *other) else {
            let living = names::list_or(plans.iter().map(|plan| &plan.name), "none");
            return refused(format!(
                "must be the name of a plan that has not ended, there is no `{shown}`; there are: {living}"
            ));
        };
        if plan.priority < spec.priority {
            let (theirs, ours) = (plan.priority, spec.priority);
            return refused(format!(
                "must be a plan of the same priority, `{shown}` has {theirs} and this one {ours}, so this one comes first"
            ));
        }
    }
    match circle(document, plans) {
        Some(circle) => Err(DocumentRefused::at(
            "spec.yieldsTo",
            format!("must not lead back to this plan, but {}", circle.join(" yields to ")),
        )),
        None => Ok(()),
    }
}

/// The names on the way from the plan over those it yields to back to itself.
fn circle(document: &FleetUpgradePlan, plans: &[LivePlan]) -> Option<Vec<String>> {
    let (start, spec) = (&document.metadata.name, &document.spec);
    let quoted = |name: &str| format!("`{}`", names::short(name));
    // Each name with the way that led to it.
    let mut ways: Vec<(&str, Vec<String>)> =
        spec.yields_to.iter().map(|name| (name.as_str(), vec![quoted(start), quoted(name)])).collect();
    let mut at = 0;
    while at < ways.len() {
        let (here, way) = ways[at].clone();
        at += 1;
        let Some(plan) = plans.iter().find(|plan| plan.name == here && plan.priority == spec.priority) else {
            continue;
        };
        for next in &plan.yields_to {
            let longer = [way.as_slice(), &[quoted(next)]].concat();
            if next == start {
                return Some(longer);
            }
            if ways.iter().all(|(known, _)| known != next) {
                ways.push((next, longer));
            }
        }
    }
    None
}

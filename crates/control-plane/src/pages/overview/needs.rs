//! Pure: what needs a person now, with the reason and the place where it is done.

use jiff::Timestamp;
use novacula_protocol::people::{Attention, FleetPlan, Need, PlanState, Release, ReleaseStatus, Webhook};

use super::{Gathered, plans};
use crate::pages::words;

/// More of one kind are counted, and found behind a link.
const NAMED: usize = 5;

/// Things that need the same of a person.
pub(crate) struct Needs {
    pub title: String,
    /// `bad` or `warn`.
    pub badge: &'static str,
    pub items: Vec<Item>,
    /// Where those are that are not named.
    pub more: Option<More>,
}

/// One of them.
pub(crate) struct Item {
    pub label: String,
    pub href: String,
    pub reason: String,
    /// Since when, or when it happened.
    pub at: Option<Timestamp>,
}

/// Those that are not named.
pub(crate) struct More {
    pub text: String,
    pub href: &'static str,
}

/// What went wrong first, then what waits.
pub(super) fn all(gathered: &Gathered) -> Vec<Needs> {
    let mut all: Vec<Needs> = gathered.attention.iter().map(upgrades).collect();
    all.splice(0..0, bad_plans(&gathered.plans));
    all.extend(plans_for_approval(&gathered.plans));
    all.extend(executors(gathered));
    all.extend(drafts(&gathered.releases));
    all.extend(webhooks(&gathered.webhooks));
    all
}

fn upgrades(group: &Attention) -> Needs {
    let (title, badge, href) = match group.need {
        Need::Failed => ("Upgrades that failed in the last 24 hours", "bad", "/upgrades/?state=error"),
        Need::RolledBack => {
            ("Upgrades that were rolled back in the last 24 hours", "bad", "/upgrades/?state=error")
        }
        Need::Completion => ("Upgrades to complete or to roll back", "warn", "/upgrades/?state=running"),
        Need::Approval => ("Upgrades to approve", "warn", "/upgrades/?state=pending"),
        Need::Prerequisites => {
            ("Upgrades with steps to do before they begin", "warn", "/upgrades/?state=pending")
        }
        Need::Start => ("Upgrades to start", "warn", "/upgrades/?state=pending"),
        Need::Paused => ("Paused upgrades to continue", "warn", "/upgrades/"),
    };
    let items: Vec<Item> = group
        .upgrades
        .iter()
        .take(NAMED)
        .map(|one| Item {
            label: format!("{} to {}", one.executor_name, one.target_version),
            href: format!("/upgrades/{}", one.upgrade_id),
            reason: words::sentence(&one.reason),
            at: Some(one.at),
        })
        .collect();
    Needs { title: title.to_owned(), badge, more: more(group.count, items.len(), href), items }
}

fn more(count: u64, named: usize, href: &'static str) -> Option<More> {
    let rest = count.saturating_sub(named as u64);
    (rest > 0).then(|| More { text: format!("and {} more", words::count(&rest)), href })
}

/// A group of what is a list already; nothing where it is empty.
fn group(title: &str, badge: &'static str, mut items: Vec<Item>, href: &'static str) -> Option<Needs> {
    let count = items.len() as u64;
    items.truncate(NAMED);
    let more = more(count, items.len(), href);
    (count > 0).then(|| Needs { title: title.to_owned(), badge, items, more })
}

fn item_of(plan: &FleetPlan, reason: &str) -> Item {
    Item { label: plan.name.clone(), href: plans::href(plan), reason: words::sentence(reason), at: None }
}

fn bad_plans(all: &[FleetPlan]) -> Vec<Needs> {
    let that_are = |state, title, badge| {
        let items = all.iter().filter(|plan| plan.state == state).map(|plan| item_of(plan, &plan.reason));
        group(title, badge, items.collect(), "/plans/")
    };
    let halted = that_are(PlanState::Halted, "Halted fleet plans", "bad");
    let paused =
        that_are(PlanState::Paused, "Paused fleet plans: nobody can tell whether they may go on", "warn");
    halted.into_iter().chain(paused).collect()
}

fn plans_for_approval(all: &[FleetPlan]) -> Option<Needs> {
    let wanted = all.iter().filter_map(|plan| match plan.state {
        PlanState::ApprovalWanted => Some(item_of(plan, &plan.reason)),
        _ => plans::asks(plan).map(|wave| item_of(plan, &format!("wave {}: {}", wave.name, wave.reason))),
    });
    group("Fleet plans to approve", "warn", wanted.collect(), "/plans/")
}

fn executors(gathered: &Gathered) -> Option<Needs> {
    let census = &gathered.census;
    let mut items = Vec::new();
    let mut count = |number: u64, label: &str, href: &str, reason: &str| {
        if number > 0 {
            let label = format!("{} {label}", words::counted(&number, "executor", "executors"));
            items.push(Item { label, href: href.to_owned(), reason: reason.to_owned(), at: None });
        }
    };
    count(
        census.support.out_of_support,
        "out of support",
        "/executors/?support=out-of-support",
        "More than one major version behind this control plane: bring them up, one major version at a time.",
    );
    count(
        census.held,
        "held",
        "/executors/?held=true",
        "A sysadmin keeps upgrades away from the host; its page says why.",
    );
    group("Executors that are left behind", "warn", items, "/executors/")
}

fn drafts(releases: &[Release]) -> Option<Needs> {
    let drafts = releases.iter().filter(|release| release.status == ReleaseStatus::Draft);
    let items = drafts.map(|release| Item {
        label: format!("{} {}", release.kind, release.version),
        href: format!("/releases/{}", release.id),
        reason: "It is a draft: nobody is offered it before it is published.".to_owned(),
        at: Some(release.created_at),
    });
    group("Releases to publish", "warn", items.collect(), "/releases/")
}

fn webhooks(all: &[Webhook]) -> Option<Needs> {
    let failing = all.iter().filter_map(|webhook| {
        let reason = match (&webhook.disabled_reason, webhook.failing_since) {
            (Some(why), _) => format!("it is disabled: {why}"),
            (None, Some(_)) if webhook.enabled => "every try fails since then".to_owned(),
            _ => return None,
        };
        let name = if webhook.description.is_empty() { &webhook.url } else { &webhook.description };
        Some(Item {
            label: name.clone(),
            href: format!("/webhooks/{}", webhook.id),
            reason: words::sentence(&reason),
            at: webhook.failing_since,
        })
    });
    group("Webhooks that reach nobody", "bad", failing.collect(), "/webhooks/")
}

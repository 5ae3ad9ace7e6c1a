//! Pure: what each word that can be said about an upgrade is called, and what it does.

use novacula_protocol::people::{Upgrade, UpgradeVerb};

use crate::pages::action::{Action, Look};

/// What a confirmation says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// Of the button, and of the heading before the executor's name.
    pub label: &'static str,
    /// What will happen.
    pub does: &'static str,
    pub look: Look,
    /// The API wants to know why.
    pub wants_reason: bool,
}

pub(crate) fn words_of(verb: UpgradeVerb) -> Words {
    let (label, look, wants_reason, does) = match verb {
        UpgradeVerb::Start => (
            "Execute",
            Look::First,
            false,
            "The executor is told with its next sync: it downloads, verifies and swaps, and is rolled back by itself if the new version does not stay healthy.",
        ),
        UpgradeVerb::Validate => (
            "Dry run",
            Look::Plain,
            false,
            "The host downloads and verifies the artifact and swaps nothing. The upgrade itself waits on.",
        ),
        UpgradeVerb::Approve => (
            "Approve",
            Look::First,
            false,
            "You say yes to what somebody else requested. If nothing else stands in its way, it begins.",
        ),
        UpgradeVerb::Reschedule => (
            "Reschedule",
            Look::Plain,
            false,
            "It begins at another time, at least an hour from now and not after its deadline.",
        ),
        UpgradeVerb::Pause => (
            "Pause",
            Look::Plain,
            true,
            "It stands still at the next checkpoint before the swap, until somebody continues it.",
        ),
        UpgradeVerb::Continue => (
            "Continue",
            Look::First,
            true,
            "It goes on: after a pause, past a stage that stalled, or again after a failure, and then past windows and freezes too.",
        ),
        UpgradeVerb::Complete => (
            "Complete",
            Look::First,
            false,
            "The new version stays. There is no way back by this upgrade afterwards; going back is a new one.",
        ),
        UpgradeVerb::Rollback => (
            "Roll back",
            Look::Grave,
            false,
            "The executor puts the version back that ran before, and this upgrade ends as rolled back.",
        ),
        UpgradeVerb::Retry => (
            "Retry",
            Look::First,
            false,
            "A new attempt begins from what runs now, through the same windows, freezes and approvals.",
        ),
        UpgradeVerb::Abandon => (
            "Abandon",
            Look::Grave,
            true,
            "It is dropped: at once before its executor has picked it up, else at the next checkpoint before the swap. Nothing is swapped.",
        ),
    };
    Words { label, does, look, wants_reason }
}

/// The button that leads to the confirmation.
pub(crate) fn button(verb: UpgradeVerb, upgrade_id: &str, is_small: bool) -> Action {
    let words = words_of(verb);
    // In a row nothing stands out against the row beside it.
    let look = if is_small { Look::Plain } else { words.look };
    Action::new(words.label, place(upgrade_id, verb), look)
}

pub(crate) fn place(upgrade_id: &str, verb: UpgradeVerb) -> String {
    format!("/upgrades/{upgrade_id}/{}", verb.as_str())
}

/// Why it cannot even be begun; what a confirmation can go past is no reason yet.
pub(crate) fn state_forbids(upgrade: &Upgrade, verb: UpgradeVerb) -> Option<String> {
    let action = upgrade.actions.iter().find(|action| action.action == verb)?;
    let reason = action.reason.as_deref().filter(|_| !action.allowed)?;
    let can_be_passed = verb == UpgradeVerb::Start
        && action.code.as_deref().is_some_and(|code| code == PREREQUISITES || can_be_forced(code));
    (!can_be_passed).then(|| crate::pages::words::sentence(reason))
}

/// The code of a start that waits for steps.
pub(crate) const PREREQUISITES: &str = "prerequisites_open";

/// What a start with force goes past.
pub(crate) fn can_be_forced(code: &str) -> bool {
    matches!(code, "older_upgrade_pending" | "frozen" | "outside_window")
}

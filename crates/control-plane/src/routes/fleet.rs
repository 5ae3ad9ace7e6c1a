//! The executors and their upgrades.

use jiff::Timestamp;
use novacula_protocol::people::{
    Activity, ActivityVerdict, Attention, Executor, ExecutorPatch, Explanation, FleetCensus, Preflight,
    PreflightRequest, Presence, Upgrade, UpgradeCounts, UpgradeRequest, UpgradesOnDay,
};
use novacula_protocol::spec::Kind;
use novacula_protocol::sync::{Channel, Support};
use novacula_protocol::{Progress, Stage};
use semver::Version;
use uuid::Uuid;

use crate::api::{
    activity, attention, executors, explain, fleet_census, preflight, request_upgrade, upgrades,
    upgrades_over_time,
};
use crate::operation::{Operation, area, delete, get, patch, post};
use crate::right::Right;
use crate::{example, refusal, shape};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("executors", fleet());
    all.extend(area("upgrades", steering()));
    all.extend(area("activity", who_did_what()));
    all
}

fn fleet() -> [Operation; 9] {
    [
        get("/fleet/census", "countExecutors", Right::See, fleet_census::show)
            .summary("How many executors there are: online, held, how far behind, and by kind, channel and version")
            .answers::<FleetCensus>(200, example::FLEET_CENSUS),
        get("/executors", "listExecutors", Right::See, executors::list)
            .summary("The executors, by name")
            .query::<String>("name", "Only the one of this name")
            .query::<String>("search", "Only those whose name contains this, in upper or lower case")
            .query_many::<shape::Label>("label", "Only those with this label, `key=value`; all when several")
            .query::<String>("group", "Only those that the group of this name takes")
            .query::<Version>("version", "Only those that run this version")
            .query::<Channel>("channel", "Only those that follow this channel")
            .query::<Kind>("kind", "Only those of this kind")
            .query::<Presence>("status", "Only those that sync, or only those that do not")
            .query::<Support>("support", "Only those that are so far behind the control plane")
            .query::<bool>("held", "Only those that a sysadmin holds, or only the others")
            .query::<bool>("pending", "Only those with an upgrade that has not ended, or only the others")
            .query::<shape::KeyId>("trustsKey", "Only those that say they trust the release key of this id")
            .query::<shape::KeyId>(
                "lacksKey",
                "Only those that say which release keys they trust, and not this one",
            )
            .lists_by::<shape::NameCursor, Executor>(example::EXECUTOR_LISTED),
        get("/executors/{id}", "showExecutor", Right::See, executors::show)
            .summary("One executor, where it could go, and where it stands in the plans that have not ended")
            .answers::<Executor>(200, example::EXECUTOR),
        patch("/executors/{id}", "changeExecutor", Right::Steer, executors::patch)
            .summary("Gives an executor labels that stand over those of its config, or takes them back")
            .takes::<ExecutorPatch>(example::EXECUTOR_PATCH)
            .answers::<Executor>(200, example::EXECUTOR)
            .refuses(&[refusal::REASON_REQUIRED]),
        delete("/executors/{id}", "deleteExecutor", Right::Administer, executors::delete)
            .summary("Forgets an executor; it comes back with its next sync")
            .query::<shape::Reason>("reason", "Why, for the activity")
            .answers_nothing()
            .refuses(&[refusal::UPGRADE_ALREADY_PENDING]),
        get("/executors/{id}/explain", "explainExecutor", Right::See, explain::show)
            .summary("The first rule that stops the upgrade of an executor")
            .query::<Version>("targetVersion", "The release it is about; else the newest that is offered")
            .answers::<Explanation>(200, example::EXPLANATION),
        get("/executors/{id}/preflight", "showPreflight", Right::See, preflight::show)
            .summary("The last answers to checks of a host, and which it still owes")
            .answers::<Preflight>(200, example::PREFLIGHT),
        post("/executors/{id}/preflight", "askForChecks", Right::Steer, preflight::ask)
            .summary("Asks a host for checks; it answers with its next syncs")
            .takes::<PreflightRequest>(example::PREFLIGHT_REQUEST)
            .answers::<Preflight>(202, example::PREFLIGHT),
        post("/executors/{id}/preflight/checks/{check}", "askForCheck", Right::Steer, preflight::ask_for_one)
            .summary("Asks a host for one check")
            .answers::<Preflight>(202, example::PREFLIGHT),
    ]
}

fn steering() -> [Operation; 6] {
    [
        post("/executors/{id}/upgrade", "requestUpgrade", Right::Steer, request_upgrade::request)
            .summary("Asks for an upgrade of one executor, or for a downgrade")
            .takes::<UpgradeRequest>(example::UPGRADE_REQUEST)
            .answers::<Upgrade>(201, example::UPGRADE)
            .refuses(&[
                refusal::EXECUTOR_OFFLINE,
                refusal::UPGRADE_ALREADY_PENDING,
                refusal::RELEASE_NOT_FOUND,
                refusal::ALREADY_THERE,
                refusal::RELEASE_UNREACHABLE,
            ]),
        get("/upgrades", "listUpgrades", Right::See, upgrades::list)
            .summary("The upgrades, newest first")
            .query::<Uuid>("executorId", "Only those of this executor")
            .query::<Progress>("state", "Only those in this state")
            .query::<Stage>("stage", "Only those that stand at this stage")
            .lists::<Upgrade>(example::UPGRADE),
        get("/upgrades/counts", "countUpgrades", Right::See, upgrades::count)
            .summary(
                "How many upgrades stand in each state; of those that have ended, of the last seven days",
            )
            .answers::<UpgradeCounts>(200, example::UPGRADE_COUNTS),
        get("/upgrades/over-time", "countUpgradesOverTime", Right::See, upgrades_over_time::show)
            .summary("How many upgrades were requested and ended on each of the last days, the oldest first")
            .query::<shape::Days>("days", "How many days of UTC, today among them")
            .answers::<Vec<UpgradesOnDay>>(200, example::UPGRADES_ON_DAYS),
        get("/upgrades/attention", "listAttention", Right::See, attention::show)
            .summary(
                "The upgrades that wait for a person, and those that failed or were rolled back in the last 24 hours and nothing was requested after; by what they need",
            )
            .answers::<Vec<Attention>>(200, example::ATTENTION),
        get("/upgrades/{id}", "showUpgrade", Right::See, upgrades::show)
            .summary("One upgrade, with its log")
            .answers::<Upgrade>(200, example::UPGRADE),
    ]
}

fn who_did_what() -> [Operation; 2] {
    [
        get("/activity", "listActivity", Right::See, activity::list)
            .summary("Who did what, when and why, newest first; as JSON or as a table for a spreadsheet")
            .query::<String>("actor", "Only what this one did")
            .query::<novacula_protocol::people::Action>("action", "Only what was of this kind")
            .query::<String>("target", "Only what was done to this, by id or by name")
            .query::<Timestamp>("since", "Only what was done then or later")
            .query::<shape::Format>("format", "Else as the header `Accept` says, else JSON")
            .lists_by::<shape::EntryCursor, Activity>(example::ACTIVITY)
            .answers_as::<String>(200, "text/csv", Some(Activity::CSV_HEAD.into())),
        get("/activity/verify", "verifyActivity", Right::See, activity::verify)
            .summary("Whether the activity is whole and as it was written")
            .answers::<ActivityVerdict>(200, example::ACTIVITY_VERDICT),
    ]
}

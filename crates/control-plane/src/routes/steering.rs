//! How people steer an upgrade.

use std::collections::BTreeMap;

use novacula_protocol::people::{
    AbandonRequest, Acknowledge, Batch, BatchRequest, Diff, DiffSummary, FourEyes, LastSuccessful,
    MayHaveReason, NeedsUpgrade, Reschedule, Revision, RollbackRequest, StageEvents, StartRequest, Upgrade,
    UpgradeProgress, UpgradeSteps, Validation, WithReason,
};
use semver::Version;

use crate::api::{batches, census, diff, events, four_eyes, progress, revisions, steer, steps};
use crate::operation::{Operation, area, get, patch, post, put};
use crate::refusal::Refusal;
use crate::right::Right;
use crate::{example, refusal, shape};

/// What stops any upgrade from starting.
const IN_THE_WAY: [Refusal; 6] = [
    refusal::UPGRADE_PAUSED,
    refusal::APPROVAL_WANTED,
    refusal::PREREQUISITES_OPEN,
    refusal::OLDER_UPGRADE_PENDING,
    refusal::FROZEN,
    refusal::OUTSIDE_WINDOW,
];

/// What stops a new attempt.
const NO_NEW_ATTEMPT: [Refusal; 4] = [
    refusal::UPGRADE_ALREADY_PENDING,
    refusal::ALREADY_THERE,
    refusal::RELEASE_NOT_FOUND,
    refusal::RELEASE_UNREACHABLE,
];

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("steering", before_it_runs().into_iter().chain(while_it_runs()).chain(looks()));
    all.extend(area("steps", steps()));
    all.extend(area("four eyes", four_eyes()));
    all.extend(area("revisions", revisions()));
    all.extend(area("batches", many_at_once()));
    all
}

fn before_it_runs() -> [Operation; 4] {
    [
        patch("/upgrades/{id}", "rescheduleUpgrade", Right::Steer, steer::reschedule)
            .summary("Another time, at least an hour from now and not after the deadline; also after a failure")
            .takes::<Reschedule>(example::RESCHEDULE)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::OUTSIDE_RANGE,
                refusal::CROSSES_OTHER_TYPE,
                refusal::ALREADY_STARTED,
                refusal::UPGRADE_ENDED,
                refusal::UPGRADE_PAUSED,
                refusal::VALIDATING,
            ])
            .refuses(&NO_NEW_ATTEMPT),
        post("/upgrades/{id}/start", "startUpgrade", Right::Steer, steer::start)
            .summary("Begins now; with force past windows, freezes and older upgrades, never past a check of the host")
            .takes::<StartRequest>(example::START_REQUEST)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::EXECUTOR_OFFLINE,
                refusal::ALREADY_STARTED,
                refusal::UPGRADE_ENDED,
                refusal::VALIDATING,
            ])
            .refuses(&IN_THE_WAY),
        post("/upgrades/{id}/validate", "validateUpgrade", Right::Steer, steer::validate)
            .summary("A dry run on the host: it downloads and verifies, and swaps nothing")
            .takes::<MayHaveReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::EXECUTOR_OFFLINE,
                refusal::ALREADY_STARTED,
                refusal::UPGRADE_ENDED,
                refusal::UPGRADE_PAUSED,
                refusal::VALIDATING,
            ]),
        post("/upgrades/{id}/approve", "approveUpgrade", Right::Steer, steer::approve)
            .summary("Says yes to what somebody else has requested")
            .takes::<MayHaveReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[refusal::REASON_REQUIRED, refusal::OWN_REQUEST, refusal::APPROVAL_NOT_WANTED]),
    ]
}

fn while_it_runs() -> [Operation; 6] {
    [
        post("/upgrades/{id}/pause", "pauseUpgrade", Right::Steer, steer::pause)
            .summary("Stands still at the next checkpoint before the swap")
            .takes::<WithReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::UPGRADE_PAUSED,
                refusal::UPGRADE_ENDED,
                refusal::TOO_LATE,
                refusal::ALREADY_ASKED,
                refusal::VALIDATING,
            ]),
        post("/upgrades/{id}/continue", "continueUpgrade", Right::Steer, steer::go_on)
            .summary("Goes on after a pause, past a stage that stalled, or again after a failure")
            .takes::<WithReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[refusal::REASON_REQUIRED, refusal::NOT_PAUSED, refusal::UPGRADE_ENDED])
            .refuses(&NO_NEW_ATTEMPT),
        post("/upgrades/{id}/retry", "retryUpgrade", Right::Steer, steer::retry)
            .summary("A new attempt after a failure, through the same gates")
            .takes::<MayHaveReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::NOT_ENDED,
                refusal::UPGRADE_ENDED,
                refusal::EXECUTOR_OFFLINE,
            ])
            .refuses(&NO_NEW_ATTEMPT),
        post("/upgrades/{id}/rollback", "rollBackUpgrade", Right::Steer, steer::roll_back)
            .summary("Brings the previous version back, until the upgrade has completed")
            .takes::<MayHaveReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::NOT_STARTED,
                refusal::UPGRADE_ENDED,
                refusal::UPGRADE_PAUSED,
                refusal::ALREADY_ASKED,
                refusal::VALIDATING,
            ]),
        post("/upgrades/{id}/abandon", "abandonUpgrade", Right::Steer, steer::abandon)
            .summary("Drops it: at once before its executor has picked it up, at the next checkpoint before the swap")
            .takes::<AbandonRequest>(example::ABANDON_REQUEST)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::ALREADY_STARTED,
                refusal::UPGRADE_ENDED,
                refusal::TOO_LATE,
                refusal::ALREADY_ASKED,
                refusal::VALIDATING,
            ]),
        post("/upgrades/{id}/complete", "completeUpgrade", Right::Steer, steer::complete)
            .summary("The last word on an upgrade that waits for it")
            .takes::<MayHaveReason>(example::WITH_REASON)
            .answers::<Upgrade>(200, example::UPGRADE)
            .refuses(&[
                refusal::REASON_REQUIRED,
                refusal::TOO_EARLY,
                refusal::UPGRADE_ENDED,
                refusal::UPGRADE_PAUSED,
                refusal::ALREADY_ASKED,
            ]),
    ]
}

fn looks() -> [Operation; 6] {
    [
        get("/upgrades/{id}/progress", "showProgress", Right::See, progress::show)
            .summary("How far it is, what was asked of it and what it waits for")
            .answers::<UpgradeProgress>(200, example::PROGRESS),
        get("/upgrades/{id}/validation", "showValidation", Right::See, progress::validation)
            .summary("How the last dry run on the host ended")
            .answers::<Validation>(200, example::VALIDATION)
            .refuses(&[refusal::NOT_VALIDATED]),
        get("/upgrades/{id}/diff", "showDiff", Right::See, diff::show)
            .summary("What changes on the host: releases on the way, artifact, key, floor, stages")
            .answers::<Diff>(200, example::DIFF),
        get("/upgrades/{id}/diff/summary", "showDiffSummary", Right::See, diff::summary)
            .summary("The same in a few words")
            .answers::<DiffSummary>(200, example::DIFF_SUMMARY),
        get("/upgrades/{id}/events", "followUpgrade", Right::See, events::follow)
            .summary("What happens to it, as server-sent events `stage`, `log`, `progress` and `end`")
            .answers_as::<shape::Events>(200, "text/event-stream", Some(example::EVENTS.into()))
            .answers_nothing(),
        get("/upgrades/{id}/events/stages", "listStages", Right::See, events::by_stage)
            .summary("What happened to it, grouped by attempt and stage")
            .answers::<Vec<StageEvents>>(200, example::STAGES),
    ]
}

fn steps() -> [Operation; 5] {
    let acknowledged = |operation: Operation| operation.answers::<UpgradeSteps>(200, example::STEPS);
    [
        get("/upgrades/{id}/steps", "showSteps", Right::See, steps::show)
            .summary("What people do before and after an upgrade, and who says that it is done")
            .answers::<UpgradeSteps>(200, example::STEPS),
        acknowledged(
            post(
                "/upgrades/{id}/prerequisites/{number}/acknowledge",
                "acknowledgePrerequisite",
                Right::Steer,
                steps::prerequisite,
            )
            .summary("Says that one step before an upgrade is done; who says so first stays"),
        ),
        acknowledged(
            post(
                "/upgrades/{id}/prerequisites/acknowledge",
                "acknowledgePrerequisites",
                Right::Steer,
                steps::prerequisites,
            )
            .summary("Says that several steps before an upgrade are done")
            .takes::<Acknowledge>(example::ACKNOWLEDGE),
        ),
        acknowledged(
            post(
                "/upgrades/{id}/postrequisites/{number}/acknowledge",
                "acknowledgePostrequisite",
                Right::Steer,
                steps::postrequisite,
            )
            .summary("Says that one step after an upgrade is done, once it has completed")
            .refuses(&[refusal::TOO_EARLY]),
        ),
        acknowledged(
            post(
                "/upgrades/{id}/postrequisites/acknowledge",
                "acknowledgePostrequisites",
                Right::Steer,
                steps::postrequisites,
            )
            .summary("Says that several steps after an upgrade are done, once it has completed")
            .takes::<Acknowledge>(example::ACKNOWLEDGE)
            .refuses(&[refusal::TOO_EARLY]),
        ),
    ]
}

fn four_eyes() -> [Operation; 2] {
    [
        get("/four-eyes", "showFourEyes", Right::See, four_eyes::show)
            .summary("The channels whose releases want the approval of a second person")
            .answers::<FourEyes>(200, example::FOUR_EYES),
        put("/four-eyes", "setFourEyes", Right::Own, four_eyes::set)
            .summary("Chooses the channels whose releases want the approval of a second person")
            .takes::<FourEyes>(example::FOUR_EYES)
            .answers::<FourEyes>(200, example::FOUR_EYES),
    ]
}

fn revisions() -> [Operation; 3] {
    const NOT_REQUESTED: [Refusal; 5] = [
        refusal::EXECUTOR_OFFLINE,
        refusal::UPGRADE_ALREADY_PENDING,
        refusal::RELEASE_NOT_FOUND,
        refusal::ALREADY_THERE,
        refusal::RELEASE_UNREACHABLE,
    ];
    [
        get("/executors/{id}/revisions", "listRevisions", Right::See, revisions::list)
            .summary("What ran on an executor and what was tried, newest first; added to, never changed")
            .lists_by::<shape::EntryCursor, Revision>(example::REVISION),
        post("/executors/{id}/rollback", "rollBackExecutor", Right::Steer, revisions::roll_back)
            .summary("Asks for the version of an earlier revision, as a new upgrade and a new revision")
            .takes::<RollbackRequest>(example::ROLLBACK_REQUEST)
            .answers::<Upgrade>(201, example::UPGRADE)
            .refuses(&[refusal::REVISION_NOT_SUCCESSFUL])
            .refuses(&NOT_REQUESTED),
        post(
            "/executors/{id}/rollback/last-successful",
            "rollBackToLastSuccessful",
            Right::Steer,
            revisions::roll_back_to_last_successful,
        )
        .summary("The same, to the newest other version that completed there")
        .takes::<LastSuccessful>("{}")
        .answers::<Upgrade>(201, example::UPGRADE)
        .refuses(&[refusal::NO_EARLIER_REVISION])
        .refuses(&NOT_REQUESTED),
    ]
}

fn many_at_once() -> [Operation; 6] {
    [
        get("/releases/{kind}/versions", "countVersions", Right::See, census::versions)
            .summary("How many executors of a kind run each version")
            .answers::<BTreeMap<String, u64>>(200, example::VERSIONS),
        get("/releases/{kind}/needs-upgrade", "listNeedsUpgrade", Right::See, census::needs_upgrade)
            .summary("The executors of a kind that run something lower, by name")
            .query_needed::<Version>("targetVersion", "the version that shall run")
            .query_many::<shape::Label>("label", "Only those with this label, `key=value`; all when several")
            .lists_by::<shape::NameCursor, NeedsUpgrade>(example::NEEDS_UPGRADE),
        post("/releases/{kind}/batch-upgrade", "requestBatch", Right::Steer, batches::create)
            .summary("Asks for upgrades of many executors, one after the other or some at once")
            .query_needed::<Version>("targetVersion", "the version that shall run")
            .takes::<BatchRequest>(example::BATCH_REQUEST)
            .answers::<Batch>(202, example::BATCH),
        get("/batches", "listBatches", Right::See, batches::list)
            .summary("The batches, newest first")
            .lists::<Batch>(example::BATCH),
        get("/batches/{id}", "showBatch", Right::See, batches::show)
            .summary("One batch, and what became of each of its executors")
            .answers::<Batch>(200, example::BATCH),
        post("/batches/{id}/abandon", "abandonBatch", Right::Steer, batches::abandon)
            .summary("Nobody else\'s turn comes; upgrades that have begun go on")
            .takes::<WithReason>(example::WITH_REASON)
            .answers::<Batch>(200, example::BATCH)
            .refuses(&[refusal::REASON_REQUIRED, refusal::BATCH_ENDED]),
    ]
}

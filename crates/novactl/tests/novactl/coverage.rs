//! Every call for people has a command, as the control plane itself names its calls.

use novacula_lab::ControlPlane;
use serde_json::Value;

use crate::novactl::novactl;

/// The command of an operation.
const COMMANDS: &[(&str, &str)] = &[
    ("listReleases", "release list"),
    ("showRelease", "release publish"),
    ("uploadArtifact", "release publish"),
    ("changeRelease", "release yank"),
    ("countExecutors", "fleet census"),
    ("countUpgradesOverTime", "upgrade over-time"),
    ("listAttention", "upgrade attention"),
    ("showConsequences", "release consequences"),
    ("listReleaseKeys", "release keys"),
    ("listExecutors", "executor list"),
    ("showExecutor", "executor show"),
    ("changeExecutor", "executor label"),
    ("applyPlan", "fleet apply"),
    ("listPlans", "fleet list"),
    ("showPlan", "fleet status"),
    ("listPlanExecutors", "fleet executors"),
    ("approvePlan", "fleet approve"),
    ("haltPlan", "fleet halt"),
    ("resumePlan", "fleet resume"),
    ("skipGate", "fleet skip-gate"),
    ("rollBackPlan", "fleet rollback"),
    ("deletePlan", "fleet delete"),
    ("listGroups", "fleet group list"),
    ("createGroup", "fleet group create"),
    ("showGroup", "fleet group show"),
    ("changeGroup", "fleet group change"),
    ("deleteGroup", "fleet group delete"),
    ("createExecutorKey", "executor enroll"),
    ("createEnrolmentToken", "executor enroll"),
    ("explainExecutor", "executor explain"),
    ("showPreflight", "executor preflight"),
    ("askForChecks", "executor preflight"),
    ("requestUpgrade", "upgrade request"),
    ("listUpgrades", "upgrade list"),
    ("showUpgrade", "upgrade show"),
    ("showSteps", "upgrade steps"),
    ("acknowledgePrerequisites", "upgrade acknowledge"),
    ("acknowledgePostrequisites", "upgrade acknowledge"),
    ("listWindows", "window list"),
    ("createWindow", "window create"),
    ("previewWindow", "window preview"),
    ("showWindow", "window show"),
    ("changeWindow", "window change"),
    ("deleteWindow", "window delete"),
    ("showExecutorWindows", "executor windows"),
    ("listFreezes", "freeze list"),
    ("createFreeze", "freeze create"),
    ("showFreeze", "freeze delete"),
    ("showPlanSchema", "fleet schema"),
    ("dryRunPlan", "fleet dry-run"),
    ("dryRunKnownPlan", "fleet dry-run"),
    ("deleteFreeze", "freeze delete"),
    ("endFreeze", "freeze end"),
    ("listAccounts", "account list"),
    ("createAccount", "account create"),
    ("changeAccount", "account rename"),
    ("suspendAccount", "account suspend"),
    ("resumeAccount", "account resume"),
    ("listUsers", "user list"),
    ("createUser", "user add"),
    ("changeUser", "user change"),
    ("removeUser", "user remove"),
    ("resetPassword", "user reset-password"),
    ("listTokens", "token list"),
    ("createToken", "token create"),
    ("revokeToken", "token revoke"),
    ("listExecutorKeys", "executor key list"),
    ("rotateExecutorKey", "executor key rotate"),
    ("revokeExecutorKey", "executor key revoke"),
    ("deleteExecutor", "executor delete"),
    ("listWebhooks", "webhook list"),
    ("createWebhook", "webhook create"),
    ("showWebhook", "webhook show"),
    ("changeWebhook", "webhook change"),
    ("deleteWebhook", "webhook delete"),
    ("rotateWebhook", "webhook rotate"),
    ("testWebhook", "webhook test"),
    ("listDeliveries", "webhook deliveries"),
    ("retryDelivery", "webhook retry"),
    ("listActivity", "activity list"),
    ("verifyActivity", "activity verify"),
    ("rescheduleUpgrade", "upgrade reschedule"),
    ("startUpgrade", "upgrade start"),
    ("validateUpgrade", "upgrade validate"),
    ("approveUpgrade", "upgrade approve"),
    ("pauseUpgrade", "upgrade pause"),
    ("continueUpgrade", "upgrade continue"),
    ("retryUpgrade", "upgrade retry"),
    ("rollBackUpgrade", "upgrade rollback"),
    ("abandonUpgrade", "upgrade abandon"),
    ("completeUpgrade", "upgrade complete"),
    ("showProgress", "upgrade progress"),
    ("showValidation", "upgrade validation"),
    ("showDiff", "upgrade diff"),
    ("showDiffSummary", "upgrade diff"),
    ("followUpgrade", "upgrade events"),
    ("followPlan", "fleet watch"),
    ("listStages", "upgrade events"),
    ("showFourEyes", "four-eyes show"),
    ("setFourEyes", "four-eyes set"),
    ("listRevisions", "executor revisions"),
    ("rollBackExecutor", "executor rollback"),
    ("rollBackToLastSuccessful", "executor rollback"),
    ("countVersions", "batch versions"),
    ("listNeedsUpgrade", "batch needs-upgrade"),
    ("requestBatch", "batch request"),
    ("listBatches", "batch list"),
    ("showBatch", "batch show"),
    ("abandonBatch", "batch abandon"),
    ("listEnrolmentTokens", "executor enrolment-token list"),
    ("revokeEnrolmentToken", "executor enrolment-token revoke"),
];

/// Why an operation has none.
const NONE: &[(&str, &str)] = &[
    ("fetchArtifact", "an artifact is fetched by executors; a person has it from where it was built"),
    (
        "acknowledgePrerequisite",
        "`upgrade acknowledge` takes one number or several through acknowledgePrerequisites",
    ),
    ("acknowledgePostrequisite", "`upgrade acknowledge --after` takes one number or several"),
    ("showAbout", "novactl knows where it asks; for the first steps that the console shows"),
    ("countUpgrades", "a counter beside a room of the console; `upgrade list --state` shows what it counts"),
    ("askForCheck", "`executor preflight --check` asks for one through askForChecks"),
    ("loginWithToken", "sessions are for browsers; novactl asks with the token itself"),
    ("showSession", "sessions are for browsers; novactl has a token"),
    ("changeSession", "sessions are for browsers; a token acts in one account"),
    ("endSession", "sessions are for browsers; `token revoke` ends a token"),
    ("changePassword", "a password is changed where it is used: in the browser"),
    ("showAccount", "`account list` has everything of it"),
    ("showUser", "`user list --json` has everything of it"),
];

/// The operations that a person's token opens.
fn for_people(document: &Value) -> Vec<String> {
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    let by_a_person = |operation: &&Value| {
        let schemes = operation["security"].as_array().unwrap();
        schemes.iter().any(|scheme| scheme.get("person").is_some())
    };
    operations.filter(by_a_person).map(|it| it["operationId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_call_for_people_has_a_command_or_a_reason_why_not() {
    let control_plane = ControlPlane::start();
    let url = format!("{}/api/v1/openapi.json", control_plane.url());
    let document = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    let known = for_people(&serde_json::from_str(&document).unwrap());
    let listed = || COMMANDS.iter().chain(NONE).map(|(operation, _)| *operation);
    let missing: Vec<_> = known.iter().filter(|operation| !listed().any(|it| it == *operation)).collect();
    assert!(missing.is_empty(), "neither a command nor a reason: {missing:?}");
    let gone: Vec<_> = listed().filter(|operation| !known.iter().any(|it| it == operation)).collect();
    assert!(gone.is_empty(), "no call of the control plane: {gone:?}");
    for (operation, command) in COMMANDS {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = novactl("", &words);
        assert!(
            help.code == 0 && help.stdout.contains(&format!("novactl {command}")),
            "{operation}: {help:?}"
        );
    }
}

//! Who may call what, written out. A right that changes turns this red, and so does an operation that is not here: the
//! test prints the rows as they are.

use novacula_protocol::people::Role;
use serde_json::json;

use super::operations;
use super::tests::path_of;
use crate::in_process::{ControlPlane, OWNER};
use crate::operation::Operation;

/// `+` is let in, `403` is known and may not, `401` is not known here. The columns: the owner, an admin, an editor, a
/// viewer, a release manager who is a viewer otherwise; an executor with its key, a host with an enrolment token, nobody.
#[rustfmt::skip]
const WHO: &[(&str, &str)] = &[
    // operation                 own adm edi vie rel exe enr nob
    ("syncExecutor",            "401 401 401 401 401 +   401 401"),
    ("enroll",                  "401 401 401 401 401 401 +   401"),
    ("fetchArtifact",           "+   +   +   +   +   +   401 401"),
    ("listExecutorKeys",        "+   +   +   +   +   401 401 401"),
    ("createExecutorKey",       "+   +   403 403 403 401 401 401"),
    ("revokeExecutorKey",       "+   +   403 403 403 401 401 401"),
    ("listEnrolmentTokens",     "+   +   +   +   +   401 401 401"),
    ("createEnrolmentToken",    "+   +   403 403 403 401 401 401"),
    ("revokeEnrolmentToken",    "+   +   403 403 403 401 401 401"),
    ("rotateExecutorKey",       "+   +   403 403 403 401 401 401"),
    ("login",                   "+   +   +   +   +   +   +   +  "),
    ("loginWithToken",          "+   +   +   +   +   401 401 401"),
    ("showSession",             "+   +   +   +   +   401 401 401"),
    ("changeSession",           "+   +   +   +   +   401 401 401"),
    ("endSession",              "+   +   +   +   +   401 401 401"),
    ("changePassword",          "+   +   +   +   +   401 401 401"),
    ("beginOidcLogin",          "+   +   +   +   +   +   +   +  "),
    ("finishOidcLogin",         "+   +   +   +   +   +   +   +  "),
    ("listAccounts",            "+   +   +   +   +   401 401 401"),
    ("createAccount",           "+   403 403 403 403 401 401 401"),
    ("showAccount",             "+   +   +   +   +   401 401 401"),
    ("changeAccount",           "+   403 403 403 403 401 401 401"),
    ("suspendAccount",          "+   403 403 403 403 401 401 401"),
    ("resumeAccount",           "+   403 403 403 403 401 401 401"),
    ("listUsers",               "+   +   +   +   +   401 401 401"),
    ("createUser",              "+   +   403 403 403 401 401 401"),
    ("showUser",                "+   +   +   +   +   401 401 401"),
    ("changeUser",              "+   +   403 403 403 401 401 401"),
    ("removeUser",              "+   +   403 403 403 401 401 401"),
    ("resetPassword",           "+   +   403 403 403 401 401 401"),
    ("listTokens",              "+   +   +   +   +   401 401 401"),
    ("createToken",             "+   +   +   +   +   401 401 401"),
    ("revokeToken",             "+   +   +   +   +   401 401 401"),
    ("listReleases",            "+   +   +   +   +   401 401 401"),
    ("uploadArtifact",          "403 403 403 403 +   401 401 401"),
    ("showRelease",             "+   +   +   +   +   401 401 401"),
    ("changeRelease",           "403 403 403 403 +   401 401 401"),
    ("countExecutors",          "+   +   +   +   +   401 401 401"),
    ("showConsequences",        "+   +   +   +   +   401 401 401"),
    ("listReleaseKeys",         "+   +   +   +   +   401 401 401"),
    ("listExecutors",           "+   +   +   +   +   401 401 401"),
    ("showExecutor",            "+   +   +   +   +   401 401 401"),
    ("changeExecutor",          "+   +   +   403 403 401 401 401"),
    ("explainExecutor",         "+   +   +   +   +   401 401 401"),
    ("showPreflight",           "+   +   +   +   +   401 401 401"),
    ("askForChecks",            "+   +   +   403 403 401 401 401"),
    ("askForCheck",             "+   +   +   403 403 401 401 401"),
    ("requestUpgrade",          "+   +   +   403 403 401 401 401"),
    ("listUpgrades",            "+   +   +   +   +   401 401 401"),
    ("countUpgrades",           "+   +   +   +   +   401 401 401"),
    ("countUpgradesOverTime",   "+   +   +   +   +   401 401 401"),
    ("listAttention",           "+   +   +   +   +   401 401 401"),
    ("showUpgrade",             "+   +   +   +   +   401 401 401"),
    ("listActivity",            "+   +   +   +   +   401 401 401"),
    ("verifyActivity",          "+   +   +   +   +   401 401 401"),
    ("rescheduleUpgrade",       "+   +   +   403 403 401 401 401"),
    ("startUpgrade",            "+   +   +   403 403 401 401 401"),
    ("validateUpgrade",         "+   +   +   403 403 401 401 401"),
    ("approveUpgrade",          "+   +   +   403 403 401 401 401"),
    ("pauseUpgrade",            "+   +   +   403 403 401 401 401"),
    ("continueUpgrade",         "+   +   +   403 403 401 401 401"),
    ("retryUpgrade",            "+   +   +   403 403 401 401 401"),
    ("rollBackUpgrade",         "+   +   +   403 403 401 401 401"),
    ("abandonUpgrade",          "+   +   +   403 403 401 401 401"),
    ("completeUpgrade",         "+   +   +   403 403 401 401 401"),
    ("showProgress",            "+   +   +   +   +   401 401 401"),
    ("showValidation",          "+   +   +   +   +   401 401 401"),
    ("showDiff",                "+   +   +   +   +   401 401 401"),
    ("showDiffSummary",         "+   +   +   +   +   401 401 401"),
    ("followUpgrade",           "+   +   +   +   +   401 401 401"),
    ("followPlan",              "+   +   +   +   +   401 401 401"),
    ("listStages",              "+   +   +   +   +   401 401 401"),
    ("showSteps",               "+   +   +   +   +   401 401 401"),
    ("acknowledgePrerequisite", "+   +   +   403 403 401 401 401"),
    ("acknowledgePrerequisites", "+   +   +   403 403 401 401 401"),
    ("acknowledgePostrequisite", "+   +   +   403 403 401 401 401"),
    ("acknowledgePostrequisites", "+   +   +   403 403 401 401 401"),
    ("showFourEyes",            "+   +   +   +   +   401 401 401"),
    ("setFourEyes",             "+   403 403 403 403 401 401 401"),
    ("deleteExecutor",          "+   +   403 403 403 401 401 401"),
    ("listRevisions",           "+   +   +   +   +   401 401 401"),
    ("rollBackExecutor",        "+   +   +   403 403 401 401 401"),
    ("rollBackToLastSuccessful", "+   +   +   403 403 401 401 401"),
    ("countVersions",           "+   +   +   +   +   401 401 401"),
    ("listNeedsUpgrade",        "+   +   +   +   +   401 401 401"),
    ("requestBatch",            "+   +   +   403 403 401 401 401"),
    ("listBatches",             "+   +   +   +   +   401 401 401"),
    ("showBatch",               "+   +   +   +   +   401 401 401"),
    ("abandonBatch",            "+   +   +   403 403 401 401 401"),
    ("listWindows",             "+   +   +   +   +   401 401 401"),
    ("createWindow",            "+   +   403 403 403 401 401 401"),
    ("previewWindow",           "+   +   +   +   +   401 401 401"),
    ("showWindow",              "+   +   +   +   +   401 401 401"),
    ("changeWindow",            "+   +   403 403 403 401 401 401"),
    ("deleteWindow",            "+   +   403 403 403 401 401 401"),
    ("showExecutorWindows",     "+   +   +   +   +   401 401 401"),
    ("listFreezes",             "+   +   +   +   +   401 401 401"),
    ("createFreeze",            "+   +   403 403 403 401 401 401"),
    ("showFreeze",              "+   +   +   +   +   401 401 401"),
    ("deleteFreeze",            "+   +   403 403 403 401 401 401"),
    ("endFreeze",               "+   +   403 403 403 401 401 401"),
    ("showPlanSchema",          "+   +   +   +   +   401 401 401"),
    ("dryRunPlan",              "+   +   +   403 403 401 401 401"),
    ("dryRunKnownPlan",         "+   +   +   403 403 401 401 401"),
    ("listPlans",               "+   +   +   +   +   401 401 401"),
    ("applyPlan",               "+   +   +   403 403 401 401 401"),
    ("showPlan",                "+   +   +   +   +   401 401 401"),
    ("listPlanExecutors",       "+   +   +   +   +   401 401 401"),
    ("approvePlan",             "+   +   +   403 403 401 401 401"),
    ("haltPlan",                "+   +   +   403 403 401 401 401"),
    ("resumePlan",              "+   +   +   403 403 401 401 401"),
    ("skipGate",                "+   +   403 403 403 401 401 401"),
    ("rollBackPlan",            "+   +   +   403 403 401 401 401"),
    ("deletePlan",              "+   +   +   403 403 401 401 401"),
    ("listGroups",              "+   +   +   +   +   401 401 401"),
    ("createGroup",             "+   +   403 403 403 401 401 401"),
    ("showGroup",               "+   +   +   +   +   401 401 401"),
    ("changeGroup",             "+   +   403 403 403 401 401 401"),
    ("deleteGroup",             "+   +   403 403 403 401 401 401"),
    ("listWebhooks",            "+   +   403 403 403 401 401 401"),
    ("createWebhook",           "+   +   403 403 403 401 401 401"),
    ("showWebhook",             "+   +   403 403 403 401 401 401"),
    ("changeWebhook",           "+   +   403 403 403 401 401 401"),
    ("deleteWebhook",           "+   +   403 403 403 401 401 401"),
    ("rotateWebhook",           "+   +   403 403 403 401 401 401"),
    ("testWebhook",             "+   +   403 403 403 401 401 401"),
    ("listDeliveries",          "+   +   403 403 403 401 401 401"),
    ("retryDelivery",           "+   +   403 403 403 401 401 401"),
    ("showOpenApi",             "+   +   +   +   +   +   +   +  "),
    ("showAbout",               "+   +   +   +   +   401 401 401"),
    ("isAlive",                 "+   +   +   +   +   +   +   +  "),
    ("isReady",                 "+   +   +   +   +   +   +   +  "),
    ("showMetrics",             "+   +   +   +   +   +   +   +  "),
];

#[tokio::test]
async fn whoever_calls_is_let_in_where_the_table_says_so_and_nowhere_else() {
    let control_plane = ControlPlane::start().await;
    let callers = callers(&control_plane).await;
    let mut rows = Vec::new();
    for operation in operations() {
        let mut verdicts = Vec::new();
        for bearer in &callers {
            verdicts.push(verdict(&control_plane, &operation, bearer).await);
        }
        rows.push(row(operation.id, verdicts.into_iter()));
    }
    let mut written: Vec<_> = WHO.iter().map(|(id, who)| row(id, who.split_whitespace())).collect();
    let unwritten: Vec<_> = rows.iter().filter(|row| !written.contains(row)).cloned().collect();
    written.retain(|row| !rows.contains(row));
    assert!(
        unwritten.is_empty() && written.is_empty(),
        "so it is:\n{}but it is written:\n{}",
        unwritten.concat(),
        written.concat()
    );
}

/// As it stands in the table.
fn row<'a>(id: &str, verdicts: impl Iterator<Item = &'a str>) -> String {
    let verdicts: Vec<_> = verdicts.map(|verdict| format!("{verdict:3}")).collect();
    format!("    ({:26} \"{}\"),\n", format!("\"{id}\","), verdicts.join(" "))
}

/// The bearers of everybody there is, in the order of the columns.
async fn callers(control_plane: &ControlPlane) -> Vec<String> {
    let mut bearers = Vec::new();
    for role in [Role::Owner, Role::Admin, Role::Editor, Role::Viewer] {
        bearers.push(control_plane.somebody(OWNER, &format!("another-{role}"), role).await.token);
    }
    let manager = control_plane.somebody(OWNER, "release-manager", Role::Viewer).await;
    let path = format!("/api/v1/users/{}", manager.id);
    control_plane.patch(&path, json!({"releaseManager": true})).await.ok();
    let token = json!({"maxUses": 1_000, "expiresAt": "2026-12-01T00:00:00Z"});
    let token = control_plane.post("/api/v1/enrolment-tokens", token).await.ok()["secret"].clone();
    bearers.extend([
        manager.token,
        control_plane.key().await,
        token.as_str().unwrap().to_owned(),
        String::new(),
    ]);
    bearers
}

async fn verdict(control_plane: &ControlPlane, operation: &Operation, bearer: &str) -> &'static str {
    let method = operation.method.clone();
    let answer = control_plane.call(method, &path_of(operation), bearer, "{}").await;
    match answer.problem() {
        (401, _) => "401",
        (_, code) if code == "forbidden" => "403",
        _ => "+",
    }
}

//! What bodies look like: the golden messages of the protocol, and a few more where it has none. A test checks each
//! against its schema.

macro_rules! golden {
    ($($name:ident = $file:literal;)*) => {
        $(pub(crate) const $name: &str =
            include_str!(concat!("../../protocol/tests/golden/", $file, ".json"));)*
    };
}

golden! {
    ACCOUNT = "account";
    ACCOUNT_PATCH = "account-patch";
    ACCOUNT_REQUEST = "account-request";
    ENROLL_REQUEST = "enroll-request";
    ENROLL_RESPONSE = "enroll-response";
    ENROLMENT_TOKEN_REQUEST = "enrolment-token-request";
    EXECUTOR = "executor-with-trusted-keys";
    EXECUTOR_LISTED = "executor-listed";
    EXECUTOR_KEY = "executor-key";
    EXECUTOR_KEY_REQUEST = "executor-key-request";
    EXECUTOR_KEY_ROTATION = "executor-key-rotation";
    ISSUED_SECRET = "issued-secret";
    RELEASE_DRAFT = "release-with-steps-draft";
    RELEASE_LISTED = "release-listed";
    RELEASE_PATCH = "release-patch-of-a-draft";
    RELEASE_PUBLISHED = "release-with-steps";
    LOGIN_REQUEST = "login-request";
    PASSWORD_CHANGE = "password-change";
    ROTATED_KEY = "rotated-key";
    SESSION = "session";
    SESSION_PATCH = "session-patch";
    SUSPENSION_REQUEST = "suspension-request";
    SYNC_REQUEST = "sync-request-download";
    SYNC_RESPONSE = "sync-response-agent";
    TOKEN = "token";
    TOKEN_REQUEST = "token-request";
    UPGRADE = "upgrade-at-work";
    UPGRADE_REQUEST = "upgrade-request";
    USER = "user";
    USER_PATCH = "user-patch";
    USER_REQUEST = "user-request";
    USER_WITH_PASSWORD = "user-with-password";
}

pub(crate) const ACTIVITY: &str = r#"{
    "id": 7, "at": "2026-11-21T08:00:00Z", "actor": "alice", "action": "release.yanked",
    "target": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "name": "1.5.0", "reason": "",
    "before": {"status": "published"}, "after": {"status": "yanked"},
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}"#;

pub(crate) const ACTIVITY_VERDICT: &str = r#"{
    "intact": true, "firstBroken": null, "entries": 7,
    "head": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}"#;

pub(crate) const UPGRADE_COUNTS: &str = r#"{
    "pending": 3, "running": 12, "completed": 240, "rolledBack": 2, "failed": 1, "abandoned": 4
}"#;

pub(crate) const ABOUT: &str = r#"{"version": "1.5.0", "url": "https://novacula.example.com"}"#;

pub(crate) const UPGRADES_ON_DAYS: &str = r#"[
    {"day": "2026-11-20", "requested": 14, "completed": 11, "rolledBack": 1, "failed": 0, "abandoned": 0},
    {"day": "2026-11-21", "requested": 3, "completed": 4, "rolledBack": 0, "failed": 1, "abandoned": 0}
]"#;

pub(crate) const ATTENTION: &str = r#"[{
    "need": "approval", "count": 1, "upgrades": [{
        "upgradeId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687f", "executorId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c",
        "executorName": "host-1", "targetVersion": "1.5.0",
        "reason": "it wants the approval of somebody else than jane, who requested it", "at": "2026-11-21T20:47:34Z"
    }]
}]"#;

pub(crate) const FLEET_CENSUS: &str = r#"{
    "executors": 18, "online": 17, "offline": 1, "held": 1,
    "support": {"inWindow": 15, "deprecated": 3, "outOfSupport": 0},
    "rows": [
        {"kind": "agent", "channel": "stable", "version": "1.5.0", "executors": 15, "online": 15, "held": 0},
        {"kind": "agent", "channel": "stable", "version": "1.4.2", "executors": 3, "online": 2, "held": 1}
    ]
}"#;

pub(crate) const CONSEQUENCES: &str = r#"{
    "offeredTo": 14, "upgradesFor": 9, "running": 3, "pending": 1, "underWay": 0, "onTheWay": 0,
    "upgrades": [{
        "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "executorId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687d",
        "executorName": "host-1", "targetVersion": "1.5.0", "stage": "CONFIRM_START", "state": "pending"
    }],
    "plans": [{
        "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687e", "name": "k8s-1-34-upgrade", "state": "running", "waiting": 8
    }],
    "instead": [{"version": "1.4.2", "executors": 12}, {"version": null, "executors": 2}]
}"#;

pub(crate) const RELEASE_KEYS: &str = r#"{
    "keys": [{
        "id": "D0907DB088E50BE9", "name": "novacula-a", "trustedBy": 12, "lackedBy": 1, "signedCount": 1,
        "signed": [{
            "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "kind": "agent", "version": "1.5.0", "status": "published"
        }]
    }],
    "executors": 14, "silent": 1
}"#;

pub(crate) const ENROLMENT_TOKEN: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "maxUses": 100, "uses": 12, "expiresAt": "2027-01-01T00:00:00Z",
    "createdBy": "alice", "createdAt": "2026-11-21T08:00:00Z", "revokedAt": null
}"#;

pub(crate) const EXECUTOR_PATCH: &str = r#"{
    "labels": {"upgrade-wave": "standard", "rack": null}, "reason": "it serves customers now"
}"#;

pub(crate) const GROUP: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "name": "berlin",
    "selector": {"matchLabels": {"site": "berlin"}, "matchExpressions": []}, "executors": 120, "createdBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z"
}"#;

pub(crate) const GROUP_REQUEST: &str =
    r#"{"name": "berlin", "selector": {"matchLabels": {"site": "berlin"}}}"#;

pub(crate) const GROUP_PATCH: &str = r#"{"selector": {"matchExpressions": [{"key": "site", "operator": "In", "values": ["berlin", "potsdam"]}]}}"#;

pub(crate) const EXPLANATION: &str = r#"{
    "rule": "unreachable", "message": "3.0.0 cannot be reached from 1.4.2 in one step: it requires upgrade to 2.x first",
    "targetVersion": "3.0.0", "upgradeId": null
}"#;

pub(crate) const PREFLIGHT: &str = r#"{
    "waiting": ["clock"],
    "results": [{"check": "disk_space", "ok": true, "note": "10 GiB are free", "at": "2026-11-21T08:00:00Z"}]
}"#;

pub(crate) const PREFLIGHT_REQUEST: &str = r#"{"checks": ["disk_space", "clock"]}"#;

pub(crate) const WITH_REASON: &str = r#"{"reason": "the nightly backup runs longer today"}"#;

pub(crate) const START_REQUEST: &str = r#"{"force": false}"#;

pub(crate) const ABANDON_REQUEST: &str = r#"{"reason": "1.5.1 is out", "checkUnstarted": true}"#;

pub(crate) const RESCHEDULE: &str =
    r#"{"scheduledAt": "2026-11-22T02:00:00Z", "reason": "inventory tonight"}"#;

pub(crate) const FOUR_EYES: &str = r#"{"channels": ["stable"]}"#;

pub(crate) const PROGRESS: &str = r#"{
    "validated": true, "started": true, "pauseRequested": false, "paused": false, "rollbackRequested": false,
    "abandonRequested": false, "currentStage": "DOWNLOAD", "status": "UNDERWAY", "attempt": 2, "bytesDone": 1048576,
    "bytesTotal": 5242880, "timeoutAt": "2026-11-21T08:15:20Z", "waitsFor": null, "failedWithError": null
}"#;

pub(crate) const VALIDATION: &str = r#"{
    "state": "passed", "attempt": 1, "askedBy": "alice", "askedAt": "2026-11-21T08:00:00Z",
    "endedAt": "2026-11-21T08:00:09Z", "error": null
}"#;

pub(crate) const DIFF_SUMMARY: &str = r#"{
    "fromVersion": "1.4.2", "targetVersion": "1.5.0", "direction": "upgrade", "releases": 1, "downloadBytes": 2691912,
    "growthBytes": -1024, "isKeyNew": false, "floor": null, "needsCompletion": false
}"#;

pub(crate) const DIFF: &str = r#"{
    "summary": {
        "fromVersion": "1.4.2", "targetVersion": "1.5.0", "direction": "upgrade", "releases": 1, "downloadBytes": 2691912,
        "growthBytes": null, "isKeyNew": null, "floor": "1.4.0", "needsCompletion": false
    },
    "releases": [{"version": "1.5.0", "notes": "Downloads resume."}],
    "current": null,
    "target": {
        "version": "1.5.0", "size": 2691912, "signedBy": "2026", "floor": "1.4.0",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    },
    "stages": ["CONFIRM_START", "PREFLIGHT", "DOWNLOAD", "VERIFY", "SWAP", "RESTART", "CHECK_HEALTH", "COMPLETED"]
}"#;

pub(crate) const EVENTS: &str = "event: stage\nid: 7\ndata: {\"id\":7,\"attempt\":1,\"at\":\"2026-11-21T08:00:00Z\",\
    \"stage\":\"DOWNLOAD\",\"status\":\"UNDERWAY\",\"level\":\"INFO\",\"message\":\"DOWNLOAD UNDERWAY\"}\n\n";

pub(crate) const PLAN_EVENTS: &str = "event: log\nid: 7\ndata: {\"id\":7,\"at\":\"2026-11-21T08:00:00Z\",\"level\":\"INFO\",\
    \"wave\":\"canary\",\"executorName\":\"host-1\",\"message\":\"its upgrade to 1.5.0 was requested\"}\n\n";

pub(crate) const STAGES: &str = r#"[{
    "attempt": 1, "stage": "DOWNLOAD", "status": "UNDERWAY", "startedAt": "2026-11-21T08:00:00Z",
    "events": [{
        "id": 7, "attempt": 1, "at": "2026-11-21T08:00:00Z", "stage": "DOWNLOAD", "status": "UNDERWAY", "level": "INFO",
        "message": "DOWNLOAD UNDERWAY"
    }]
}]"#;

pub(crate) const REVISION: &str = r#"{
    "revision": 3, "version": "1.5.0", "status": "COMPLETED", "description": "monthly", "by": "alice",
    "upgradeId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "at": "2026-11-21T08:00:00Z"
}"#;

pub(crate) const ROLLBACK_REQUEST: &str = r#"{"targetRevision": 2, "description": "1.5.0 is slow here"}"#;

pub(crate) const VERSIONS: &str = r#"{"1.4.2": 3, "1.5.0": 15}"#;

pub(crate) const NEEDS_UPGRADE: &str = r#"{
    "executorId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "name": "host-1", "currentVersion": "1.4.2",
    "status": "online", "reason": null, "pendingUpgradeId": null
}"#;

pub(crate) const BATCH_REQUEST: &str =
    r#"{"labels": {"upgrade-wave": "canary"}, "concurrency": 2, "stopOnFailure": true, "hops": true}"#;

pub(crate) const BATCH: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "kind": "agent", "targetVersion": "1.5.0", "concurrency": 2,
    "stopOnFailure": true, "hops": true, "confirm": "auto", "description": "", "requestedBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z", "endedAt": null, "stoppedBecause": null,
    "items": [{
        "executorId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "executorName": "host-1", "outcome": "started",
        "reason": "", "upgradeId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c"
    }]
}"#;
pub(crate) const WINDOW_REQUEST: &str = r#"{
    "name": "nightly", "cron": "30 2 * * *", "durationMs": 3600000, "zone": "Europe/Berlin",
    "selector": {"matchLabels": {"ring": "canary"}, "matchExpressions": [
        {"key": "site", "operator": "NotIn", "values": ["berlin"]}
    ]}
}"#;

pub(crate) const WINDOW_PATCH: &str = r#"{"durationMs": 7200000}"#;

pub(crate) const WINDOW: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "name": "nightly",
    "selector": {"matchLabels": {"ring": "canary"}, "matchExpressions": []},
    "cron": "30 2 * * *", "durationMs": 3600000, "zone": "Europe/Berlin", "createdBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z", "isOpen": false, "closesAt": null,
    "next": [{
        "opensAt": "2026-11-22T01:30:00Z", "closesAt": "2026-11-22T02:30:00Z",
        "opensAtLocal": "2026-11-22T02:30:00+01:00", "closesAtLocal": "2026-11-22T03:30:00+01:00",
        "zone": "Europe/Berlin", "window": "nightly"
    }]
}"#;

pub(crate) const WINDOW_PREVIEW: &str = r#"{
    "id": null, "name": "nightly",
    "selector": {"matchLabels": {"ring": "canary"}, "matchExpressions": []},
    "cron": "30 2 * * *", "durationMs": 3600000, "zone": "Europe/Berlin", "createdBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z", "isOpen": false, "closesAt": null,
    "next": [{
        "opensAt": "2026-11-22T01:30:00Z", "closesAt": "2026-11-22T02:30:00Z",
        "opensAtLocal": "2026-11-22T02:30:00+01:00", "closesAtLocal": "2026-11-22T03:30:00+01:00",
        "zone": "Europe/Berlin", "window": "nightly"
    }]
}"#;

pub(crate) const EXECUTOR_WINDOWS: &str = r#"{
    "isOpen": true, "reason": null, "closesAt": null, "next": [], "windows": [], "freezes": []
}"#;

pub(crate) const FREEZE_REQUEST: &str = r#"{"reason": "year end", "startsAt": "2026-12-20T00:00:00Z", "endsAt": "2027-01-01T23:00:00Z", "zone": "Europe/Berlin"}"#;

pub(crate) const FREEZE: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "reason": "year end", "startsAt": "2026-12-20T00:00:00Z",
    "endsAt": "2027-01-01T23:00:00Z", "startsAtLocal": "2026-12-20T01:00:00+01:00",
    "endsAtLocal": "2027-01-02T00:00:00+01:00", "zone": "Europe/Berlin",
    "selector": {"matchLabels": {}, "matchExpressions": []}, "isInForce": false, "createdBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z", "endedBy": null, "endReason": null
}"#;

pub(crate) const STEPS: &str = r#"{
    "prerequisites": [{
        "number": 1, "text": "Take a backup", "acknowledgedBy": "alice", "acknowledgedAt": "2026-11-21T08:00:00Z"
    }],
    "postrequisites": [{"number": 1, "text": "Tell the team", "acknowledgedBy": null, "acknowledgedAt": null}]
}"#;

pub(crate) const ACKNOWLEDGE: &str = r#"{"numbers": [1, 2]}"#;

pub(crate) const WEBHOOK_REQUEST: &str = r#"{
    "url": "https://chat.example.com/hooks/novacula", "events": ["upgrade.failed", "upgrade.rolledBack"],
    "description": "to those on call"
}"#;

pub(crate) const WEBHOOK_PATCH: &str = r#"{"enabled": false}"#;

pub(crate) const WEBHOOK: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "url": "https://chat.example.com/hooks/novacula",
    "events": ["upgrade.failed", "upgrade.rolledBack"], "description": "to those on call", "enabled": true,
    "disabledReason": null, "failingSince": null, "previousSecretUntil": null, "createdBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z"
}"#;

pub(crate) const WEBHOOK_ISSUED: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "url": "https://chat.example.com/hooks/novacula",
    "events": ["upgrade.failed", "upgrade.rolledBack"], "description": "to those on call", "enabled": true,
    "disabledReason": null, "failingSince": null, "previousSecretUntil": null, "createdBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z",
    "secret": "nvw_plJ3nmyCDGBKInavdOK15jsl5plJ3nmyCDGBKInavdM="
}"#;

pub(crate) const DELIVERY: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687d", "event": "upgrade.failed", "status": "pending", "attempts": 1,
    "createdAt": "2026-11-21T08:00:00Z", "nextAttemptAt": "2026-11-21T08:00:05Z",
    "lastAttemptAt": "2026-11-21T08:00:00Z", "lastStatus": 503, "lastAnswer": "come again later",
    "payload": "{\"type\":\"upgrade.failed\",\"timestamp\":\"2026-11-21T08:00:00Z\",\"data\":{}}"
}"#;

pub(crate) const PLAN_SCHEMA: &str = r#"{
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "FleetUpgradePlan", "type": "object"
}"#;

pub(crate) const PLAN_DOCUMENT: &str = r#"{
    "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "monthly"},
    "spec": {"targetVersion": "1.5.0", "waves": [{
        "name": "canary", "clusterSelector": {"matchLabels": {"upgrade-wave": "canary"}},
        "validation": {"healthCheckDuration": "1h", "automated": true}
    }]}
}"#;

pub(crate) const PLAN: &str = r#"{
    "id": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "name": "monthly", "executorKind": "agent", "targetVersion": "1.5.0",
    "priority": 0, "state": "running", "reason": "wave `canary` is under way", "requestedBy": "alice",
    "createdAt": "2026-11-21T08:00:00Z", "endedAt": null, "approval": null, "warnings": [], "waves": [{
        "name": "canary", "state": "running", "reason": "1 under way, 2 waiting; at most 1 go at once",
        "beganAt": "2026-11-21T08:00:00Z", "healthySince": null, "soaksUntil": null, "passedAt": null,
        "maxInFlight": 1, "canary": 0, "counts": {
            "total": 3, "waiting": 2, "started": 1, "completed": 0, "alreadyThere": 0, "failed": 0, "slow": 0,
            "unreachable": 0, "held": 0, "refused": 0, "yielded": 0, "gone": 0, "rollingBack": 0, "rolledBack": 0,
            "notRolledBack": 0
        }, "gates": [{
            "name": "online", "outcome": "waiting", "message": "none of 3 executors is on target yet", "blocking": true,
            "at": "2026-11-21T08:00:00Z", "by": null, "skipped": false
        }]
    }]
}"#;

pub(crate) const PLAN_MEMBER: &str = r#"{
    "executorId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687d", "executorName": "host-1", "wave": "canary", "position": 1,
    "canary": false, "outcome": "failed", "reason": "the new version did not sync in time", "fromVersion": "1.4.2",
    "upgradeId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687e", "waveByLabels": "canary"
}"#;

pub(crate) const PLAN_APPROVAL: &str = r#"{"wave": "canary", "reason": "a day without complaints"}"#;

pub(crate) const GATE_SKIP: &str =
    r#"{"wave": "canary", "gate": "prometheus", "reason": "the alert is about another service"}"#;

pub(crate) const PLAN_ROLLBACK: &str = r#"{"wave": "canary", "reason": "the release eats the disk"}"#;

pub(crate) const PLAN_DRY_RUN: &str = r#"{
    "targetVersion": "1.5.0", "warnings": ["wave `canary` has 1 executor, and `canary` is 2: all of them go first"],
    "waves": [{
        "name": "canary", "maxInFlight": 1, "canary": 0, "startsAt": "2026-11-21T08:00:00Z",
        "endsAt": "2026-11-21T09:03:00Z", "wantsApproval": false, "executors": [{
            "executorId": "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c", "name": "host-1", "canary": false,
            "currentVersion": "1.4.2", "route": ["1.5.0"], "status": "online", "obstacle": null,
            "preflight": [{"check": "clock", "ok": true, "note": "", "at": "2026-11-21T07:59:00Z"}],
            "owes": ["disk_space"]
        }]
    }],
    "inNoWave": ["host-7"], "endsAt": "2026-11-21T09:03:00Z"
}"#;

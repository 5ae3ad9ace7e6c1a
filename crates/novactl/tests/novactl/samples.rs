//! What a control plane would answer.

use serde_json::{Value, json};

pub const EXECUTOR: &str = "01900000-0000-7000-8000-000000000001";
pub const UPGRADE: &str = "01900000-0000-7000-8000-000000000002";
pub const RELEASE: &str = "01900000-0000-7000-8000-000000000003";
pub const TARGET: &str = "x86_64-unknown-linux-musl";

pub fn page(items: &[Value]) -> String {
    json!({ "items": items, "nextCursor": null }).to_string()
}

pub fn problem(code: &str, message: &str) -> String {
    json!({ "error": { "code": code, "message": message, "details": { "why": "because" } } }).to_string()
}

pub fn executor(name: &str, version: &str) -> Value {
    json!({
        "id": EXECUTOR, "name": name, "kind": "agent", "currentVersion": version, "channel": "stable",
        "target": TARGET, "labels": { "ring": "canary" }, "status": "online", "support": "in-window",
        "held": { "reason": "audit", "until": null }, "restarts": 2, "lastSeenAt": "2026-11-21T08:00:00Z",
        "createdAt": "2026-11-01T08:00:00Z", "pendingUpgradeId": null
    })
}

pub fn executor_in_full(name: &str, version: &str) -> Value {
    let mut executor = executor(name, version);
    executor["availableUpgrades"] = json!([
        { "version": "1.1.0", "channel": "stable", "notes": "", "allowedAsDirectTarget": true, "reason": null },
        { "version": "3.0.0", "channel": "stable", "notes": "", "allowedAsDirectTarget": false,
          "reason": "requires upgrade to 2.x first" }
    ]);
    executor["availableDowngrades"] = json!([]);
    executor
}

pub fn release(version: &str, status: &str, artifacts: &Value) -> Value {
    json!({
        "id": RELEASE, "kind": "agent", "version": version, "channel": "stable", "status": status, "notes": "",
        "artifacts": artifacts, "createdAt": "2026-11-21T08:00:00Z", "publishedAt": null
    })
}

pub fn upgrade(stage: &str, status: &str, state: &str) -> Value {
    let ended = matches!(state, "completed" | "error");
    json!({
        "id": UPGRADE, "executorId": EXECUTOR, "executorName": "host-1", "kind": "agent", "fromVersion": "1.0.0",
        "targetVersion": "1.1.0", "direction": "upgrade", "confirm": "auto", "intent": "apply", "attempt": 1,
        "healthWindowMs": 60000, "stage": stage, "status": status, "state": state, "bytesDone": 0, "bytesTotal": 0,
        "error": null, "description": "", "requestedBy": "owner", "createdAt": "2026-11-21T08:00:00Z",
        "scheduledAt": "2026-11-21T08:00:00Z", "expiresAt": "2026-11-21T08:15:00Z",
        "startedAt": "2026-11-21T08:00:01Z", "endedAt": ended.then_some("2026-11-21T08:02:00Z"), "log": []
    })
}

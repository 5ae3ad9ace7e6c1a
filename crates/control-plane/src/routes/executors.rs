//! What executors ask, and who may be one.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use novacula_protocol::enroll::{EnrollRequest, EnrollResponse};
use novacula_protocol::people::{
    EnrolmentToken, EnrolmentTokenRequest, ExecutorKey, ExecutorKeyRequest, ExecutorKeyRotation,
    IssuedSecret, RotatedKey,
};
use novacula_protocol::sync::{SyncRequest, SyncResponse};

use crate::api::{artifacts, enroll, enrolment_tokens, executor_keys, sync};
use crate::operation::{Operation, area, delete, get, post};
use crate::right::Right;
use crate::{example, metrics, refusal, shape};

/// 200 long log lines fit.
const MAX_SYNC_BYTES: usize = 2 * 1024 * 1024;

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("executors' own", own());
    all.extend(area("keys", keys()));
    all
}

fn own() -> [Operation; 3] {
    [
        post("/syncExecutor", "syncExecutor", Right::Executor, sync::sync)
            .summary("The heartbeat of an executor, answered with what it shall do")
            .takes::<SyncRequest>(example::SYNC_REQUEST)
            .answers::<SyncResponse>(200, example::SYNC_RESPONSE)
            .refuses(&[refusal::KEY_BOUND, refusal::NAME_TAKEN, refusal::KIND_MISMATCH])
            .wrapped(|handler, app| {
                handler
                    .route_layer(DefaultBodyLimit::max(MAX_SYNC_BYTES))
                    .route_layer(from_fn_with_state(Arc::clone(app), metrics::time_sync))
            }),
        post("/enroll", "enroll", Right::Enrol, enroll::enroll)
            .summary("Exchanges an enrolment token for a key that belongs to one executor")
            .takes::<EnrollRequest>(example::ENROLL_REQUEST)
            .answers::<EnrollResponse>(200, example::ENROLL_RESPONSE)
            .refuses(&[refusal::NAME_TAKEN, refusal::KIND_MISMATCH]),
        get("/artifacts/{sha256}", "fetchArtifact", Right::Fetch, artifacts::fetch)
            .summary("The bytes of an artifact, whole or the range that is asked for")
            .answers_as::<shape::Bytes>(200, "application/octet-stream", None)
            .answers_as::<shape::Bytes>(206, "application/octet-stream", None)
            .sends_elsewhere()
            .refuses(&[refusal::RANGE_NOT_SATISFIABLE]),
    ]
}

fn keys() -> [Operation; 7] {
    [
        get("/executor-keys", "listExecutorKeys", Right::See, executor_keys::list)
            .summary("The keys of executors, without their secrets, newest first")
            .lists::<ExecutorKey>(example::EXECUTOR_KEY),
        post("/executor-keys", "createExecutorKey", Right::Administer, executor_keys::create)
            .summary("A new key for one executor, shown once")
            .takes::<ExecutorKeyRequest>(example::EXECUTOR_KEY_REQUEST)
            .answers::<IssuedSecret>(201, example::ISSUED_SECRET),
        delete("/executor-keys/{id}", "revokeExecutorKey", Right::Administer, executor_keys::revoke)
            .summary("Ends a key")
            .query::<shape::Reason>("reason", "Why, for the activity")
            .answers_nothing(),
        post("/executor-keys/{id}/rotate", "rotateExecutorKey", Right::Administer, executor_keys::rotate)
            .summary("A new secret for a key, shown once; the one before goes on working for a while")
            .takes::<ExecutorKeyRotation>(example::EXECUTOR_KEY_ROTATION)
            .answers::<RotatedKey>(201, example::ROTATED_KEY)
            .refuses(&[refusal::KEY_REVOKED, refusal::KEY_EXPIRED]),
        get("/enrolment-tokens", "listEnrolmentTokens", Right::See, enrolment_tokens::list)
            .summary("The enrolment tokens, without their secrets, newest first")
            .lists::<EnrolmentToken>(example::ENROLMENT_TOKEN),
        post("/enrolment-tokens", "createEnrolmentToken", Right::Administer, enrolment_tokens::create)
            .summary("A new token that many executors may exchange for keys, shown once")
            .takes::<EnrolmentTokenRequest>(example::ENROLMENT_TOKEN_REQUEST)
            .answers::<IssuedSecret>(201, example::ISSUED_SECRET),
        delete("/enrolment-tokens/{id}", "revokeEnrolmentToken", Right::Administer, enrolment_tokens::revoke)
            .summary("Ends an enrolment token; the keys it was exchanged for live on")
            .query::<shape::Reason>("reason", "Why, for the activity")
            .answers_nothing(),
    ]
}

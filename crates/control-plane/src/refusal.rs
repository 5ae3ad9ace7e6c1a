//! Every error code of the API, with its status and a sentence as it reads.

/// One error that an operation can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub example: &'static str,
}

macro_rules! refusals {
    ($($name:ident = $status:literal $code:literal $example:literal;)*) => {
        $(pub(crate) const $name: Refusal = Refusal { status: $status, code: $code, example: $example };)*

        #[cfg(test)]
        pub(crate) const ALL: &[Refusal] = &[$($name),*];
    };
}

refusals! {
    // By the way they are asked
    INVALID_REQUEST = 400 "invalid_request" "`limit` must be 1 to 500, it is `0`";
    INVALID_API_KEY = 401 "invalid_api_key" "the bearer is not a person's token that is valid here: unknown or revoked";
    FORBIDDEN = 403 "forbidden" "this call needs the role owner, admin or editor; you are viewer; an owner or admin can change that";
    CSRF = 403 "csrf" "a change with a session needs the header `X-CSRF-Token` with the `csrfToken` of GET /api/v1/session";
    ACCOUNT_SUSPENDED = 403 "account_suspended" "the account is suspended: it keeps its lists, and nothing in it can be changed until it is resumed";
    PASSWORD_CHANGE_REQUIRED = 403 "password_change_required" "the one-time password must be changed first, with PUT /api/v1/session/password";
    NOT_FOUND = 404 "not_found" "there is no such executor";
    TOO_LARGE = 413 "too_large" "the body is larger than this call takes";

    TOO_MANY_ATTEMPTS = 429 "too_many_attempts" "too many attempts were made; wait 12 s, then try again";

    // People
    WRONG_LOGIN = 401 "wrong_login" "the name or the password is wrong";
    WRONG_PASSWORD = 403 "wrong_password" "`current` is not the password until now";
    NO_ACCOUNT = 403 "no_account" "`jane` is in no account; an owner or admin of one can change that";
    UNKNOWN_PERSON = 403 "unknown_person" "nobody here is linked to this person; an owner or admin can add them";
    OIDC_STATE = 400 "oidc_state" "this answer belongs to no login of this browser; begin again";
    OIDC_REFUSED = 403 "oidc_refused" "the OpenID provider did not let you in: access_denied";
    OIDC_UNAVAILABLE = 502 "oidc_unavailable" "the OpenID provider cannot be reached at the moment; try again later";
    OIDC_OFF = 404 "oidc_off" "this control plane has no OpenID provider; log in with a password";
    NO_SESSION = 409 "no_session" "this is done in a session; log in with POST /api/v1/session";
    LAST_OWNER = 409 "last_owner" "`jane` is the last owner of the account; make somebody else an owner first";
    ALREADY_MEMBER = 409 "already_member" "`jane` is in this account already";
    USER_EXISTS = 409 "user_exists" "`jane` is a user already and logs in as before; leave out `oneTimePassword` and `oidcSubject`";
    SUBJECT_TAKEN = 409 "subject_taken" "this `oidcSubject` belongs to another user";
    FOUNDING_ACCOUNT = 409 "founding_account" "the founding account cannot be suspended";
    KEY_REVOKED = 409 "key_revoked" "the key is revoked; make a new one with POST /executor-keys";
    KEY_EXPIRED = 409 "key_expired" "the key has expired; say when the new secret ends with `expiresAt`";

    // Executors
    KEY_BOUND = 403 "key_bound" "this key belongs to the executor `host-1`, it cannot be used for `host-2`; give every executor its own key";
    NAME_TAKEN = 409 "name_taken" "the name `host-1` belongs to another key that is still valid; revoke that key first, or choose another name";
    KIND_MISMATCH = 409 "kind_mismatch" "`host-1` is an executor of kind agent since its first sync, it cannot become one of kind operator";
    RANGE_NOT_SATISFIABLE = 416 "range_not_satisfiable" "the range must begin inside the artifact, which has 5242880 bytes";

    // The catalogue
    RELEASE_PUBLISHED = 409 "release_published" "1.5.0 is published already and takes no more artifacts; release a new version instead";
    RELEASE_DIFFERS = 409 "release_differs" "the channel of 1.5.0 is `stable`, this upload says `beta`; leave it out, or change it with PATCH first";
    INVALID_TRANSITION = 409 "invalid_transition" "a release goes from draft to published to yanked, not from yanked to published";
    DISK_FULL = 507 "disk_full" "the control plane's disk is full, nothing was kept; free some space there and try again";
    UNTRUSTED_KEY = 422 "untrusted_key" "the signature must be made by a key built into this program (2026), it is by another one";
    SIGNATURE_MALFORMED = 422 "signature_malformed" "the signature must be the text of a .minisig file, it has 1 lines instead of 4";
    SIGNATURE_LEGACY = 422 "signature_legacy" "the signature must be prehashed (minisign's default, `ED`), it is a legacy one (`Ed`)";
    SIGNATURE_MISMATCH = 422 "signature_mismatch" "the signature must cover this artifact and its trusted comment, it does not";
    SIGNATURE_INCOMPLETE = 422 "signature_incomplete" "the trusted comment must name `target:`, it does not";
    SIZE_MISMATCH = 422 "size_mismatch" "the artifact must have at least one byte, it has none";
    WRONG_KIND = 422 "wrong_kind" "expected kind agent, the artifact is signed as operator";
    WRONG_VERSION = 422 "wrong_version" "expected version 1.5.0, the artifact is signed as 1.4.2";
    WRONG_TARGET = 422 "wrong_target" "expected target x86_64-unknown-linux-musl, the artifact is signed as aarch64-unknown-linux-musl";

    // The fleet
    EXECUTOR_OFFLINE = 409 "executor_offline" "the executor must be online, `host-1` was last heard at 2026-11-21T08:00:00Z; look after its host, then request again";
    UPGRADE_ALREADY_PENDING = 409 "upgrade_already_pending" "the executor has an upgrade that has not ended; wait for its end, then request again";
    RELEASE_NOT_FOUND = 404 "release_not_found" "1.5.0 is not among the releases that are offered to this executor: it must be published, of its kind, in its channel and built for its target";
    ALREADY_THERE = 409 "already_there" "the executor runs 1.5.0 already";
    RELEASE_UNREACHABLE = 409 "release_unreachable" "3.0.0 cannot be reached from 1.4.2 in one step: it requires upgrade to 2.x first";

    // Steering
    NOT_VALIDATED = 404 "not_validated" "nobody has asked for a dry run of this upgrade; POST …/validate does";
    REASON_REQUIRED = 400 "reason_required" "`reason` must say why: it is kept in the activity";
    UPGRADE_ENDED = 409 "upgrade_ended" "the upgrade has ended; retry it, or request a new one";
    NOT_ENDED = 409 "not_ended" "the upgrade has not ended; wait for its end, or abandon it, then retry it";
    NOT_PAUSED = 409 "not_paused" "the upgrade is neither paused nor given up; nothing has to be continued";
    NOT_STARTED = 409 "not_started" "the executor has not picked the upgrade up, there is nothing to roll back; abandon it";
    ALREADY_STARTED = 409 "already_started" "the upgrade was started already; follow it, pause it or abandon it";
    ALREADY_ASKED = 409 "already_asked" "the executor is told to roll the upgrade back already; wait for its answer";
    VALIDATING = 409 "validating" "the host is trying the upgrade out; wait for the end of that, or abandon the upgrade";
    TOO_EARLY = 409 "too_early" "only an upgrade at CONFIRM_COMPLETION can be completed; wait until it is there, or roll it back";
    TOO_LATE = 409 "too_late" "the upgrade is at CHECK_HEALTH: the new version is on trial; roll the upgrade back instead";
    UPGRADE_PAUSED = 409 "upgrade_paused" "the upgrade is paused; continue it first";
    APPROVAL_WANTED = 409 "approval_wanted" "the upgrade cannot start: it wants the approval of somebody else than alice, who requested it";
    APPROVAL_NOT_WANTED = 409 "approval_not_wanted" "the upgrade wants no approval, or has it already";
    OWN_REQUEST = 409 "own_request" "alice requested the upgrade, somebody else has to approve it";
    PREREQUISITES_OPEN = 409 "prerequisites_open" "the upgrade cannot start: the prerequisites 1, 2 of its release are to be acknowledged first";
    OLDER_UPGRADE_PENDING = 409 "older_upgrade_pending" "the upgrade cannot start: the older upgrade 01a1fd44-ec13-72dc-be3d-6f6dbcc5687c of `host-2`, of type migration, comes first; start, reschedule or abandon that one";
    FROZEN = 409 "frozen" "the upgrade cannot start: a freeze stands in the way";
    OUTSIDE_WINDOW = 409 "outside_window" "the upgrade cannot start: no maintenance window is open";
    OUTSIDE_RANGE = 409 "outside_range" "the new time must lie between 2026-11-21T09:00:00Z and 2026-11-30T00:00:00Z, it is 2026-12-24T00:00:00Z";
    CROSSES_OTHER_TYPE = 409 "crosses_other_type" "the upgrade 01a1fd44-ec13-72dc-be3d-6f6dbcc5687c of type migration is scheduled for 2026-11-22T00:00:00Z, and upgrades of different types keep their order; choose a time on this side of it, or reschedule that one";

    REVISION_NOT_SUCCESSFUL = 409 "revision_not_successful" "revision 2 is one that ended ROLLEDBACK; choose one that completed, or the last successful one";
    NO_EARLIER_REVISION = 409 "no_earlier_revision" "nothing else than what runs now ever completed there; request a version instead";
    BATCH_ENDED = 409 "batch_ended" "the batch has ended; nothing of it is left to stop";
    // Windows and freezes
    TOO_MANY = 409 "too_many" "the account has 200 windows, which is the most; delete one first";
    FREEZE_IN_FORCE = 409 "freeze_in_force" "the freeze is in force until 2027-01-01T23:00:00Z; end it with a reason (POST …/end) instead of deleting it";
    FREEZE_NOT_IN_FORCE = 409 "freeze_not_in_force" "the freeze is not in force: it is from 2026-12-20T00:00:00Z to 2027-01-01T23:00:00Z; only one that is in force can be ended";

    // Fleet plans
    PLAN_EXISTS = 409 "plan_exists" "another plan `k8s-1-34-upgrade` has not ended, and it is not the same document; delete that one, or give this one another name";
    PLAN_NOT_RUNNING = 409 "plan_not_running" "the plan cannot be halted: it is halted, alice halted it: the network is being mended";
    PLAN_NOT_HALTED = 409 "plan_not_halted" "the plan cannot be resumed: it is running, wave `canary` is under way";
    PLAN_RUNNING = 409 "plan_running" "the plan cannot be deleted: it is running, wave `canary` is under way; halt it first";
    INVALID_PLAN = 400 "invalid_plan" "`spec.waves[1].validation.healthCheckDuration` must not be negative, it is `-1h`";
    // Groups
    GROUP_IN_USE = 409 "group_in_use" "wave `standard` of the plan `monthly` has not begun and names the group; wait until it has begun, or delete the plan first";

    // Webhooks
    TOO_MANY_WEBHOOKS = 409 "too_many_webhooks" "an account may have at most 20 webhooks; delete one first";
    WEBHOOK_DISABLED = 409 "webhook_disabled" "the webhook is disabled, so it is told nothing; enable it with PATCH first";

    // Not the caller's fault
    INTERNAL = 500 "internal" "the control plane failed; its log says why";
    UNAVAILABLE = 503 "unavailable" "the control plane cannot write or read its store at the moment; try again later";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_code_has_one_status_and_is_snake_case() {
        let mut seen = BTreeMap::new();
        for refusal in ALL {
            assert!(refusal.code.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{}", refusal.code);
            assert_eq!(seen.insert(refusal.code, refusal.status), None, "{} stands twice", refusal.code);
        }
    }
}

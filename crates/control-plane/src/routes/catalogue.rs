//! The releases.

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use novacula_protocol::people::{Consequences, Release, ReleaseKeys, ReleasePatch, ReleaseStatus};
use novacula_protocol::spec::Kind;

use crate::api::{consequences, release_keys, releases, upload};
use crate::hear_out::hear_out;
use crate::operation::{Operation, area, get, patch, post};
use crate::right::Right;
use crate::{example, refusal, shape};

pub(super) fn operations() -> Vec<Operation> {
    area("catalogue", rows())
}

fn rows() -> [Operation; 6] {
    [
        get("/releases", "listReleases", Right::See, releases::list)
            .summary("The releases, newest first")
            .query::<Kind>("kind", "Only those for this kind of executor")
            .query::<ReleaseStatus>("status", "Only those in this status")
            .lists::<Release>(example::RELEASE_LISTED),
        post("/releases", "uploadArtifact", Right::Publish, upload::upload)
            .summary(
                "One artifact with its signature; again with another target while its release is a draft",
            )
            .takes_as::<shape::UploadForm>("multipart/form-data", None)
            .answers::<Release>(201, example::RELEASE_DRAFT)
            .refuses(&[
                refusal::RELEASE_PUBLISHED,
                refusal::RELEASE_DIFFERS,
                refusal::UNTRUSTED_KEY,
                refusal::SIGNATURE_MALFORMED,
                refusal::SIGNATURE_LEGACY,
                refusal::SIGNATURE_MISMATCH,
                refusal::SIGNATURE_INCOMPLETE,
                refusal::SIZE_MISMATCH,
                refusal::WRONG_KIND,
                refusal::WRONG_VERSION,
                refusal::WRONG_TARGET,
            ])
            .wrapped(|handler, _| {
                handler.route_layer(DefaultBodyLimit::disable()).route_layer(from_fn(hear_out))
            }),
        get("/releases/{id}", "showRelease", Right::See, releases::show)
            .summary("One release")
            .answers::<Release>(200, example::RELEASE_PUBLISHED),
        patch("/releases/{id}", "changeRelease", Right::Publish, releases::patch)
            .summary("From draft to published to yanked; its channel and its notes, and its type and its steps while it is a draft")
            .takes::<ReleasePatch>(example::RELEASE_PATCH)
            .answers::<Release>(200, example::RELEASE_PUBLISHED)
            .refuses(&[refusal::REASON_REQUIRED, refusal::INVALID_TRANSITION, refusal::RELEASE_PUBLISHED]),
        get("/releases/{id}/consequences", "showConsequences", Right::See, consequences::show)
            .summary("Whom publishing or yanking a release would concern, and what would be offered instead")
            .answers::<Consequences>(200, example::CONSEQUENCES),
        get("/release-keys", "listReleaseKeys", Right::See, release_keys::list)
            .summary("The release keys: which executors trust them, and what they signed")
            .answers::<ReleaseKeys>(200, example::RELEASE_KEYS),
    ]
}

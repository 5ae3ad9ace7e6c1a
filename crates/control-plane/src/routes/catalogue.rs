//! The releases.

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use novacula_protocol::people::{Release, ReleasePatch};
use novacula_protocol::spec::Kind;

use crate::api::{releases, upload};
use crate::hear_out::hear_out;
use crate::operation::{Operation, area, get, patch, post};
use crate::right::Right;
use crate::{example, refusal, shape};

pub(super) fn operations() -> Vec<Operation> {
    area("catalogue", rows())
}

fn rows() -> [Operation; 4] {
    [
        get("/releases", "listReleases", Right::See, releases::list)
            .summary("The releases, newest first")
            .query::<Kind>("kind", "Only those for this kind of executor")
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
    ]
}

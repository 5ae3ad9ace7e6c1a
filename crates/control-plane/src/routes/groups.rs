//! Executors that are called by one name.

use novacula_protocol::people::{ExecutorGroup, ExecutorGroupPatch, ExecutorGroupRequest};

use crate::api::groups;
use crate::operation::{Operation, area, delete, get, patch, post};
use crate::right::Right;
use crate::{example, refusal};

pub(super) fn operations() -> Vec<Operation> {
    area("groups", rows())
}

fn rows() -> [Operation; 5] {
    [
        get("/fleet/groups", "listGroups", Right::See, groups::list)
            .summary("The groups of executors, newest first, each with how many it takes now")
            .lists::<ExecutorGroup>(example::GROUP),
        post("/fleet/groups", "createGroup", Right::Administer, groups::create)
            .summary("A new group: all executors that its selector takes, today and later")
            .takes::<ExecutorGroupRequest>(example::GROUP_REQUEST)
            .answers::<ExecutorGroup>(201, example::GROUP)
            .refuses(&[refusal::NAME_TAKEN, refusal::TOO_MANY]),
        get("/fleet/groups/{id}", "showGroup", Right::See, groups::show)
            .summary("One group of executors")
            .answers::<ExecutorGroup>(200, example::GROUP),
        patch("/fleet/groups/{id}", "changeGroup", Right::Administer, groups::patch)
            .summary(
                "Changes a group; what is absent stays, and so do the executors of waves that have begun",
            )
            .takes::<ExecutorGroupPatch>(example::GROUP_PATCH)
            .answers::<ExecutorGroup>(200, example::GROUP)
            .refuses(&[refusal::NAME_TAKEN, refusal::GROUP_IN_USE]),
        delete("/fleet/groups/{id}", "deleteGroup", Right::Administer, groups::delete)
            .summary("Deletes a group that no wave to come names; its executors stay as they are")
            .answers_nothing()
            .refuses(&[refusal::GROUP_IN_USE]),
    ]
}

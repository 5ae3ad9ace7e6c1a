//! What happens to fleet plans, as it happens.

use crate::api::plan_events;
use crate::operation::{Operation, area, get};
use crate::right::Right;
use crate::{example, shape};

pub(super) fn operations() -> Vec<Operation> {
    area(
        "plans",
        [get("/fleet/plans/{id}/events", "followPlan", Right::See, plan_events::follow)
            .summary("What happens to it, as server-sent events `log`, `progress` and `end`")
            .answers_as::<shape::Events>(200, "text/event-stream", Some(example::PLAN_EVENTS.into()))
            .answers_nothing()],
    )
}

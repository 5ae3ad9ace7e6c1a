//! Fleet plans before they are applied.

use serde_json::Value;

use crate::api::plan_documents;
use crate::example;
use crate::operation::{Operation, area, get};
use crate::right::Right;

pub(super) fn operations() -> Vec<Operation> {
    area(
        "plans",
        [get("/fleet/plans/schema", "showPlanSchema", Right::See, plan_documents::schema)
            .summary("The JSON schema of a FleetUpgradePlan, for editors")
            .answers::<Value>(200, example::PLAN_SCHEMA)],
    )
}

//! Fleet plans before they are applied.

use novacula_protocol::people::{FleetUpgradePlan, PlanDryRun};
use serde_json::Value;

use crate::api::plan_documents;
use crate::operation::{Operation, area, get, post};
use crate::right::Right;
use crate::{example, refusal};

pub(super) fn operations() -> Vec<Operation> {
    area(
        "plans",
        [
            get("/fleet/plans/schema", "showPlanSchema", Right::See, plan_documents::schema)
                .summary("The JSON schema of a FleetUpgradePlan, for editors")
                .answers::<Value>(200, example::PLAN_SCHEMA),
            post("/fleet/plans/dry-run", "dryRunPlan", Right::Steer, plan_documents::dry_run)
                .summary("What would come of a plan that is applied now: who goes when, and what stands in the way")
                .takes_document::<FleetUpgradePlan>(example::PLAN_DOCUMENT)
                .answers::<PlanDryRun>(200, example::PLAN_DRY_RUN)
                .refuses(&[refusal::INVALID_PLAN]),
            post("/fleet/plans/{id}/dry-run", "dryRunKnownPlan", Right::Steer, plan_documents::dry_run_known)
                .summary("What would come of a plan that is there already, if it began anew now")
                .answers::<PlanDryRun>(200, example::PLAN_DRY_RUN)
                .refuses(&[refusal::INVALID_PLAN]),
        ],
    )
}

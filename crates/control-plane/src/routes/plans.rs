//! Fleet plans.

use novacula_protocol::people::{
    FleetPlan, FleetUpgradePlan, GateSkip, MemberOutcome, PlanApproval, PlanMember, PlanRollback, PlanState,
    WithReason,
};

use crate::api::plans;
use crate::operation::{Operation, area, delete, get, post};
use crate::right::Right;
use crate::{example, refusal, shape};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("plans", looking());
    all.extend(area("plans", steering()));
    all
}

fn looking() -> [Operation; 4] {
    [
        get("/fleet/plans", "listPlans", Right::See, plans::list)
            .summary("The fleet plans, newest first")
            .query::<String>("name", "Only those of this name")
            .query::<PlanState>("state", "Only those that stand there")
            .lists::<FleetPlan>(example::PLAN),
        post("/fleet/plans", "applyPlan", Right::Steer, plans::apply)
            .summary("Applies a fleet plan: from now on its waves go one after the other")
            .takes_document::<FleetUpgradePlan>(example::PLAN_DOCUMENT)
            .answers::<FleetPlan>(201, example::PLAN)
            .answers::<FleetPlan>(200, example::PLAN)
            .refuses(&[refusal::INVALID_PLAN, refusal::PLAN_EXISTS]),
        get("/fleet/plans/{id}", "showPlan", Right::See, plans::show)
            .summary("One fleet plan: where it stands, every wave, every gate, and why")
            .answers::<FleetPlan>(200, example::PLAN),
        get("/fleet/plans/{id}/executors", "listPlanExecutors", Right::See, plans::executors)
            .summary("The executors of the waves that have begun, in the order in which they go")
            .query::<String>("wave", "Only those of this wave")
            .query::<MemberOutcome>("outcome", "Only those that this became of")
            .lists_by::<shape::EntryCursor, PlanMember>(example::PLAN_MEMBER),
    ]
}

fn steering() -> [Operation; 6] {
    [
        post("/fleet/plans/{id}/approve", "approvePlan", Right::Steer, plans::approve)
            .summary("Says yes to the wave that waits for it, or to somebody else's plan")
            .takes::<PlanApproval>(example::PLAN_APPROVAL)
            .answers::<FleetPlan>(200, example::PLAN)
            .refuses(&[refusal::REASON_REQUIRED, refusal::APPROVAL_NOT_WANTED, refusal::OWN_REQUEST]),
        post("/fleet/plans/{id}/halt", "haltPlan", Right::Steer, plans::halt)
            .summary("Starts nobody more; what is under way comes to its end")
            .takes::<WithReason>(example::WITH_REASON)
            .answers::<FleetPlan>(200, example::PLAN)
            .refuses(&[refusal::REASON_REQUIRED, refusal::PLAN_NOT_RUNNING]),
        post("/fleet/plans/{id}/resume", "resumePlan", Right::Steer, plans::resume)
            .summary("Goes on; in a wave that failed, those that failed have another turn")
            .takes::<WithReason>(example::WITH_REASON)
            .answers::<FleetPlan>(200, example::PLAN)
            .refuses(&[refusal::REASON_REQUIRED, refusal::PLAN_NOT_HALTED]),
        post("/fleet/plans/{id}/skip-gate", "skipGate", Right::Administer, plans::skip_gate)
            .summary("Lets a wave past one of its gates")
            .takes::<GateSkip>(example::GATE_SKIP)
            .answers::<FleetPlan>(200, example::PLAN)
            .refuses(&[refusal::REASON_REQUIRED, refusal::PLAN_NOT_RUNNING]),
        post("/fleet/plans/{id}/rollback", "rollBackPlan", Right::Steer, plans::roll_back)
            .summary("Undoes what the plan did, or what it did in one wave, and nothing else")
            .takes::<PlanRollback>(example::PLAN_ROLLBACK)
            .answers::<FleetPlan>(200, example::PLAN)
            .refuses(&[refusal::REASON_REQUIRED, refusal::PLAN_NOT_RUNNING, refusal::PLAN_EXISTS]),
        delete("/fleet/plans/{id}", "deletePlan", Right::Steer, plans::delete)
            .summary("Removes a plan that has ended or is halted; what it did stays")
            .query::<shape::Reason>("reason", "Why, for the activity")
            .answers_nothing()
            .refuses(&[refusal::PLAN_RUNNING]),
    ]
}

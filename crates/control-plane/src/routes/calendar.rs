//! When upgrades may begin.

use novacula_protocol::people::{
    ExecutorWindows, Freeze, FreezeRequest, Window, WindowPatch, WindowRequest, WithReason,
};

use crate::api::{freezes, windows};
use crate::operation::{Operation, area, delete, get, patch, post};
use crate::right::Right;
use crate::{example, refusal};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = area("windows", maintenance());
    all.extend(area("freezes", freezing()));
    all
}

fn maintenance() -> [Operation; 7] {
    [
        get("/windows", "listWindows", Right::See, windows::list)
            .summary("The maintenance windows, newest first, each with the next three times it opens")
            .lists::<Window>(example::WINDOW),
        post("/windows", "createWindow", Right::Administer, windows::create)
            .summary("A new maintenance window; the answer shows when it opens, in local time and UTC")
            .takes::<WindowRequest>(example::WINDOW_REQUEST)
            .answers::<Window>(201, example::WINDOW)
            .refuses(&[refusal::NAME_TAKEN, refusal::TOO_MANY]),
        post("/windows/preview", "previewWindow", Right::See, windows::preview)
            .summary("When a window would open; nothing is kept")
            .takes::<WindowRequest>(example::WINDOW_REQUEST)
            .answers::<Window>(200, example::WINDOW_PREVIEW),
        get("/windows/{id}", "showWindow", Right::See, windows::show)
            .summary("One maintenance window")
            .answers::<Window>(200, example::WINDOW),
        patch("/windows/{id}", "changeWindow", Right::Administer, windows::patch)
            .summary("Changes a maintenance window; what is absent stays")
            .takes::<WindowPatch>(example::WINDOW_PATCH)
            .answers::<Window>(200, example::WINDOW)
            .refuses(&[refusal::NAME_TAKEN]),
        delete("/windows/{id}", "deleteWindow", Right::Administer, windows::delete)
            .summary("Deletes a maintenance window; executors that no other selects are always open")
            .answers_nothing(),
        get("/executors/{id}/windows", "showExecutorWindows", Right::See, windows::of_executor)
            .summary("The windows and freezes that apply to one executor, and whether it is open")
            .answers::<ExecutorWindows>(200, example::EXECUTOR_WINDOWS),
    ]
}

fn freezing() -> [Operation; 5] {
    [
        get("/freezes", "listFreezes", Right::See, freezes::list)
            .summary("The freezes, newest first")
            .lists::<Freeze>(example::FREEZE),
        post("/freezes", "createFreeze", Right::Administer, freezes::create)
            .summary("A time in which no upgrade begins, whatever the windows say")
            .takes::<FreezeRequest>(example::FREEZE_REQUEST)
            .answers::<Freeze>(201, example::FREEZE)
            .refuses(&[refusal::REASON_REQUIRED, refusal::TOO_MANY]),
        get("/freezes/{id}", "showFreeze", Right::See, freezes::show)
            .summary("One freeze")
            .answers::<Freeze>(200, example::FREEZE),
        delete("/freezes/{id}", "deleteFreeze", Right::Administer, freezes::delete)
            .summary("Deletes a freeze that has not begun, or is over")
            .answers_nothing()
            .refuses(&[refusal::FREEZE_IN_FORCE]),
        post("/freezes/{id}/end", "endFreeze", Right::Administer, freezes::end)
            .summary("Ends a freeze before its time")
            .takes::<WithReason>(example::WITH_REASON)
            .answers::<Freeze>(200, example::FREEZE)
            .refuses(&[refusal::REASON_REQUIRED, refusal::FREEZE_NOT_IN_FORCE]),
    ]
}

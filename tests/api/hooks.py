"""What a description cannot say."""

from __future__ import annotations

import os

import schemathesis

NOBODY = "01a1fd44-ec13-72dc-be3d-6f6dbcc5687c"


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    # Whoever asks must be able to ask on: nobody takes their own token or role away.
    parameters = case.path_parameters or {}
    if case.method != "GET" and parameters.get("id") in os.environ["SPARED"].split():
        parameters["id"] = NOBODY
    # A key belongs to one executor; any other name ends at `key_bound`.
    is_a_sync = case.operation.label == "POST /api/v1/syncExecutor" and isinstance(case.body, dict)
    if is_a_sync and case.meta is not None and case.meta.generation.mode.is_positive:
        case.body["name"] = os.environ["EXECUTOR_NAME"]

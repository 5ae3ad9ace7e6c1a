"""What a description cannot say: a key belongs to one executor, so that any other name ends at `key_bound`."""

from __future__ import annotations

import os

import schemathesis


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    if case.operation.label != "POST /api/v1/syncExecutor" or not isinstance(case.body, dict):
        return
    if case.meta is not None and case.meta.generation.mode.is_positive:
        case.body["name"] = os.environ["EXECUTOR_NAME"]

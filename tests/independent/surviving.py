"""Hostile answers, hostile specs and tricks for the token: the agent goes on and gives nothing away."""

from __future__ import annotations

import base64
import json
from contextlib import closing

from bench import Bench
from control_plane import Artifact, ControlPlane, Reply, error_reply
from releases import Release

HUGE_BYTES = 50 * 1024 * 1024


def survives_hostile_statuses(bench: Bench) -> None:
    check_hostile(bench, "a 500", error_reply(500, "internal", "It broke."))
    check_hostile(bench, "a 401", error_reply(401, "invalid_api_key", "Who are you?"))
    check_hostile(bench, "a 403", error_reply(403, "account_suspended", "Not now."))
    check_hostile(bench, "a 500 of plain text", Reply(500, b"oh no"))
    check_hostile(bench, "a 503 with a Retry-After that is no time", Reply(503, b"", {"Retry-After": "soon"}))
    busy = error_reply(429, "too_many_requests", "Slow down.")
    limited = Reply(429, busy.body, busy.headers | {"Retry-After": "3"})
    after = check_hostile(bench, "a 429 with Retry-After", limited)
    moments = [sync.at for sync in bench.next_syncs(2, after)]
    waited = moments[-1] - moments[0] if moments else 0
    bench.checks.holds("the agent waits as long as Retry-After says", waited >= 2.95, "3 s or more", f"{waited:.2f} s")


def survives_hostile_bodies(bench: Bench) -> None:
    proper = json.dumps(bench.plane.proper_answer()).encode()
    padding = b'{"padding":"' + b"x" * HUGE_BYTES + b'",' + proper[1:]
    nesting = b'{"padding":' + b"[" * 200_000 + b"]" * 200_000 + b"," + proper[1:]
    bodies = {
        "garbage JSON": b'{"now": tru',
        "a page instead of JSON": b"<html>Welcome</html>",
        "a list instead of an object": b"[]",
        "an empty answer": b"",
        "deep nesting": nesting,
        "a JSON of 50 MiB": padding,
    }
    for sentence, body in bodies.items():
        check_hostile(bench, sentence, Reply(200, body, {"Content-Type": "application/json"}))
    check_hostile(bench, "a connection closed without an answer", Reply(200, proper, cut_after=0))
    check_hostile(bench, "a connection closed within the answer", Reply(200, proper, cut_after=len(proper) // 2))
    bench.check_untouched("hostile answers leave the host as it was")


def survives_hostile_specs(bench: Bench) -> None:
    good = bench.watched(bench.kit.release.version)
    specs = {
        "an unknown intent": bench.spec(good, intent="teleport"),
        "an unknown kind": bench.spec(good, kind="toaster"),
        "a spec for an operator": operator_spec(bench, good),
        "a spec that is a text": "upgrade now",
        "a spec without fields": {},
        "a negative size": bench.spec(good, size=-1),
        "a size beyond every disk": bench.spec(good, size=2**63 - 1),
        "a path as hash": bench.spec(good, sha256="../../../etc/passwd"),
        "an upgradeId that is a path": bench.spec(bench.harmless(good.version), upgradeId="../../x", intent="validate"),
    }
    for sentence, spec in specs.items():
        after = bench.plane.offer(spec) + 1
        bench.check_still_syncing(f"after {sentence} the agent goes on", after)
        bench.next_syncs(2)
        bench.check_untouched(f"{sentence} leaves the host as it was")
    bench.check_dry_run("after all that a good dry run still succeeds", bench.spec(bench.harmless(good.version)))


def check_hostile(bench: Bench, sentence: str, reply: Reply) -> int:
    after = bench.plane.answer_next(reply)
    bench.check_still_syncing(f"after {sentence} the agent goes on", after)
    return after


def operator_spec(bench: Bench, good: Release) -> dict:
    common = {key: value for key, value in bench.spec(good).items() if key not in ("downloadUrl", "size", "sha256")}
    return common | {"kind": "operator", "image": f"registry.example/agent@sha256:{'0' * 64}"}


def keeps_its_token_at_home(bench: Bench) -> None:
    checks, plane, version = bench.checks, bench.plane, bench.kit.release.version
    with closing(ControlPlane()) as elsewhere:
        home = bench.harmless(version)
        bench.check_dry_run("an artifact at the control plane is fetched", bench.spec(home))
        shown = {fetch.authorization for fetch in plane.fetches}
        checks.equal("an artifact at the control plane is fetched with the token", {f"Bearer {bench.token}"}, shown)

        away = bench.harmless(version)
        away_url = elsewhere.serve(Artifact(away.body))
        bench.check_dry_run("an artifact at another origin is fetched", bench.spec(away, downloadUrl=away_url))
        redirect = plane.serve(Artifact(b"redirect", redirect_to=away_url))
        redirected = bench.spec(away, downloadUrl=redirect)
        bench.check_dry_run("an artifact is fetched through a redirect to another origin", redirected)
        checks.equal("another origin sees no Authorization header", {None}, set(elsewhere.authorizations))

        disguised = away_url.replace("http://", f"http://{plane.origin.removeprefix('http://')}@")
        bench.run_to_end(bench.spec(away, downloadUrl=disguised, intent="validate"))
        moved = Reply(307, b"", {"Location": f"{elsewhere.origin}/api/v1/syncExecutor"})
        check_hostile(bench, "a sync redirected to another origin", moved)
        leaked = [shown for shown in elsewhere.authorizations if shown and bench.token in readable(shown)]
        checks.equal("no trick brings the token to another origin", [], leaked)


def readable(authorization: str) -> str:
    """The header, and what it hides when it is a Basic one."""
    scheme, _, value = authorization.partition(" ")
    return base64.b64decode(value).decode(errors="replace") if scheme.lower() == "basic" else authorization

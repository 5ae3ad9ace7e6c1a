"""What an agent refuses, each with the exact code of the contract, and the host as it was."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

import releases
from bench import Bench, error_code, outcome
from control_plane import Artifact, rfc3339
from releases import Release

# An address of a documentation network: if it were ever contacted, nothing would answer.
ELSEWHERE_IN_CLEAR = "192.0.2.1"


def refuses_wrong_bytes(bench: Bench) -> None:
    plane, version = bench.plane, bench.kit.release.version
    good = bench.watched(version)
    size = len(good.body)
    bench.check_refused("a wrong hash", "sha256_mismatch", bench.spec(good, sha256="0" * 64))
    bench.check_refused("a file longer than stated", "size_mismatch", bench.spec(good, size=size - 1))
    bench.check_refused("a file shorter than stated", "size_mismatch", bench.spec(good, size=size + 1))
    endless = Artifact(good.body, endless=True)
    bench.check_refused("an endless file", "size_mismatch", bench.spec(good, endless))
    sent = max((fetch.sent for fetch in plane.fetches), default=0)
    # Beyond the stated size only what the buffers of both kernels hold can have left this side.
    stopped_early = sent < size + 32 * 1024 * 1024
    bench.checks.holds("reading an endless file stops early", stopped_early, "a few MiB", f"{sent} bytes")
    check_insecure_addresses(bench, good)
    check_unfit_programs(bench, version)


def check_insecure_addresses(bench: Bench, good: Release) -> None:
    insecure = {
        "plain http to another host": f"http://{ELSEWHERE_IN_CLEAR}/agent",
        "plain http to a name that only begins like loopback": "http://127.0.0.1.example.invalid/agent",
        "plain http with loopback as mere user name": f"http://127.0.0.1@{ELSEWHERE_IN_CLEAR}/agent",
    }
    for sentence, url in insecure.items():
        bench.check_refused(sentence, "insecure_url", bench.spec(good, downloadUrl=url))
    target = f"http://{ELSEWHERE_IN_CLEAR}/agent"
    redirect = bench.plane.serve(Artifact(target.encode(), redirect_to=target))
    bench.check_refused("a redirect to plain http", "insecure_url", bench.spec(good, downloadUrl=redirect))


def check_unfit_programs(bench: Bench, version: str) -> None:
    garbage = bench.spec(bench.signer.release(os.urandom(releases.STUB_BYTES), version))
    bench.check_refused("a file that cannot be run", "exec_preflight", garbage)
    for printed in ("9.9.9", f"1{version}"):
        program = bench.harmless(printed).body
        misnamed = bench.spec(bench.signer.release(program, version))
        bench.check_refused(f"a program that calls itself {printed}", "exec_preflight", misnamed)


def refuses_wrong_signatures(bench: Bench) -> None:
    version, signer = bench.kit.release.version, bench.signer
    good = bench.watched(version)
    comment = signer.comment(version)
    other = releases.stranger(bench.root, signer.target).sign(good.body, comment)
    tampered = good.body[:-1] + bytes([good.body[-1] ^ 1])
    edited = signer.sign(good.body, signer.comment("0.0.1")).replace("version:0.0.1", f"version:{version}")
    padded = good.signature.replace("untrusted comment:", "untrusted comment: " + "x" * 17 * 1024, 1)

    check_signature(bench, good, "a bit flipped after signing", "signature_mismatch", good.signature, tampered)
    check_signature(bench, good, "a trusted comment edited after signing", "signature_mismatch", edited)
    worn = releases.with_key_id_of(good.signature, other)
    check_signature(bench, good, "a stranger's signature under the trusted key id", "signature_mismatch", worn)
    check_signature(bench, good, "a signature by a key that is not baked in", "untrusted_key", other)
    legacy = signer.sign(good.body, comment, legacy=True)
    check_signature(bench, good, "a legacy signature", "signature_legacy", legacy)
    check_signature(bench, good, "a signature that is mere text", "signature_malformed", "not a signature\n")
    half = "".join(good.signature.splitlines(keepends=True)[:2])
    check_signature(bench, good, "a signature cut in half", "signature_malformed", half)
    check_signature(bench, good, "a signature of more than 16 KiB", "signature_malformed", padded)
    for missing in ("kind", "version", "target"):
        fields = [field for field in comment.split("\t") if not field.startswith(f"{missing}:")]
        signature = signer.sign(good.body, "\t".join(fields))
        check_signature(bench, good, f"a trusted comment without {missing}", "signature_incomplete", signature)
    twice = signer.sign(good.body, f"{comment}\tversion:{version}")
    check_signature(bench, good, "a trusted comment with version twice", "signature_incomplete", twice)


def check_signature(
    bench: Bench, good: Release, sentence: str, code: str, signature: str, body: bytes | None = None
) -> None:
    """Everything else in the spec is true, so that only the signature can be the reason."""
    bench.check_refused(sentence, code, bench.spec(Release(good.version, body or good.body, signature)))


def refuses_wrong_specs(bench: Bench) -> None:
    plane, version, signer = bench.plane, bench.kit.release.version, bench.signer
    good = bench.watched(version)
    signed_as = {
        "wrong_kind": signer.comment(version, kind="operator"),
        "wrong_version": signer.comment("1.0.9"),
        "wrong_target": signer.comment(version, target="sparc64-unknown-netbsd"),
    }
    for code, comment in signed_as.items():
        spec = bench.spec(Release(version, good.body, signer.sign(good.body, comment)))
        bench.check_refused(f"an artifact signed for a {code.replace('_', ' ')}", code, spec)
    bench.check_refused("an unmarked downgrade", "downgrade_not_marked", bench.spec(bench.watched("0.9.0")))
    bench.check_refused("a hop of two majors", "unreachable_major", bench.spec(bench.watched("3.0.0")))
    bench.check_refused("a spec for another current version", "unexpected_state", bench.spec(good, fromVersion="0.9.9"))
    an_hour_ago = rfc3339(datetime.now(timezone.utc) - timedelta(hours=1))
    bench.check_refused("a spec that has expired", "stale_spec", bench.spec(good, expiresAt=an_hour_ago))
    plane.clock_offset = timedelta(days=1)
    bench.check_refused("a spec expired by the control plane's clock", "stale_spec", bench.spec(good))
    plane.clock_offset = timedelta(0)
    check_repeated_attempt(bench)


def check_repeated_attempt(bench: Bench) -> None:
    checks, plane = bench.checks, bench.plane
    mended = bench.spec(bench.harmless(bench.kit.release.version), intent="validate")
    broken = mended | {"sha256": "0" * 64}
    bench.check_refused("an attempt with a wrong hash", "sha256_mismatch", broken)
    fetches = len(plane.fetches)
    # The sync that is answered with the mended spec still tells of the broken one; those after it show what came of it.
    reactions = bench.next_syncs(2, after=plane.offer(mended) + 1)
    found = {error_code(sync) or outcome(sync) for sync in reactions}
    checks.equal("a repeated attempt is only reported again", {"sha256_mismatch"}, found)
    checks.equal("a repeated attempt fetches nothing", 0, len(plane.fetches) - fetches)
    bench.check_dry_run("a new attempt of the same upgrade is carried out", mended | {"attempt": 2})

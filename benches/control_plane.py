"""What people ask of the control plane of `make bench`."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

END_LIMIT_S = 60


class ControlPlane:
    def __init__(self, asked):
        self.url, self.token, self.asked = f"{asked.origin}/api/v1", asked.token, asked

    def publish(self, version, file, folder):
        """Signs a file as this version of the agent and offers it to everybody."""
        signature = f"{folder}/{version}.minisig"
        comment = f"kind:agent version:{version} target:{self.asked.target}"
        run(["minisign", "-S", "-s", self.asked.secret_key, "-t", comment, "-x", signature, "-m", file])
        # curl, because it does not need an artifact in memory.
        uploaded = run(["curl", "-sS", "--fail-with-body", "--noproxy", "*",
                        "-H", f"Authorization: Bearer {self.token}", "-F", "kind=agent", "-F", f"version={version}", "-F", "channel=stable",
                        "-F", f"signature=<{signature}", "-F", f"artifact=@{file}", f"{self.url}/releases"])
        self.call("PATCH", f"releases/{json.loads(uploaded)['id']}", {"status": "published"})

    def key(self, name):
        return self.call("POST", "executor-keys", {"name": name})["secret"]

    def wait_for_version(self, name, version):
        """The id of the executor of this name, once it syncs as this version."""
        def look():
            for executor in self.call("GET", "executors?limit=200")["items"]:
                if (executor["name"], executor["currentVersion"]) == (name, version):
                    return executor["id"]
            return None
        return wait_for(f"{name} must sync as {version}", look)

    def upgrade(self, executor, version):
        """Orders an upgrade and waits for its end, however it ends."""
        return self.end_of(self.order(executor, version))

    def order(self, executor, version):
        order = {"targetVersion": version, "healthWindowMs": 1000}
        return self.call("POST", f"executors/{executor}/upgrade", order)["id"]

    def end_of(self, upgrade):
        def look():
            seen = self.call("GET", f"upgrades/{upgrade}")
            return seen if seen["stage"] in ("COMPLETED", "ROLLEDBACK", "ABANDONED", "FAILED") else None
        return wait_for(f"the upgrade {upgrade} must end", look)

    def call(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data=data, headers=headers, method=method)
        # No proxy, whatever the environment says.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            sys.exit(f"bench: {method} {path} is refused: {e.read().decode(errors='replace')}")


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: `{' '.join(command)}` failed: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(sentence, look, limit_s=END_LIMIT_S):
    limit = time.monotonic() + limit_s
    while (found := look()) is None:
        if time.monotonic() > limit:
            sys.exit(f"bench: {sentence}, it did not within {limit_s} s")
        # Seldom enough not to be what is measured.
        time.sleep(0.1)
    return found

//! A fleet plan under more syncs at once than any real fleet sends.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]
#![expect(clippy::print_stdout, reason = "it says how much it tried")]

#[expect(dead_code, reason = "nobody kills it here")]
#[path = "../killed/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use server::{Answer, Server, TARGET};

const EXECUTORS: usize = 1_000;
const ROUNDS: usize = 24;

/// One of them, with a connection of its own: it stands where it was told for a round, then it is done.
struct Host {
    name: String,
    agent: ureq::Agent,
    key: String,
    runs: &'static str,
    upgrade: Option<String>,
    stands: usize,
}

/// What a host was told in a round, and what it has sent before.
struct Told {
    host: usize,
    offered: Option<String>,
    completed: Option<String>,
}

impl Host {
    fn enrolled(n: usize, server: &Server, token: &str) -> Result<Self, String> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.timeout_global(Some(Duration::from_secs(60))).build().into();
        let name = format!("host-{n}");
        let mut host = Self { name, agent, key: token.to_owned(), runs: "1.0.0", upgrade: None, stands: 0 };
        let answer = host.call(server, "/enroll", &json!({"name": host.name, "kind": "agent"}))?;
        host.key = answer["accessToken"].as_str().ok_or("no key")?.to_owned();
        Ok(host)
    }

    fn call(&self, server: &Server, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.agent.post(format!("{}/api/v1{path}", server.url));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let request = request.header("content-type", "application/json");
        let failed = |e: ureq::Error| format!("{}: {e}", self.name);
        let mut answer = request.send(body.to_string()).map_err(failed)?;
        let text = answer.body_mut().read_to_string().map_err(failed)?;
        let is_yes = answer.status().is_success();
        let json = serde_json::from_str(&text).ok().filter(|_| is_yes);
        json.ok_or_else(|| format!("{}: {} {text}", self.name, answer.status()))
    }

    fn sync(&mut self, host: usize, server: &Server) -> Result<Told, String> {
        let mut said =
            json!({"name": self.name, "kind": "agent", "target": TARGET, "labels": {"wave": "all"}});
        let mut completed = None;
        if let Some(upgrade) = self.upgrade.clone() {
            self.stands += 1;
            let is_done = self.stands > 1;
            let (stage, status) = if is_done { ("COMPLETED", "COMPLETED") } else { ("DOWNLOAD", "UNDERWAY") };
            said["upgrade"] = json!({"upgradeId": upgrade, "attempt": 1, "stage": stage, "status": status});
            if is_done {
                self.runs = "1.1.0";
                completed = self.upgrade.take();
            }
        }
        said["currentVersion"] = json!(self.runs);
        let answer = self.call(server, "/syncExecutor", &said)?;
        let offered = answer["pendingUpgrade"]["upgradeId"].as_str().map(str::to_owned);
        if offered.is_some() && offered == completed {
            return Err(format!("{}: {offered:?} is offered again after its end was heard", self.name));
        }
        if offered.is_some() && self.upgrade != offered {
            (self.upgrade, self.stands) = (offered.clone(), 0);
        }
        Ok(Told { host, offered, completed })
    }
}

/// What was seen over all rounds.
#[derive(Default)]
struct Seen {
    /// Whose upgrade is open as far as the hosts know: from the answer that brings it until its end is sent.
    open: BTreeMap<String, usize>,
    done: usize,
}

impl Seen {
    fn round(&mut self, number: usize, answers: Vec<Result<Told, String>>) -> Result<(), String> {
        let answers: Vec<Told> = answers.into_iter().collect::<Result<_, _>>()?;
        for Told { host, offered, .. } in &answers {
            if let Some(offered) = offered
                && *self.open.entry(offered.clone()).or_insert(*host) != *host
            {
                return Err(format!("round {number}: two hosts are told of {offered}"));
            }
        }
        for ended in answers.iter().filter_map(|told| told.completed.as_ref()) {
            self.open.remove(ended).ok_or(format!("round {number}: {ended} was never offered"))?;
            self.done += 1;
        }
        // Who ends in a round makes room for one in the same round.
        match self.open.len() {
            0 | 1 => Ok(()),
            _ => Err(format!("round {number}: {:?} are in hand at once", self.open)),
        }
    }
}

#[test]
fn a_cap_of_one_under_a_thousand_concurrent_syncs_grants_one() {
    // A connection for each, here and there.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(65_536), most).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // What happens by the clock happens every 20 ms, so that it meets syncs under way.
    let server = Server::start_with(folder.path(), None, &[("TEST_CLOCK", "50@2026-11-21T00:00:00Z")]);
    let owner = server.owner.clone().unwrap();
    server.publish(folder.path(), &owner, &["1.0.0", "1.1.0"]);
    let token = json!({"maxUses": EXECUTORS, "expiresAt": "2100-01-01T00:00:00Z"});
    let Answer::Accepted(token) = server.call("POST", "/enrolment-tokens", &owner, &token) else {
        panic!("no token")
    };
    let token = token["secret"].as_str().unwrap();
    let hosts: Result<Vec<Host>, String> =
        (0..EXECUTORS).map(|n| Host::enrolled(n, &server, token)).collect();
    let plan = json!({
        "apiVersion": "novacula/v1", "kind": "FleetUpgradePlan", "metadata": {"name": "one"},
        "spec": {"targetVersion": "1.1.0", "waves": [{
            "name": "all", "clusterSelector": {"matchLabels": {"wave": "all"}}, "maxInFlight": 1,
        }]},
    });

    let (begin, end) = (Barrier::new(EXECUTORS + 1), Barrier::new(EXECUTORS + 1));
    let is_over = AtomicBool::new(false);
    let (sender, told) = std::sync::mpsc::channel();
    // A panic inside would leave the others waiting: what is wrong comes out first.
    let seen = std::thread::scope(|scope| {
        for (n, mut host) in hosts.unwrap().into_iter().enumerate() {
            let (server, begin, end, is_over, sender) = (&server, &begin, &end, &is_over, sender.clone());
            let one = move || {
                loop {
                    begin.wait();
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let _ = sender.send(host.sync(n, server));
                    end.wait();
                }
            };
            std::thread::Builder::new().stack_size(512 * 1024).spawn_scoped(scope, one).unwrap();
        }
        let mut seen = Seen::default();
        let mut all = || -> Result<(), String> {
            for number in 0..ROUNDS {
                begin.wait();
                end.wait();
                seen.round(number, told.try_iter().collect())?;
                if number == 0
                    && !matches!(server.call("POST", "/fleet/plans", &owner, &plan), Answer::Accepted(_))
                {
                    return Err("the plan is not applied".to_owned());
                }
            }
            Ok(())
        };
        let verdict = all();
        is_over.store(true, Ordering::SeqCst);
        begin.wait();
        verdict.map(|()| seen)
    });
    let seen = seen.unwrap();
    println!("{EXECUTORS} syncs at once, {ROUNDS} times; {} upgrades, one after the other", seen.done);
    assert!(seen.done >= ROUNDS / 6, "only {} upgrades", seen.done);
}

//! What must be there after each restart: all that was answered, nothing twice, nothing out of nowhere.

use std::collections::{HashMap, HashSet};

use novacula_protocol::Stage;
use serde_json::{Value, json};

use crate::host::Host;
use crate::server::{Answer, Server};
use crate::traffic::{Said, What};

/// All that was said since the beginning, and the activity as far as it was read.
#[derive(Default)]
pub struct Ledger {
    pub said: Vec<Said>,
    activity: Vec<Value>,
}

/// What the server shows after a restart.
struct Shown<'a> {
    upgrades: HashMap<&'a str, &'a Value>,
    by_mark: HashMap<&'a str, Vec<&'a Value>>,
    deeds: HashMap<&'a str, Vec<&'a Value>>,
}

impl Ledger {
    pub fn check(&mut self, server: &Server, owner: &str, hosts: &[Host]) {
        let upgrades = server.list("/upgrades", owner, |_| false);
        let batches = server.list("/batches", owner, |_| false);
        self.read_activity(server, owner);
        let shown = Shown {
            upgrades: upgrades.iter().map(|it| (text(it, "id"), it)).collect(),
            by_mark: grouped(&upgrades, "description"),
            deeds: grouped(&self.activity, "reason"),
        };
        let mut with_open = HashSet::new();
        for upgrade in upgrades.iter().filter(|it| it["endedAt"].is_null()) {
            let is_first = with_open.insert(text(upgrade, "executorId"));
            assert!(is_first, "one executor has two open upgrades: {upgrade}");
        }
        let requests = grouped(&self.activity, "target");
        for upgrade in &upgrades {
            let told = requests[text(upgrade, "id")].iter();
            let times = told.filter(|deed| deed["action"] == "upgrade.requested").count();
            assert_eq!(times, 1, "the activity tells of it once: {upgrade}");
            shown.leads_on(upgrade);
        }
        for said in &self.said {
            match &said.what {
                What::Request(executor) => shown.request(said, executor),
                What::Word(upgrade, action) => shown.word(said, upgrade, action),
                What::Batch(executors) => shown.batch(said, executors, &batches, server, owner),
            }
        }
        let marks: HashSet<&str> = self.said.iter().map(|said| said.mark.as_str()).collect();
        let stray = upgrades.iter().find(|it| !marks.contains(text(it, "description")));
        assert!(stray.is_none(), "nobody asked for it: {stray:?}");
        hosts.iter().for_each(|host| shown.host(host, server, owner));
    }

    /// How many calls had no answer, and how many of those were done all the same.
    pub fn unanswered(&self) -> (usize, usize) {
        let lost = self.said.iter().filter(|said| matches!(said.answer, Answer::Lost));
        let done = |said: &&Said| self.activity.iter().any(|deed| deed["reason"] == said.mark.as_str());
        (lost.clone().count(), lost.filter(done).count())
    }

    /// What is new of it; what was read before is still there, because the chain holds and its last link is the same.
    fn read_activity(&mut self, server: &Server, owner: &str) {
        let last = self.activity.last().cloned().unwrap_or(Value::Null);
        let mut new = server.list("/activity", owner, |entry| *entry == last);
        new.reverse();
        let verdict = server.get("/activity/verify", owner);
        assert_eq!(verdict["intact"], true, "{verdict}");
        self.activity.extend(new);
        let ids = self.activity.iter().map(|entry| entry["id"].as_u64().unwrap());
        assert!(ids.eq(1..=self.activity.len() as u64), "an entry of the activity that was read has changed");
    }
}

impl Shown<'_> {
    fn request(&self, said: &Said, executor: &str) {
        let found = self.marked(&said.mark);
        assert!(found.iter().all(|it| it["executorId"] == executor), "{}: {found:?}", said.mark);
        // Hops carry the words of the request on, each to another version.
        let targets: HashSet<&str> = found.iter().map(|it| text(it, "targetVersion")).collect();
        assert_eq!(targets.len(), found.len(), "{} was done twice: {found:?}", said.mark);
        match &said.answer {
            Answer::Accepted(answered) => {
                let now = self.upgrades.get(text(answered, "id"));
                let now = now.unwrap_or_else(|| panic!("an accepted request is lost: {answered}"));
                for kept in
                    ["executorId", "targetVersion", "hopsTo", "requestedBy", "description", "createdAt"]
                {
                    assert_eq!(now[kept], answered[kept], "{kept} of {answered}");
                }
                assert_eq!(now["requestedBy"], "owner");
                assert!(now["attempt"].as_u64() >= answered["attempt"].as_u64(), "{now} was {answered}");
            }
            Answer::Refused(problem) => assert!(found.is_empty(), "{problem} was done: {found:?}"),
            Answer::Lost => {}
        }
    }

    fn word(&self, said: &Said, upgrade: &str, action: &str) {
        let none = Vec::new();
        let found = self.deeds.get(said.mark.as_str()).unwrap_or(&none);
        for deed in found {
            assert_eq!((&deed["target"], &deed["action"]), (&json!(upgrade), &json!(action)), "{deed}");
        }
        match &said.answer {
            Answer::Accepted(answered) => {
                assert_eq!(found.len(), 1, "{action}, {} was answered: {answered}", said.mark);
                let now = self.upgrades[upgrade];
                assert!(now["attempt"].as_u64() >= answered["attempt"].as_u64(), "{now} was {answered}");
            }
            Answer::Refused(problem) => assert_eq!(found.len(), 0, "{problem}"),
            Answer::Lost => assert!(found.len() < 2, "{} was done twice", said.mark),
        }
    }

    fn batch(&self, said: &Said, executors: &[String], batches: &[Value], server: &Server, owner: &str) {
        let found: Vec<_> = batches.iter().filter(|it| it["description"] == said.mark.as_str()).collect();
        match &said.answer {
            Answer::Accepted(answered) => {
                assert_eq!(found.len(), 1, "a batch was answered: {answered}");
                let now = server.get(&format!("/batches/{}", text(answered, "id")), owner);
                let ids = now["items"].as_array().unwrap().iter().map(|item| text(item, "executorId"));
                assert!(ids.eq(executors), "{now} was {answered}");
                let begun =
                    answered["items"].as_array().unwrap().iter().filter_map(|it| it["upgradeId"].as_str());
                begun.for_each(|id| assert!(self.upgrades.contains_key(id), "{id} of {answered} is lost"));
            }
            Answer::Refused(problem) => assert!(found.is_empty(), "{problem}"),
            Answer::Lost => assert!(found.len() < 2, "{} was done twice", said.mark),
        }
        let mut seen = HashSet::new();
        for upgrade in self.marked(&said.mark) {
            assert!(executors.iter().any(|id| upgrade["executorId"] == id.as_str()), "{upgrade}");
            let one = (text(upgrade, "executorId"), text(upgrade, "targetVersion"));
            assert!(seen.insert(one), "a batch asked twice: {upgrade}");
        }
    }

    /// The next hop comes with the end of the one before it, so that nothing can come between.
    fn leads_on(&self, done: &Value) {
        let is_stop = !done["hopsTo"].is_null() && done["hopsTo"] != done["targetVersion"];
        if done["stage"] != "COMPLETED" || !is_stop {
            return;
        }
        let is_next =
            |it: &&Value| it["executorId"] == done["executorId"] && text(it, "id") > text(done, "id");
        let next = self.marked(text(done, "description")).iter().any(is_next);
        let is_refused =
            |deed: &&Value| deed["action"] == "upgrade.hopRefused" && deed["target"] == done["id"];
        let refused = self.deeds.values().flatten().any(is_refused);
        assert!(next || refused, "the way ends here: {done}");
    }

    /// What an executor was answered with 200 is never taken back.
    fn host(&self, host: &Host, server: &Server, owner: &str) {
        let revisions = server.list(&format!("/executors/{}/revisions", host.id), owner, |_| false);
        let numbers = revisions.iter().rev().map(|it| it["revision"].as_u64().unwrap());
        assert!(numbers.eq(1..=revisions.len() as u64), "{}: {revisions:?}", host.name);
        let mut ends: HashMap<&str, usize> = HashMap::new();
        for ((id, attempt), heard) in &host.heard {
            let now = self.upgrades[id.as_str()];
            let (stage, present) = (text(now, "stage"), now["attempt"].as_u64().unwrap());
            if heard.is_end() && *heard != Stage::Abandoned {
                *ends.entry(id).or_default() += 1;
            }
            if present == *attempt && heard.is_end() {
                assert_eq!(stage, heard.as_str(), "an end was taken back: {now}");
            } else if present == *attempt {
                let stage = Stage::from_wire(stage).unwrap();
                assert!(stage.is_end() || stage >= *heard, "{heard} was answered: {now}");
            } else {
                let may_be_tried_again = matches!(heard, Stage::Failed | Stage::RolledBack);
                assert!(present > *attempt, "an attempt was taken back: {now}");
                assert!(may_be_tried_again || !heard.is_end(), "{heard} was answered: {now}");
            }
        }
        for (id, known) in ends {
            let told = revisions.iter().filter(|it| it["upgradeId"] == id).count();
            let most = known + usize::from(host.has_unheard_end_of(id));
            assert!((known..=most).contains(&told), "{id} ended {known} times: {revisions:?}");
        }
    }

    fn marked(&self, mark: &str) -> &[&Value] {
        self.by_mark.get(mark).map_or(&[], Vec::as_slice)
    }
}

fn grouped<'a>(items: &'a [Value], by: &str) -> HashMap<&'a str, Vec<&'a Value>> {
    let mut groups: HashMap<&str, Vec<&Value>> = HashMap::new();
    for item in items {
        groups.entry(text(item, by)).or_default().push(item);
    }
    groups
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("{name} of {of}"))
}

//! What people and executors say, drawn from the dice, and what they were answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use novacula_lab::dice::Dice;
use serde_json::{Value, json};

use crate::host::Host;
use crate::server::{Answer, Server};

pub const VERSIONS: [&str; 3] = ["1.0.0", "2.0.0", "3.0.0"];

/// Each word of a person, as it goes into the path and as the activity tells it.
const WORDS: [(&str, &str); 6] = [
    ("pause", "upgrade.pauseRequested"),
    ("continue", "upgrade.continueRequested"),
    ("abandon", "upgrade.abandonRequested"),
    ("retry", "upgrade.retryRequested"),
    ("rollback", "upgrade.rollbackRequested"),
    ("complete", "upgrade.completeRequested"),
];

/// What one of those who talk says between two kills, at most.
const MOST: usize = 20_000;

/// A line of the client's own ledger. Each has a mark of its own, which the server keeps as description or reason.
pub struct Said {
    pub mark: String,
    pub what: What,
    pub answer: Answer,
}

pub enum What {
    /// One upgrade, of that executor.
    Request(String),
    /// Something about that upgrade, under that name in the activity.
    Word(String, &'static str),
    /// Upgrades of those executors.
    Batch(Vec<String>),
}

/// What all who talk have in common.
pub struct Talk<'a> {
    pub server: &'a Server,
    /// Whose end ends the talk: the same, or another one beside it.
    pub killed: &'a Server,
    pub owner: &'a str,
    pub accepted: &'a AtomicUsize,
    pub marks: &'a AtomicUsize,
    pub everybody: &'a [String],
}

impl Talk<'_> {
    /// Until the server is gone. That comes after some more accepted requests, so they must not run dry.
    pub fn go_on(&self, hosts: &mut [Host], dice: &mut Dice) -> Vec<Said> {
        let mut said = Vec::new();
        for _ in 0..MOST {
            if self.killed.is_killed() {
                return said;
            }
            let host = dice.below(hosts.len());
            self.one(&mut hosts[host], dice, &mut said);
        }
        panic!("{MOST} calls did not bring the requests that the next kill waits for");
    }

    fn one(&self, host: &mut Host, dice: &mut Dice, said: &mut Vec<Said>) {
        match dice.below(100) {
            0..55 => {
                host.sync(self.server, dice);
                self.was_answered();
            }
            55..70 => said.push(self.ask(&host.id, self.version(dice))),
            70..86 => said.extend(host.upgrade.clone().map(|id| self.steer(id, dice))),
            86..92 => said.push(self.go_back(host, dice)),
            92..98 => self.at_once(host, dice, said),
            _ => said.push(self.batch(dice)),
        }
        let requested = said.last().and_then(|last| match (&last.what, &last.answer) {
            (What::Request(_), Answer::Accepted(upgrade)) => upgrade["id"].as_str(),
            (What::Request(_), Answer::Refused(problem)) => problem["error"]["upgradeId"].as_str(),
            _ => None,
        });
        if let Some(id) = requested {
            host.upgrade = Some(id.to_owned());
        }
    }

    /// Several about the same executor: requests, a word about its upgrade, its own sync.
    fn at_once(&self, host: &mut Host, dice: &mut Dice, said: &mut Vec<Said>) {
        let (id, upgrade) = (host.id.clone(), host.upgrade.clone());
        let versions = [self.version(dice), self.version(dice), self.version(dice)];
        let (mut words, mut steps) = (Dice::of(dice.any()), Dice::of(dice.any()));
        std::thread::scope(|scope| {
            let asked: Vec<_> =
                versions.into_iter().map(|body| scope.spawn(|| self.ask(&id, body))).collect();
            let word = scope.spawn(|| upgrade.map(|upgrade| self.steer(upgrade, &mut words)));
            host.sync(self.server, &mut steps);
            self.was_answered();
            said.extend(word.join().unwrap());
            said.extend(asked.into_iter().map(|one| one.join().unwrap()));
        });
    }

    fn version(&self, dice: &mut Dice) -> Value {
        let confirm = if dice.below(4) == 0 { "manual" } else { "auto" };
        json!({"targetVersion": VERSIONS[dice.below(3)], "hops": true, "confirm": confirm})
    }

    fn ask(&self, executor: &str, body: Value) -> Said {
        self.request(executor, format!("/executors/{executor}/upgrade"), body)
    }

    /// To what ran there before: by its number, or whatever it was.
    fn go_back(&self, host: &Host, dice: &mut Dice) -> Said {
        let (way, body) = match dice.heads() {
            true => ("rollback", json!({"targetRevision": 1 + dice.below(4)})),
            false => ("rollback/last-successful", json!({})),
        };
        self.request(&host.id, format!("/executors/{}/{way}", host.id), body)
    }

    fn request(&self, executor: &str, path: String, mut body: Value) -> Said {
        let mark = self.mark();
        body["description"] = json!(mark);
        self.say(mark, &path, body, What::Request(executor.to_owned()))
    }

    fn steer(&self, upgrade: String, dice: &mut Dice) -> Said {
        let ((word, action), mark) = (WORDS[dice.below(WORDS.len())], self.mark());
        let (path, body) = (format!("/upgrades/{upgrade}/{word}"), json!({"reason": mark}));
        self.say(mark, &path, body, What::Word(upgrade, action))
    }

    fn batch(&self, dice: &mut Dice) -> Said {
        let mut chosen = self.everybody.to_vec();
        dice.shuffle(&mut chosen);
        chosen.truncate(1 + dice.below(6));
        let (mark, version) = (self.mark(), VERSIONS[dice.below(3)]);
        let body = json!({
            "executorIds": chosen, "concurrency": 1 + dice.below(3), "hops": true, "description": mark,
            "stopOnFailure": dice.heads(),
        });
        let path = format!("/releases/agent/batch-upgrade?targetVersion={version}");
        self.say(mark, &path, body, What::Batch(chosen))
    }

    fn mark(&self) -> String {
        format!("mark {}", self.marks.fetch_add(1, Ordering::SeqCst))
    }

    fn say(&self, mark: String, path: &str, body: Value, what: What) -> Said {
        let answer = self.server.call("POST", path, self.owner, &body);
        if matches!((&what, &answer), (What::Request(_), Answer::Accepted(_))) {
            self.accepted.fetch_add(1, Ordering::SeqCst);
        }
        self.was_answered();
        Said { mark, what, answer }
    }

    fn was_answered(&self) {
        self.killed.after_an_answer(self.accepted.load(Ordering::SeqCst));
    }
}

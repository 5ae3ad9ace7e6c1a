//! An executor as it behaves: it says where it stands until it is heard, and does what it is told.

use std::collections::HashMap;

use novacula_lab::dice::Dice;
use novacula_protocol::Stage;
use serde_json::{Value, json};

use crate::server::{Answer, Server, TARGET};

/// One attempt of one upgrade.
pub type Attempt = (String, u64);

#[derive(Clone, Debug)]
struct Job {
    attempt: Attempt,
    intent: String,
    is_manual: bool,
    from: String,
    target: String,
    stage: Stage,
    is_paused: bool,
}

impl Job {
    fn of(told: &Value) -> Self {
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Self {
            attempt: (text("upgradeId"), told["attempt"].as_u64().unwrap()),
            intent: text("intent"),
            is_manual: told["confirm"] == "manual",
            from: text("fromVersion"),
            target: text("targetVersion"),
            stage: Stage::ConfirmStart,
            is_paused: false,
        }
    }

    fn go_on(&mut self, dice: &mut Dice) {
        if self.stage.is_end() {
            return;
        }
        let has_swapped = self.stage >= Stage::Swap;
        self.is_paused = self.intent == "pause" && !has_swapped;
        match self.intent.as_str() {
            "rollback" => self.stage = Stage::RolledBack,
            "complete" => self.stage = Stage::Completed,
            "abandon" if !has_swapped => self.stage = Stage::Abandoned,
            "pause" if !has_swapped => {}
            _ if dice.below(12) == 0 => {
                self.stage = if has_swapped { Stage::RolledBack } else { Stage::Failed };
            }
            _ => {
                let last = if self.is_manual { Stage::ConfirmCompletion } else { Stage::Completed };
                for _ in 0..=dice.below(4) {
                    let next = Stage::ALL.into_iter().find(|next| *next > self.stage).unwrap();
                    self.stage = next.min(last);
                }
            }
        }
    }

    fn runs(&self) -> &str {
        match self.stage {
            Stage::Restart | Stage::CheckHealth | Stage::ConfirmCompletion | Stage::Completed => &self.target,
            _ => &self.from,
        }
    }

    fn report(&self) -> Value {
        let status = match self.stage {
            Stage::Completed | Stage::Abandoned => "COMPLETED",
            Stage::RolledBack => "ROLLEDBACK",
            Stage::Failed => "FAILED",
            _ if self.is_paused => "PAUSED",
            _ => "UNDERWAY",
        };
        let (id, attempt) = &self.attempt;
        json!({"upgradeId": id, "attempt": attempt, "stage": self.stage, "status": status})
    }
}

#[derive(Debug)]
pub struct Host {
    pub name: String,
    pub id: String,
    key: String,
    pub runs: String,
    job: Option<Job>,
    /// The last upgrade that was heard of, to talk about.
    pub upgrade: Option<String>,
    /// How far each attempt had come when that was last answered with 200.
    pub heard: HashMap<Attempt, Stage>,
}

impl Host {
    pub fn of(name: String, key: String) -> Self {
        let (id, runs) = (String::new(), "1.0.0".to_owned());
        Self { name, id, key, runs, job: None, upgrade: None, heard: HashMap::new() }
    }

    /// Whether it has an end to tell of which was not answered.
    pub fn has_unheard_end_of(&self, upgrade: &str) -> bool {
        self.job.as_ref().is_some_and(|job| job.attempt.0 == upgrade && job.stage.is_end())
    }

    pub fn sync(&mut self, server: &Server, dice: &mut Dice) -> Answer {
        let mut said =
            json!({"name": self.name, "kind": "agent", "currentVersion": self.runs, "target": TARGET});
        if let Some(job) = &mut self.job {
            job.go_on(dice);
            self.runs = job.runs().to_owned();
            said["currentVersion"] = json!(self.runs);
            said["upgrade"] = job.report();
        }
        let answer = server.call("POST", "/syncExecutor", &self.key, &said);
        if let Answer::Accepted(told) = &answer {
            if let Some(job) = &self.job {
                self.heard.insert(job.attempt.clone(), job.stage);
            }
            self.job.take_if(|job| job.stage.is_end());
            self.listen(&told["pendingUpgrade"]);
        }
        answer
    }

    fn listen(&mut self, told: &Value) {
        if told.is_null() {
            return;
        }
        let told = Job::of(told);
        let heard = self.heard.get(&told.attempt);
        assert!(!heard.is_some_and(|stage| stage.is_end()), "{}: its end was heard: {told:?}", self.name);
        self.upgrade = Some(told.attempt.0.clone());
        match &mut self.job {
            Some(job) if job.attempt == told.attempt => job.intent = told.intent,
            Some(_) => {}
            None => self.job = Some(told),
        }
    }
}

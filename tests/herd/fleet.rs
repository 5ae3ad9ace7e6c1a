//! Executors that keep the agent's own time.

use novacula_agent::pacing::Pacing;
use novacula_lab::dice::Dice;

use crate::server::{Answer, Server};

pub const MINUTE_MS: u64 = 60_000;
/// Time goes on in steps of this.
pub const STEP_MS: u64 = 10;
const INTERVAL_MS: u64 = 5_000;

struct Executor {
    pacing: Pacing,
    heard_at_ms: u64,
}

pub struct Fleet {
    executors: Vec<Executor>,
    /// Who comes in which step.
    due: Vec<Vec<u32>>,
    step: usize,
    /// How many came, by second.
    came: Vec<u32>,
    dice: Dice,
}

impl Fleet {
    fn new(count: u32, seed: u64) -> Self {
        let executor = |_| Executor { pacing: Pacing::new(INTERVAL_MS), heard_at_ms: 0 };
        Self {
            executors: (0..count).map(executor).collect(),
            due: Vec::new(),
            step: 0,
            came: Vec::new(),
            dice: Dice::of(seed),
        }
    }

    /// Each comes at its own time.
    pub fn spread(count: u32, seed: u64) -> Self {
        let mut fleet = Self::new(count, seed);
        for n in 0..count {
            let first_ms = fleet.dice.any() % INTERVAL_MS;
            fleet.comes(n, first_ms);
        }
        fleet
    }

    /// All have just found out that nobody answers any more.
    pub fn lost_together(count: u32, seed: u64) -> Self {
        let mut fleet = Self::new(count, seed);
        (0..count).for_each(|n| fleet.failed(n, None, 0));
        fleet
    }

    pub fn now_ms(&self) -> u64 {
        self.step as u64 * STEP_MS
    }

    /// How many came in each second since.
    pub fn came_from(&self, ms: u64) -> Vec<u32> {
        self.came[usize::try_from(ms / 1_000).unwrap()..].to_vec()
    }

    /// How many were answered lately.
    pub fn heard_within(&self, ms: u64) -> u32 {
        let since = self.now_ms().saturating_sub(ms);
        u32::try_from(self.executors.iter().filter(|it| it.heard_at_ms >= since).count()).unwrap()
    }

    /// Those who were waiting for an answer get none.
    pub fn lose(&mut self, waiting: Vec<u32>, failing_ms: u64) {
        waiting.into_iter().for_each(|n| self.failed(n, None, failing_ms));
    }

    /// A step without a control plane; a try fails after a while.
    pub fn fail_all_who_come(&mut self, failing_ms: u64) {
        for n in self.who_comes() {
            self.failed(n, None, failing_ms);
        }
        self.step += 1;
    }

    /// A step with one.
    pub fn meet(&mut self, server: &mut Server) {
        let (now, coming) = (self.now_ms(), self.who_comes());
        for (n, answer) in server.answer(coming, now) {
            match answer {
                Answer::Interval(told_ms) => {
                    self.executors[n as usize].heard_at_ms = now;
                    self.executors[n as usize].pacing.answered(told_ms);
                    self.waits(n, 0);
                }
                Answer::ComeAgain(seconds) => self.failed(n, Some(seconds * 1_000), 0),
                Answer::TooLate => self.failed(n, None, 0),
            }
        }
        self.step += 1;
    }

    fn who_comes(&mut self) -> Vec<u32> {
        let coming = self.due.get_mut(self.step).map(std::mem::take).unwrap_or_default();
        let second = usize::try_from(self.now_ms() / 1_000).unwrap();
        self.came.resize(self.came.len().max(second + 1), 0);
        self.came[second] += u32::try_from(coming.len()).unwrap();
        coming
    }

    fn failed(&mut self, n: u32, retry_after_ms: Option<u64>, after_ms: u64) {
        self.executors[n as usize].pacing.failed(retry_after_ms);
        self.waits(n, after_ms);
    }

    fn waits(&mut self, n: u32, after_ms: u64) {
        let dice = self.dice.any();
        let wait_ms = self.executors[n as usize].pacing.wait_ms(false, dice);
        self.comes(n, after_ms + wait_ms);
    }

    fn comes(&mut self, n: u32, in_ms: u64) {
        let step = self.step + 1 + usize::try_from(in_ms / STEP_MS).unwrap();
        self.due.resize(self.due.len().max(step + 1), Vec::new());
        self.due[step].push(n);
    }
}

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
    /// For how long the sync under way may wait.
    may_wait_s: u64,
    /// It waits at the control plane: since when, and until which step.
    waiting: Option<(u64, usize)>,
}

/// How those who wait find out that their control plane ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// It answers them all.
    LetsGo,
    /// Their connections end.
    Cuts,
}

pub struct Fleet {
    executors: Vec<Executor>,
    /// Who comes in which step.
    due: Vec<Vec<u32>>,
    /// Who has waited long enough in which step.
    over: Vec<Vec<u32>>,
    step: usize,
    /// How many came, by second.
    came: Vec<u32>,
    dice: Dice,
}

impl Fleet {
    fn new(count: u32, long_poll_ms: u64, seed: u64) -> Self {
        let pacing = Pacing::new(INTERVAL_MS, long_poll_ms);
        let executor = |_| Executor { pacing, heard_at_ms: 0, may_wait_s: 0, waiting: None };
        Self {
            executors: (0..count).map(executor).collect(),
            due: Vec::new(),
            over: Vec::new(),
            step: 0,
            came: Vec::new(),
            dice: Dice::of(seed),
        }
    }

    /// Each comes at its own time.
    pub fn spread(count: u32, seed: u64) -> Self {
        Self::patient(count, 0, seed)
    }

    /// The same of executors that wait at their control plane.
    pub fn patient(count: u32, long_poll_ms: u64, seed: u64) -> Self {
        let mut fleet = Self::new(count, long_poll_ms, seed);
        for n in 0..count {
            let first_ms = fleet.dice.any() % INTERVAL_MS;
            fleet.comes(n, first_ms);
        }
        fleet
    }

    /// All have just found out that nobody answers any more.
    pub fn lost_together(count: u32, seed: u64) -> Self {
        let mut fleet = Self::new(count, 0, seed);
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

    /// The control plane ends: `unanswered` were in its queue.
    pub fn lose(&mut self, unanswered: Vec<u32>, end: End, failing_ms: u64) {
        unanswered.into_iter().for_each(|n| self.failed(n, None, failing_ms));
        let now = self.now_ms();
        for n in 0..u32::try_from(self.executors.len()).unwrap() {
            if let Some((since, _)) = self.executors[n as usize].waiting.take() {
                match end {
                    End::LetsGo => {
                        self.executors[n as usize].pacing.answered(INTERVAL_MS, false, now - since)
                    }
                    End::Cuts => drop(self.executors[n as usize].pacing.failed(None, now - since)),
                }
                self.waits(n, 0);
            }
        }
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
        for n in self.over.get_mut(self.step).map(std::mem::take).unwrap_or_default() {
            if let Some((since, _)) =
                self.executors[n as usize].waiting.take_if(|(_, until)| *until == self.step)
            {
                self.executors[n as usize].pacing.answered(server.told_ms(), true, now - since);
                self.waits(n, 0);
            }
        }
        for (n, answer) in server.answer(coming, now) {
            match answer {
                Answer::Interval(told_ms) => {
                    let executor = &mut self.executors[n as usize];
                    executor.heard_at_ms = now;
                    match usize::try_from(executor.may_wait_s * 1_000 / STEP_MS).unwrap() {
                        0 => {
                            executor.pacing.answered(told_ms, false, 0);
                            self.waits(n, 0);
                        }
                        steps => {
                            let until = self.step + steps;
                            executor.waiting = Some((now, until));
                            self.over.resize(self.over.len().max(until + 1), Vec::new());
                            self.over[until].push(n);
                        }
                    }
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
        for n in &coming {
            let (dice, executor) = (self.dice.any(), &mut self.executors[*n as usize]);
            executor.may_wait_s = executor.pacing.begin(true, dice);
        }
        coming
    }

    fn failed(&mut self, n: u32, retry_after_ms: Option<u64>, after_ms: u64) {
        self.executors[n as usize].pacing.failed(retry_after_ms, after_ms);
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

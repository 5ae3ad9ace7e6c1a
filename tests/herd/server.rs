//! A server that answers so many syncs a second, and steers by the control plane's own pace.

use std::collections::VecDeque;

use novacula_control_plane::pace::{Limits, Load, Pace};

use crate::fleet::STEP_MS;

const LIMITS: Limits = Limits { base_ms: 5_000, ceiling_ms: 60_000, heartbeat_timeout_ms: 30_000 };
/// After so long an agent has given up.
const PATIENCE_MS: u64 = 10_000;
/// What it costs to refuse, in syncs.
const REFUSAL: f64 = 0.25;

pub enum Answer {
    Interval(u64),
    ComeAgain(u64),
    /// Nobody listens any more.
    TooLate,
}

pub struct Server {
    a_second: f64,
    pace: Pace,
    waiting: VecDeque<(u32, u64)>,
    /// What was done ahead of, or is left of, the time so far, in syncs.
    left: f64,
    refusals: u64,
    answered: u32,
    refused: u32,
}

impl Server {
    pub fn answering(a_second: f64) -> Self {
        let pace = Pace::new(LIMITS);
        Self { a_second, pace, waiting: VecDeque::new(), left: 0.0, refusals: 0, answered: 0, refused: 0 }
    }

    /// It ends, and with it what it knew of the load; gives who was waiting for an answer.
    pub fn ends(&mut self) -> Vec<u32> {
        let ended = std::mem::replace(self, Self::answering(self.a_second));
        ended.waiting.into_iter().map(|(n, _)| n).collect()
    }

    pub fn now_answers(&mut self, a_second: f64) {
        self.a_second = a_second;
    }

    pub fn told_ms(&self) -> u64 {
        self.pace.interval_ms()
    }

    /// What comes of a step.
    pub fn answer(&mut self, coming: Vec<u32>, now: u64) -> Vec<(u32, Answer)> {
        #[expect(clippy::cast_possible_truncation, reason = "seconds at most")]
        let late_ms = (self.waiting.len() as f64 / self.a_second * 1_000.0) as u64;
        let has_room = !Load { late_ms, ..Load::default() }.is_too_much();
        let mut answers = Vec::new();
        for n in coming {
            if has_room {
                self.waiting.push_back((n, now));
                continue;
            }
            answers.push((n, Answer::ComeAgain(self.pace.come_again_s(self.refusals))));
            self.refusals += 1;
            self.refused += 1;
            self.left -= REFUSAL;
        }
        self.left += self.a_second * STEP_MS as f64 / 1_000.0;
        while self.left >= 1.0
            && let Some((n, came)) = self.waiting.pop_front()
        {
            self.left -= 1.0;
            self.answered += 1;
            let is_late = now - came > PATIENCE_MS;
            answers.push((n, if is_late { Answer::TooLate } else { Answer::Interval(self.told_ms()) }));
        }
        // What was not done in its time is not done later.
        self.left = self.left.min(1.0);
        if now.is_multiple_of(1_000) {
            let load = Load {
                answered_a_second: f64::from(std::mem::take(&mut self.answered)),
                refused_a_second: f64::from(std::mem::take(&mut self.refused)),
                late_ms,
                ..Load::default()
            };
            self.pace.look(&load, now);
        }
        answers
    }
}

//! Pure: the way of an upgrade as a bar of its stages, and how fast its artifact comes.

use jiff::Timestamp;
use novacula_protocol::people::{StageEvents, Upgrade};
use novacula_protocol::spec::{Confirm, Intent};
use novacula_protocol::{Progress, Stage, Status};

use super::standing::trouble;
use crate::pages::words;

/// One stage of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub stage: Stage,
    pub label: &'static str,
    pub state: State,
    /// When it was reached, where somebody said so.
    pub at: Option<Timestamp>,
}

/// How a stage is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Done,
    Here,
    Paused,
    /// It ended here, and not well.
    Broken,
    /// The end, where it is not COMPLETED.
    Over,
    Ahead,
}

impl State {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Here => "here",
            Self::Paused => "paused",
            Self::Broken | Self::Over => "broken",
            Self::Ahead => "ahead",
        }
    }

    /// For whoever does not see colours.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Here => "now",
            Self::Paused => "paused here",
            Self::Broken => "ended here",
            Self::Over => "the end",
            Self::Ahead => "to come",
        }
    }
}

/// The way, with what is behind and what lies ahead; an end other than COMPLETED stands as its last stage.
pub(crate) fn bar(upgrade: &Upgrade, heard: &[StageEvents]) -> Vec<Mark> {
    let reached = reached(upgrade, heard);
    let has_completion = upgrade.confirm == Confirm::Manual || reached == Stage::ConfirmCompletion;
    let last = if upgrade.intent == Intent::Validate { Stage::Verify } else { Stage::Completed };
    let way = Stage::ALL
        .into_iter()
        .filter(|stage| *stage <= last && (*stage != Stage::ConfirmCompletion || has_completion));
    let ended_badly = upgrade.state == Progress::Error;
    let mut marks: Vec<_> = way
        .map(|stage| {
            let state = match stage.cmp(&reached) {
                std::cmp::Ordering::Less => State::Done,
                std::cmp::Ordering::Greater => State::Ahead,
                std::cmp::Ordering::Equal if ended_badly => State::Broken,
                std::cmp::Ordering::Equal if upgrade.state == Progress::Completed => State::Done,
                std::cmp::Ordering::Equal if upgrade.status == Status::Paused => State::Paused,
                std::cmp::Ordering::Equal => State::Here,
            };
            mark(upgrade, heard, stage, state)
        })
        .collect();
    if ended_badly {
        marks.retain(|mark| mark.state != State::Ahead);
        marks.push(mark(upgrade, heard, upgrade.stage, State::Over));
    }
    marks
}

fn mark(upgrade: &Upgrade, heard: &[StageEvents], stage: Stage, state: State) -> Mark {
    let at = of_attempt(upgrade, heard).find(|events| events.stage == stage).map(|events| events.started_at);
    Mark { stage, label: words::stage(&stage), state, at }
}

/// How far it came: at an end other than COMPLETED the error says so, or the last that was heard of it.
fn reached(upgrade: &Upgrade, heard: &[StageEvents]) -> Stage {
    if !upgrade.stage.is_end() || upgrade.stage == Stage::Completed {
        return upgrade.stage;
    }
    let last = of_attempt(upgrade, heard).map(|events| events.stage).filter(|stage| !stage.is_end()).max();
    let said = upgrade.error.as_ref().map(|error| error.stage).filter(|stage| !stage.is_end());
    said.or(last).unwrap_or(Stage::ConfirmStart)
}

fn of_attempt<'a>(upgrade: &Upgrade, heard: &'a [StageEvents]) -> impl Iterator<Item = &'a StageEvents> {
    let attempt = upgrade.attempt;
    heard.iter().filter(move |events| events.attempt == attempt)
}

/// How its artifact comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Download {
    pub done: u64,
    pub total: u64,
    /// `1.0 of 5.2 MB, 340 kB/s on average`
    pub said: String,
}

/// The download, while it lasts.
pub(crate) fn download(upgrade: &Upgrade, heard: &[StageEvents], now: Timestamp) -> Option<Download> {
    if upgrade.stage != Stage::Download || upgrade.bytes_total == 0 {
        return None;
    }
    let (done, total) = (upgrade.bytes_done, upgrade.bytes_total);
    let mut said = format!("{} of {}", words::bytes(&done), words::bytes(&total));
    let began = of_attempt(upgrade, heard).find(|events| events.stage == Stage::Download);
    let ms = began.map_or(0, |events| now.duration_since(events.started_at).as_millis());
    if let Ok(ms @ 1_000..) = u64::try_from(ms) {
        let rate = done.saturating_mul(1_000) / ms;
        said = format!("{said}, {}/s on average", words::bytes(&rate));
    }
    Some(Download { done, total, said })
}

/// What went wrong, in plain words: a heading and a sentence.
pub(crate) fn what_went_wrong(upgrade: &Upgrade) -> Option<(&'static str, String)> {
    let error = upgrade.error.as_ref().map(trouble);
    let host = &upgrade.executor_name;
    match (upgrade.stage, upgrade.state) {
        (Stage::RolledBack, _) => {
            let from = &upgrade.from_version;
            let back = format!("{host} runs {from} again.");
            Some(("Rolled back", error.map_or(back.clone(), |error| format!("{error} {back}"))))
        }
        (Stage::Failed, _) => {
            let sentence = error.unwrap_or_else(|| "The executor did not say why.".to_owned());
            Some(("Failed", sentence))
        }
        (_, Progress::Running | Progress::Pending) => error.map(|error| ("There is trouble", error)),
        _ => None,
    }
}

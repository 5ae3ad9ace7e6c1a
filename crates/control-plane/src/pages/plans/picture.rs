//! Pure: the picture of a plan. Waves are boxes in a row, or one below the other, with the gate between them; each has a
//! bar of how its executors are doing.

use novacula_protocol::people::{FleetPlan, WaveCounts};

use super::said;
use crate::pages::words;

/// A colour of a bar and what it stands for.
const PARTS: [(&str, &str); 5] = [
    ("fill-good", "on the target"),
    ("fill-busy", "under way"),
    ("fill-bad", "failed or slow"),
    ("fill-warn", "out of reach"),
    ("fill-none", "waiting or set aside"),
];

/// A piece of a bar, in units of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub x: u32,
    pub width: u32,
    pub class: &'static str,
}

/// A bar: its pieces, and the same in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    pub pieces: Vec<Piece>,
    pub text: String,
}

/// So small a piece is still seen.
const LEAST: u32 = 2;

/// A bar of this width.
pub(crate) fn bar(counts: &WaveCounts, width: u32) -> Bar {
    let numbers = numbers(counts);
    let total: u32 = numbers.iter().sum();
    let mut widths = numbers.map(|number| share(number, total, width));
    // What the small ones got too much, the widest gives.
    let sum: u32 = widths.iter().sum();
    if let Some(widest) = widths.iter_mut().max() {
        *widest = (*widest + width).saturating_sub(sum);
    }
    let mut x = 0;
    let pieces = widths.into_iter().zip(PARTS).filter(|(width, _)| total > 0 && *width > 0);
    let pieces = pieces.map(|(width, (class, _))| {
        let piece = Piece { x, width, class };
        x += width;
        piece
    });
    let pieces = pieces.collect();
    let said: Vec<_> = numbers
        .iter()
        .zip(PARTS)
        .filter(|(number, _)| **number > 0)
        .map(|(number, (_, what))| format!("{} {what}", words::count(&u64::from(*number))))
        .collect();
    let text = if said.is_empty() { "nobody".to_owned() } else { said.join(", ") };
    Bar { pieces, text }
}

fn share(number: u32, total: u32, width: u32) -> u32 {
    if number == 0 || total == 0 {
        return 0;
    }
    let share = u64::from(number) * u64::from(width) / u64::from(total);
    u32::try_from(share).unwrap_or(width).max(LEAST)
}

/// In the order of [`PARTS`]. Of a wave that has not begun all are waiting.
fn numbers(counts: &WaveCounts) -> [u32; 5] {
    let good = said::on_target(counts);
    let busy = counts.started + counts.rolling_back;
    let bad = counts.failed + counts.slow + counts.not_rolled_back;
    let warn = counts.unreachable;
    [good, busy, bad, warn, counts.total.saturating_sub(good + busy + bad + warn)]
}

/// All waves of a plan as one.
pub(crate) fn whole(plan: &FleetPlan) -> WaveCounts {
    let mut whole = WaveCounts::default();
    for wave in &plan.waves {
        for (outcome, count) in said::counts(&wave.counts) {
            whole.add(outcome, count);
        }
        // Whom a wave to come takes has no outcome yet.
        let counted: u32 = said::counts(&wave.counts).iter().map(|(_, count)| count).sum();
        whole.total += wave.counts.total.saturating_sub(counted);
    }
    whole
}

/// The colours that stand in a picture, with their meaning.
pub(crate) fn legend() -> [(&'static str, &'static str); 5] {
    PARTS
}

/// How the waves follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Across,
    Down,
}

/// More boxes are too small in a row.
pub(crate) const MOST_ACROSS: usize = 4;

const BOX: (u32, u32) = (230, 112);
const BOX_DOWN: (u32, u32) = (340, 96);
const GAP: u32 = 108;
const GAP_DOWN: u32 = 46;
const EDGE: u32 = 3;
const PADDING: u32 = 14;

/// Letters that fit into a box.
const MOST_LETTERS: usize = 24;

/// One wave in the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Boxed {
    pub x: u32,
    pub y: u32,
    /// As much of its name as fits.
    pub name: String,
    pub whole_name: String,
    pub state: said::Badge,
    pub done: String,
    pub bar: Bar,
    pub is_current: bool,
    pub number: usize,
}

/// The way from one wave to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    pub from: (u32, u32),
    pub to: (u32, u32),
    /// The corners of its head.
    pub head: String,
    /// Where its word stands.
    pub text: (u32, u32),
    pub word: &'static str,
    pub is_open: bool,
}

/// The whole picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub way: Way,
    pub width: u32,
    pub height: u32,
    pub boxes: Vec<Boxed>,
    pub arrows: Vec<Arrow>,
    /// The same in words.
    pub text: String,
}

impl Picture {
    pub(crate) fn is_across(&self) -> bool {
        self.way == Way::Across
    }

    pub(crate) fn box_width(&self) -> u32 {
        size(self.way).0
    }

    pub(crate) fn box_height(&self) -> u32 {
        size(self.way).1
    }

    pub(crate) fn padding(&self) -> u32 {
        PADDING
    }
}

fn size(way: Way) -> (u32, u32) {
    match way {
        Way::Across => BOX,
        Way::Down => BOX_DOWN,
    }
}

/// The waves of a plan, this way.
pub(crate) fn picture(plan: &FleetPlan, way: Way) -> Picture {
    let (box_width, box_height) = size(way);
    let step = match way {
        Way::Across => box_width + GAP,
        Way::Down => box_height + GAP_DOWN,
    };
    let current = said::current(plan).map(|(index, _)| index);
    let corner = |index: usize| {
        let away = EDGE + step * u32::try_from(index).unwrap_or(u32::MAX / step / 2);
        match way {
            Way::Across => (away, EDGE),
            Way::Down => (EDGE, away),
        }
    };
    let boxes: Vec<_> = plan
        .waves
        .iter()
        .enumerate()
        .map(|(index, wave)| {
            let (x, y) = corner(index);
            Boxed {
                x,
                y,
                name: cut(&wave.name),
                whole_name: wave.name.clone(),
                state: said::wave(&wave.state),
                done: format!("{} of {}", said::on_target(&wave.counts), wave.counts.total),
                bar: bar(&wave.counts, box_width - 2 * PADDING),
                is_current: current == Some(index),
                number: index + 1,
            }
        })
        .collect();
    let arrows = plan.waves.iter().zip(&boxes).take(boxes.len().saturating_sub(1)).map(|(wave, from)| {
        let word = said::between(plan, wave);
        arrow(way, (from.x, from.y), word)
    });
    let arrows = arrows.collect();
    let (last_x, last_y) = corner(boxes.len().saturating_sub(1));
    let said: Vec<_> = boxes
        .iter()
        .map(|one| {
            let here = if one.is_current { ", the plan is here" } else { "" };
            format!("{}. {}: {}, {}{here}", one.number, one.whole_name, one.state.word, one.bar.text)
        })
        .collect();
    Picture {
        way,
        width: last_x + box_width + EDGE,
        height: last_y + box_height + EDGE,
        boxes,
        arrows,
        text: format!("The waves one after the other. {}.", said.join("; ")),
    }
}

fn arrow(way: Way, (x, y): (u32, u32), word: &'static str) -> Arrow {
    const HEAD: u32 = 6;
    let (box_width, box_height) = size(way);
    let (from, to, head, text) = match way {
        Way::Across => {
            let (left, right, middle) = (x + box_width + 4, x + box_width + GAP - 4, y + box_height / 2);
            let head = format!(
                "{},{} {right},{middle} {},{}",
                right - HEAD,
                middle - HEAD,
                right - HEAD,
                middle + HEAD
            );
            ((left, middle), (right - HEAD, middle), head, (u32::midpoint(left, right), middle - 10))
        }
        Way::Down => {
            let (top, bottom, middle) =
                (y + box_height + 4, y + box_height + GAP_DOWN - 4, x + box_width / 2);
            let head = format!(
                "{},{} {middle},{bottom} {},{}",
                middle - HEAD,
                bottom - HEAD,
                middle + HEAD,
                bottom - HEAD
            );
            ((middle, top), (middle, bottom - HEAD), head, (middle + 14, u32::midpoint(top, bottom) + 4))
        }
    };
    Arrow { from, to, head, text, word, is_open: word == "passed" }
}

fn cut(name: &str) -> String {
    if name.chars().count() <= MOST_LETTERS {
        return name.to_owned();
    }
    let head: String = name.chars().take(MOST_LETTERS - 1).collect();
    format!("{}…", head.trim_end())
}

#[cfg(test)]
mod tests;

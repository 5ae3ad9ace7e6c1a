use novacula_protocol::people::{MemberOutcome as O, PlanState, WaveState};

use super::*;

fn counts(numbers: &[(O, u32)]) -> WaveCounts {
    let mut counts = WaveCounts::default();
    numbers.iter().for_each(|(outcome, number)| counts.add(*outcome, *number));
    counts
}

#[test]
fn a_bar_is_full_and_shows_the_smallest_part() {
    for (numbers, expected) in [
        (&[(O::Completed, 4)][..], vec![("fill-good", 0, 160)]),
        (&[(O::Completed, 1), (O::Waiting, 1)], vec![("fill-good", 0, 80), ("fill-none", 80, 80)]),
        (&[(O::Completed, 9_999), (O::Failed, 1)], vec![("fill-good", 0, 158), ("fill-bad", 158, 2)]),
        (&[(O::AlreadyThere, 1), (O::Held, 3)], vec![("fill-good", 0, 40), ("fill-none", 40, 120)]),
        (&[], vec![]),
    ] {
        let bar = bar(&counts(numbers), 160);
        let pieces: Vec<_> = bar.pieces.iter().map(|piece| (piece.class, piece.x, piece.width)).collect();
        assert_eq!(pieces, expected, "{numbers:?}");
    }
}

#[test]
fn whatever_the_numbers_the_pieces_follow_one_another_and_fill_the_bar() {
    let mut seed = 7_u32;
    let mut next = |most: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % most
    };
    for _ in 0..2_000 {
        let outcomes = [O::Completed, O::Started, O::Failed, O::Slow, O::Unreachable, O::Waiting, O::Gone];
        let numbers = outcomes.map(|outcome| (outcome, if next(3) == 0 { 0 } else { next(20_000) }));
        let counts = counts(&numbers);
        let shown = bar(&counts, 202);
        let mut at = 0;
        for piece in &shown.pieces {
            assert_eq!(piece.x, at, "{counts:?}");
            assert!(piece.width >= LEAST, "{counts:?}");
            at += piece.width;
        }
        assert_eq!(at, if counts.total == 0 { 0 } else { 202 }, "{counts:?}");
    }
}

#[test]
fn dead_slow_and_broken_are_not_said_alike() {
    let bar = bar(&counts(&[(O::Failed, 1), (O::Slow, 2), (O::Unreachable, 4), (O::Completed, 1_200)]), 100);
    assert_eq!(bar.text, "1,200 on the target, 3 failed or slow, 4 out of reach");
    assert_eq!(super::bar(&WaveCounts::default(), 100).text, "nobody");
}

#[test]
fn boxes_stand_apart_inside_the_picture_and_the_current_one_is_marked() {
    for count in [1, 2, 4, 5, 64] {
        let mut plan = crate::pages::plans::tests::plan("p", count);
        plan.waves[0].state = WaveState::Passed;
        for way in [Way::Across, Way::Down] {
            let picture = picture(&plan, way);
            assert_eq!((picture.boxes.len(), picture.arrows.len()), (count, count - 1));
            for (before, after) in picture.boxes.iter().zip(&picture.boxes[1..]) {
                let is_beside = before.x + picture.box_width() < after.x;
                let is_below = before.y + picture.box_height() < after.y;
                assert!(if way == Way::Across { is_beside } else { is_below }, "{before:?} {after:?}");
            }
            for one in &picture.boxes {
                assert!(
                    one.x + picture.box_width() < picture.width
                        && one.y + picture.box_height() < picture.height
                );
            }
            let current: Vec<_> =
                picture.boxes.iter().filter(|one| one.is_current).map(|one| one.number).collect();
            assert_eq!(
                current,
                if count == 1 { vec![] } else { vec![2] },
                "one that has passed is not current"
            );
            assert!(picture.arrows.iter().all(|arrow| arrow.is_open == (arrow.word == "passed")));
        }
    }
}

#[test]
fn the_words_of_a_picture_say_what_it_shows() {
    let mut plan = crate::pages::plans::tests::plan("p", 2);
    plan.waves[0].state = WaveState::Gate;
    plan.waves[0].counts = counts(&[(O::Completed, 3)]);
    let text = picture(&plan, Way::Down).text;
    assert_eq!(
        text,
        "The waves one after the other. 1. wave-0: At its gates, 3 on the target, the plan is here; 2. wave-1: Pending, 5 \
         waiting or set aside."
    );
    plan.state = PlanState::Completed;
    assert!(!picture(&plan, Way::Down).text.contains("the plan is here"));
}

#[test]
fn a_long_name_is_cut_in_its_box_and_whole_beside_it() {
    let mut plan = crate::pages::plans::tests::plan("p", 1);
    plan.waves[0].name = "ä".repeat(128);
    let boxed = picture(&plan, Way::Across).boxes.remove(0);
    assert_eq!(boxed.name.chars().count(), MOST_LETTERS);
    assert_eq!(boxed.whole_name.chars().count(), 128);
}

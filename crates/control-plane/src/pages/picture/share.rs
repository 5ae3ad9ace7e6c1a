//! Pure: how much room each number of a picture gets.

/// How long a whole bar is, in the units of its drawing.
pub(super) const WHOLE: u64 = 1_000;
/// Less is not seen.
const LEAST: u64 = 12;

/// Divides a length among numbers: nothing for none, enough to be seen for any other, more for the larger, and together
/// exactly the length unless all are none.
pub(super) fn lengths(numbers: &[u64], length: u64) -> Vec<u64> {
    let total: u128 = numbers.iter().map(|number| u128::from(*number)).sum();
    let shown = numbers.iter().filter(|number| **number > 0).count() as u64;
    if total == 0 || shown == 0 {
        return vec![0; numbers.len()];
    }
    let least = LEAST.min(length / shown);
    let free = u128::from(length - least * shown);
    let (mut before, mut reached) = (0_u128, 0_u64);
    numbers
        .iter()
        .map(|number| {
            if *number == 0 {
                return 0;
            }
            // Rounded at the edges, so that what is lost to one is won by the next.
            before += u128::from(*number);
            let edge = u64::try_from(free * before / total).unwrap_or(length);
            let grown = edge - reached;
            reached = edge;
            least + grown
        })
        .collect()
}

/// `30 %` of a whole; what is neither none nor all is never said to be.
pub(super) fn percent(number: u64, total: u64) -> String {
    if total == 0 {
        return "0 %".to_owned();
    }
    match u128::from(number) * 100 / u128::from(total) {
        0 if number > 0 => "under 1 %".to_owned(),
        share => format!("{share} %"),
    }
}

/// The lowest round number that is not below this one, to draw against.
pub(super) fn round_up(number: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for step in [1, 2, 3, 4, 6, 8] {
            let round = unit.saturating_mul(step);
            if round >= number.max(1) {
                return round;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_add_up_to_the_whole_and_the_least_is_seen() {
        for numbers in [
            vec![1],
            vec![1, 1, 1],
            vec![0, 5, 0],
            vec![1, 1_000_000],
            vec![u64::MAX, 1, u64::MAX],
            vec![7; 83],
            (1..=83).collect(),
        ] {
            let drawn = lengths(&numbers, WHOLE);
            assert_eq!(drawn.iter().sum::<u64>(), WHOLE, "{numbers:?}");
            for (number, length) in numbers.iter().zip(&drawn) {
                assert_eq!(*number == 0, *length == 0, "{numbers:?}");
                assert!(*number == 0 || *length >= LEAST, "{numbers:?}: {drawn:?}");
            }
        }
        assert_eq!(lengths(&[1, 1_000_000], WHOLE), [12, 988]);
        assert_eq!(lengths(&[1, 1], WHOLE), [500, 500]);
    }

    #[test]
    fn of_nothing_nothing_is_drawn() {
        assert_eq!(lengths(&[], WHOLE), Vec::<u64>::new());
        assert_eq!(lengths(&[0, 0], WHOLE), [0, 0]);
        assert_eq!(lengths(&[3], 0), [0]);
    }

    #[test]
    fn more_parts_than_there_is_room_for_still_add_up() {
        assert!(lengths(&vec![1; 5_000], WHOLE).iter().sum::<u64>() <= WHOLE);
        assert_eq!(lengths(&vec![1; 500], WHOLE).iter().sum::<u64>(), WHOLE);
    }

    #[test]
    fn a_share_is_said_without_a_lie() {
        assert_eq!(percent(0, 0), "0 %");
        assert_eq!(percent(1, 100_000), "under 1 %");
        assert_eq!(percent(99_999, 100_000), "99 %");
        assert_eq!(percent(5, 5), "100 %");
    }

    #[test]
    fn what_is_drawn_against_is_a_round_number() {
        assert_eq!(
            [0, 1, 2, 3, 5, 7, 9, 11, 21, 34, 999].map(round_up),
            [1, 1, 2, 3, 6, 8, 10, 20, 30, 40, 1_000]
        );
        assert_eq!(round_up(u64::MAX), u64::MAX);
    }
}

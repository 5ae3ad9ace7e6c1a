//! The one place where the laboratory waits: nothing else sleeps, so nothing waits longer than it must.

use std::time::{Duration, Instant};

const BETWEEN_TWO_LOOKS: Duration = Duration::from_millis(25);

/// Looks until there is something to see or the limit has passed; looks once more at the very end.
pub fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let last_look = begun.elapsed() >= limit;
        if let Some(seen) = look() {
            return Some(seen);
        }
        if last_look {
            return None;
        }
        std::thread::sleep(BETWEEN_TWO_LOOKS);
    }
}

/// Like [`poll`], for what a test cannot go on without.
///
/// # Panics
/// When the limit has passed; the message is the sentence that did not come true.
#[track_caller]
pub fn wait_for<T>(sentence: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    match poll(limit, look) {
        Some(seen) => seen,
        None => panic!("not within {limit:?}: {sentence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_already_is_seen_without_waiting() {
        assert_eq!(poll(Duration::ZERO, || Some(1)), Some(1));
    }

    #[test]
    fn what_comes_later_is_seen_when_it_comes() {
        let mut looks = 0;
        let seen = wait_for("the third look sees it", Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(seen, 3);
    }

    #[test]
    fn what_never_comes_is_given_up() {
        assert_eq!(poll::<()>(Duration::from_millis(1), || None), None);
    }
}

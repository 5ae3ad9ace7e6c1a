//! The log of the process: to the journal, or to whoever looks at stderr. The same trouble is said once, with a count.

use std::env;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Trouble that lasts is said again after this, in ms.
const AGAIN_MS: u64 = 3_600_000;
/// More kinds of trouble at a time are not told apart.
const KINDS: usize = 16;

/// Logs from now on; `ticks_ms` is the ticking clock.
pub fn start(ticks_ms: fn() -> u64) {
    let prefixed = env::var_os("JOURNAL_STREAM").is_some();
    let journal = Journal { prefixed, ticks_ms, trouble: Mutex::default() };
    // The only logger of this process; a second one cannot have been first.
    if log::set_boxed_logger(Box::new(journal)).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// A log that cannot be written, on a full disk or a closed pipe, must never be what ends an agent.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

struct Journal {
    /// systemd reads the level from a prefix; on a terminal it would be noise.
    prefixed: bool,
    ticks_ms: fn() -> u64,
    trouble: Mutex<Trouble>,
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("novacula") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (priority, word) = match record.level() {
            Level::Error => (3, "error"),
            Level::Warn => (4, "warning"),
            Level::Info => (6, "info"),
            Level::Debug | Level::Trace => (7, "debug"),
        };
        let mut line = record.args().to_string();
        if record.level() <= Level::Warn {
            let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            match trouble.count(&line, (self.ticks_ms)()) {
                None => return,
                Some(1) => {}
                Some(count) => line = format!("{line} ({count} times)"),
            }
        }
        match self.prefixed {
            true => complain(&format!("<{priority}>{line}")),
            false => complain(&format!("{word}: {line}")),
        }
    }

    fn flush(&self) {}
}

/// What went wrong lately and how often.
#[derive(Default)]
struct Trouble(Vec<Kind>);

struct Kind {
    line: u64,
    count: u32,
    said_at_ms: u64,
}

impl Trouble {
    /// Counts this line; gives its count when it is worth saying: at first, at every tenfold, and after an hour.
    fn count(&mut self, line: &str, now_ms: u64) -> Option<u32> {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let line = hasher.finish();
        if let Some(known) = self.0.iter_mut().find(|known| known.line == line) {
            known.count = known.count.saturating_add(1);
            let count = known.count;
            if now_ms.saturating_sub(known.said_at_ms) >= AGAIN_MS {
                (known.count, known.said_at_ms) = (0, now_ms);
                return Some(count);
            }
            return (count >= 10 && 10_u32.pow(count.ilog10()) == count).then_some(count);
        }
        if self.0.len() == KINDS {
            self.0.remove(0);
        }
        self.0.push(Kind { line, count: 1, said_at_ms: now_ms });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_said_once_and_then_with_its_count() {
        let mut trouble = Trouble::default();
        let said: Vec<_> = (0..1_000).filter_map(|n| trouble.count("disk full", n)).collect();
        assert_eq!(said, [1, 10, 100, 1_000]);
        assert_eq!(trouble.count("another", 1_000), Some(1));
        assert_eq!(trouble.count("disk full", AGAIN_MS - 1), None);
    }

    #[test]
    fn trouble_that_lasts_or_comes_back_is_said_again() {
        let mut trouble = Trouble::default();
        assert_eq!(trouble.count("disk full", 0), Some(1));
        assert_eq!(trouble.count("disk full", 5), None);
        assert_eq!(trouble.count("disk full", AGAIN_MS), Some(3), "three times within the hour");
        assert_eq!(trouble.count("disk full", AGAIN_MS + 5), None);
        assert_eq!(trouble.count("disk full", 9 * AGAIN_MS), Some(2));
    }

    #[test]
    fn trouble_that_never_says_the_same_twice_does_not_grow() {
        let mut trouble = Trouble::default();
        for n in 0..1_000 {
            assert_eq!(trouble.count(&n.to_string(), 0), Some(1));
        }
        assert_eq!(trouble.0.len(), KINDS);
    }
}

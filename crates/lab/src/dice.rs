//! Chance that can be had again.

use std::env;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::OnceLock;

/// The seed of this run: `NOVACULA_CRASH_SEED`, or one of our own. A test that draws says which one it was.
///
/// # Panics
/// When `NOVACULA_CRASH_SEED` is no number.
pub fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| match env::var("NOVACULA_CRASH_SEED") {
        Ok(text) => text.parse().expect("NOVACULA_CRASH_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish() >> 32,
    })
}

/// The same numbers for the same seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// Numbers that belong to this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, `end`.
    ///
    /// # Panics
    /// When there is no such number.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.any() % end as u64).expect("it is below a usize")
    }

    /// Heads or tails.
    pub fn heads(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Puts a slice into any order.
    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for last in (1..of.len()).rev() {
            of.swap(last, self.below(last + 1));
        }
    }
}

//! Chance that can be had again.

/// The same numbers for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Numbers that belong to this seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed that nobody chose.
    pub fn any_seed() -> u64 {
        use std::hash::{BuildHasher as _, Hasher as _, RandomState};
        // People type it again.
        RandomState::new().build_hasher().finish() % 1_000_000_000
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but not including, `end`; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any().checked_rem(end).unwrap_or_default()
    }

    /// A number from `least` to `most`.
    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// Heads or tails.
    pub fn heads(&mut self) -> bool {
        self.below(2) == 0
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(of.len() as u64)).ok()?;
        of.get(index).copied()
    }

    /// Puts a slice into any order.
    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for last in (1..of.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            of.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_chance() {
        let draw = |seed| {
            let mut dice = Dice::of(seed);
            let mut order: Vec<u32> = (0..50).collect();
            dice.shuffle(&mut order);
            (order, dice.within(3, 9), dice.heads(), dice.one_of(&["a", "b"]))
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7).0, draw(8).0);
        let mut dice = Dice::of(1);
        assert!((0..1_000).all(|_| (3..=9).contains(&dice.within(3, 9))));
        assert_eq!((dice.below(0), dice.one_of::<u8>(&[])), (0, None));
    }
}

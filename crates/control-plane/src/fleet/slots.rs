//! Things in a row, known by their place: four bytes instead of a key wherever somebody else points at one.

/// So many lie together. A row in one piece would have to be copied whenever it is full, and would then be half empty.
const TOGETHER: usize = 512;

/// Places of what was removed are given out again.
pub(super) struct Slots<T> {
    all: Vec<Vec<Option<T>>>,
    count: usize,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { all: Vec::new(), count: 0, free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// # Panics
    /// With four thousand million of them: memory has ended long before.
    pub(super) fn add(&mut self, one: T) -> u32 {
        if let Some(at) = self.free.pop() {
            self.all[at as usize / TOGETHER][at as usize % TOGETHER] = Some(one);
            return at;
        }
        let at = u32::try_from(self.count).expect("so many fit in no memory");
        if self.count.is_multiple_of(TOGETHER) {
            self.all.push(Vec::with_capacity(TOGETHER));
        }
        self.all[self.count / TOGETHER].push(Some(one));
        self.count += 1;
        at
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.all.get(at as usize / TOGETHER)?.get(at as usize % TOGETHER)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.all.get_mut(at as usize / TOGETHER)?.get_mut(at as usize % TOGETHER)?.as_mut()
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let removed = self.all.get_mut(at as usize / TOGETHER)?.get_mut(at as usize % TOGETHER)?.take();
        self.free.extend(removed.is_some().then_some(at));
        removed
    }

    /// Those at the `most` places from `from` on, and where to go on; nowhere at the end.
    pub(super) fn portion(&self, from: usize, most: usize) -> (impl Iterator<Item = &T>, Option<usize>) {
        let end = self.count.min(from.saturating_add(most));
        let some = (from..end).filter_map(|at| self.get(u32::try_from(at).ok()?));
        (some, (end < self.count).then_some(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_and_are_given_out_again_also_beyond_what_lies_together() {
        let mut slots = Slots::default();
        let most = 2 * TOGETHER + 3;
        for n in 0..most {
            assert_eq!(slots.add(n) as usize, n);
        }
        assert_eq!((slots.get(512), slots.get(1_027)), (Some(&512), None));
        assert_eq!(slots.remove(600), Some(600));
        assert_eq!(slots.get(600), None);
        assert_eq!(slots.get_mut(600), None);
        assert_eq!(slots.remove(600), None, "and its place is not free twice");
        *slots.get_mut(601).unwrap() = 7;

        let mut seen = Vec::new();
        let (mut from, mut rounds) = (Some(0), 0);
        while let Some(at) = from {
            let (portion, next) = slots.portion(at, 500);
            seen.extend(portion.copied());
            (from, rounds) = (next, rounds + 1);
        }
        let expected: Vec<_> =
            (0..most).filter(|n| *n != 600).map(|n| if n == 601 { 7 } else { n }).collect();
        assert_eq!((seen, rounds), (expected, 3));

        assert_eq!(slots.add(9), 600);
        assert_eq!(slots.add(10) as usize, most);
    }
}

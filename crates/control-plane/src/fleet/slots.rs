//! Things in a row, known by their place: four bytes instead of a key wherever somebody else points at one.

/// Places of what was removed are given out again.
pub(super) struct Slots<T> {
    all: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { all: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// # Panics
    /// With four thousand million of them: memory has ended long before.
    pub(super) fn add(&mut self, one: T) -> u32 {
        if let Some(at) = self.free.pop() {
            self.all[at as usize] = Some(one);
            return at;
        }
        let at = u32::try_from(self.all.len()).expect("so many fit in no memory");
        self.all.push(Some(one));
        at
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.all.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.all.get_mut(at as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let removed = self.all.get_mut(at as usize)?.take();
        self.free.extend(removed.is_some().then_some(at));
        removed
    }

    /// Those at the `most` places from `from` on, and where to go on; nowhere at the end.
    pub(super) fn portion(&self, from: usize, most: usize) -> (impl Iterator<Item = &T>, Option<usize>) {
        let end = self.all.len().min(from.saturating_add(most));
        let some = self.all.get(from..end).unwrap_or_default().iter().flatten();
        (some, (end < self.all.len()).then_some(end))
    }
}

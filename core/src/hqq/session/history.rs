//! The last few things that are over: whose stragglers are dropped without a word.

use heapless::Vec;

/// At most `N` of them; the oldest is forgotten first.
#[derive(Debug)]
pub(super) struct History<T, const N: usize> {
    recent: Vec<T, N>,
}

impl<T: Copy + PartialEq, const N: usize> History<T, N> {
    pub(super) const fn new() -> Self {
        Self { recent: Vec::new() }
    }

    pub(super) fn remember(&mut self, what: T) {
        self.forget(what);
        if self.recent.is_full() && !self.recent.is_empty() {
            self.recent.remove(0);
        }
        // Fails only for N = 0, which remembers nothing.
        let _ = self.recent.push(what);
    }

    pub(super) fn forget(&mut self, what: T) {
        self.recent.retain(|known| *known != what);
    }

    pub(super) fn clear(&mut self) {
        self.recent.clear();
    }

    pub(super) fn contains(&self, what: T) -> bool {
        self.recent.contains(&what)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut history = History::<u64, 2>::new();
        history.remember(1);
        history.remember(2);
        history.remember(1);
        history.remember(3);
        assert!(history.contains(1) && history.contains(3) && !history.contains(2));
        history.forget(1);
        assert!(!history.contains(1));
        let mut none = History::<u64, 0>::new();
        none.remember(1);
        assert!(!none.contains(1));
    }
}

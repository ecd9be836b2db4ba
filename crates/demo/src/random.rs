//! The generator of chance: splitmix64, so that a seed gives the same city on every machine.
//!
//! It is not for secrets. Streams are forked by a label and a number: what one person's history
//! draws never shifts what the next person draws.

/// A stream of chance.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    state: u64,
}

/// The odd constant nearest to 2^64 divided by the golden ratio: splitmix64's step.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Stream {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream of its own for `label` and `number`; the parent is not advanced.
    pub(crate) fn fork(&self, label: &str, number: u64) -> Self {
        let mut state = mix(self.state.wrapping_add(STEP));
        for byte in label.bytes() {
            state = mix(state ^ u64::from(byte)).wrapping_add(STEP);
        }
        Self { state: mix(state ^ number.wrapping_mul(STEP)) }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// 0 up to but without `limit`; 0 when `limit` is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        // The high bits scaled down: no modulo bias worth speaking of below 2^32.
        let wide = u128::from(self.next()) * limit as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i32, high: i32) -> i32 {
        let span = usize::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or(1);
        low.saturating_add(i32::try_from(self.below(span)).unwrap_or(0))
    }

    /// Around zero, mostly within `spread`, rarely at its double.
    pub(crate) fn bell(&mut self, spread: i32) -> i32 {
        (0..4).map(|_| self.between(-spread, spread)).sum::<i32>() / 2
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: i32) -> bool {
        self.between(0, 99) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    /// One of `list`, each as likely as its weight says; `None` when all weights are zero.
    pub(crate) fn weighted<'a, T>(&mut self, list: &'a [T], weight: impl Fn(&T) -> usize) -> Option<&'a T> {
        let total: usize = list.iter().map(&weight).sum();
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        list.iter().find(|item| {
            let own = weight(item);
            let here = left < own;
            left = left.saturating_sub(own);
            here
        })
    }
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_are_independent_of_what_the_parent_drew() {
        let mut parent = Stream::new(7);
        let before = parent.fork("person", 3).next();
        assert_ne!(before, parent.fork("person", 4).next());
        assert_ne!(before, parent.fork("household", 3).next());
        assert_eq!(before, Stream::new(7).fork("person", 3).next());
        parent.next();
        assert_ne!(before, parent.next());
    }

    #[test]
    fn draws_stay_in_their_range_and_reach_its_ends() {
        let mut stream = Stream::new(1);
        let drawn: std::collections::BTreeSet<i32> = (0..500).map(|_| stream.between(-2, 2)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
        assert_eq!(stream.below(0), 0);
        assert!(stream.pick::<u8>(&[]).is_none());
    }

    #[test]
    fn weight_zero_is_never_drawn() {
        let mut stream = Stream::new(2);
        for _ in 0..200 {
            assert_ne!(stream.weighted(&[0, 1, 5], |w| *w), Some(&0));
        }
        assert_eq!(stream.weighted(&[0, 0], |w| *w), None);
    }
}

//! What a generator decides, as numbers that can be kept, repeated and made smaller.

use fastrand::Rng;

/// How many decisions a random query may take before the rest are the plainest.
const MANY: usize = 400;

/// Decisions in their order. Zero is the plainest of each, and so is what lies beyond the end.
#[derive(Debug)]
pub(super) struct Choices<'n> {
    numbers: &'n [u32],
    next: usize,
}

/// The numbers of one random query.
pub(super) fn random(seed: u64) -> Vec<u32> {
    let mut random = Rng::with_seed(seed);
    (0..random.usize(10..MANY))
        .map(|_| random.u32(..))
        .collect()
}

impl<'n> Choices<'n> {
    pub(super) fn new(numbers: &'n [u32]) -> Self {
        Self { numbers, next: 0 }
    }

    /// One of `0..limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        number as usize % limit.max(1)
    }

    /// True so many times in a hundred.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    pub(super) fn one<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }
}

/// Fewer and smaller numbers for which `fails` still holds.
pub(super) async fn reduced(numbers: Vec<u32>, fails: impl AsyncFn(&[u32]) -> bool) -> Vec<u32> {
    let mut best = numbers;
    loop {
        let before = best.clone();
        let mut chunk = best.len().next_power_of_two();
        while chunk > 0 {
            let mut start = 0;
            while start < best.len() {
                let end = (start + chunk).min(best.len());
                let without = [&best[..start], &best[end..]].concat();
                let mut plain = best.clone();
                plain[start..end].fill(0);
                if fails(&without).await {
                    best = without;
                } else if plain != best && fails(&plain).await {
                    best = plain;
                    start = end;
                } else {
                    start = end;
                }
            }
            chunk /= 2;
        }
        for place in 0..best.len() {
            for smaller in 1..best[place].min(12) {
                let mut other = best.clone();
                other[place] = smaller;
                if fails(&other).await {
                    best = other;
                    break;
                }
            }
        }
        if best == before {
            return best;
        }
    }
}

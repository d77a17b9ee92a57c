//! Seeded numbers: the same parts always give the same stream.

/// A small generator (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// A stream that depends on all of `parts`.
    pub(crate) fn new(parts: &[u64]) -> Self {
        Self(
            parts
                .iter()
                .fold(0x5bd1_e995, |state, part| mix(state ^ mix(*part))),
        )
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 up to, not including, `limit`; 0 if `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A bijection that scatters its input.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A UUID in braces, as the service writes it.
pub(crate) fn uuid(parts: &[u64]) -> String {
    let mut random = Random::new(parts);
    let (a, b) = (random.next(), random.next());
    format!(
        "{{{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}}}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

/// The 40 hexadecimal digits of the commit with this seed.
pub(crate) fn commit_hash(seed: u64) -> String {
    let mut random = Random::new(&[seed, 40]);
    format!(
        "{:016x}{:016x}{:08x}",
        random.next(),
        random.next(),
        random.next() >> 32
    )
}

//! Damaged input for every reader of foreign bytes, in search of a crash, a hang or a memory without bound.
//!
//! The corpus of a reader is what its tests read; a run damages pieces of it at random. It needs no instrumentation, so
//! that it runs on a stable toolchain and on every machine. `cargo x fuzz` starts it; what it finds is kept in
//! `crates/fuzz/found`, and is tried first by every later run and by this crate's tests.

mod mutation;
mod next_link;
mod target;

pub use mutation::Mutator;
pub use target::{TARGETS, Target, found};

#[cfg(test)]
mod tests {
    use super::{Mutator, TARGETS};

    /// A glimpse of what `cargo x fuzz` does for longer, and all that it ever found.
    #[test]
    fn every_reader_survives_damaged_input() {
        for target in TARGETS {
            let corpus = target.inputs();
            assert!(!corpus.is_empty(), "{}", target.name);
            corpus.iter().for_each(|input| (target.read)(input));
            let mut mutator = Mutator::new(17);
            for _ in 0..50 {
                (target.read)(&mutator.mutate(&corpus));
            }
        }
    }
}

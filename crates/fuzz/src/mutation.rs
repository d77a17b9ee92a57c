//! Damage at random, the same for the same seed.

use fastrand::Rng;

/// The longest input, in bytes.
const LONGEST: usize = 64 * 1024;

/// Pieces that readers give a meaning to.
const PIECES: &[&str] = &[
    "\0",
    "\u{feff}",
    "\u{1b}[31m",
    "ü",
    "\u{202e}",
    "'",
    "''",
    "\"",
    "`",
    "[",
    "]",
    "]]",
    "(",
    ")",
    "{",
    "}",
    "{env:A}",
    ";",
    ",",
    "=",
    "--",
    "/*",
    "*/",
    "@a",
    "?",
    "$1",
    ".",
    "..",
    "/",
    "\\",
    "%00",
    "%",
    "&",
    "#",
    "://",
    "@",
    ":",
    "\n",
    "\r\n",
    "-1",
    "0",
    "1e308",
    "9223372036854775808",
    "NaN",
    "null",
    "true",
    "NOT ",
    "CAST(",
    "CASE WHEN ",
    "INTERVAL ",
    " AS ",
    "SELECT ",
    " FROM ",
    "UNION ",
    "WITH ",
    "REPLICATE ",
    "[[",
    "]]\n",
    "= [",
    "\"next\":",
    "\"values\":",
    "\"\\ud800\"",
    "{\"a\":",
    "2026-02-30",
    "file:",
    "env:",
    "password=",
    "token=",
];

/// Makes new inputs of known ones.
#[derive(Debug)]
pub struct Mutator {
    random: Rng,
}

impl Mutator {
    /// One that always does the same with the same seed.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
        }
    }

    /// A damaged input. `corpus` must not be empty.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.one_of(corpus).to_vec();
        for _ in 0..self.random.usize(1..=6) {
            self.damage(&mut input, corpus);
        }
        input.truncate(LONGEST);
        input
    }

    fn one_of<'c>(&mut self, corpus: &'c [Vec<u8>]) -> &'c [u8] {
        &corpus[self.random.usize(..corpus.len())]
    }

    fn damage(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.random.usize(..=input.len());
        match self.random.u8(..8) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.random.u8(..8);
                }
            }
            1 => input.insert(at, self.random.u8(..)),
            2 => input.truncate(at),
            3 => {
                let end = (at + self.random.usize(..32)).min(input.len());
                input.drain(at..end);
            }
            4 => {
                let other = self.one_of(corpus).to_vec();
                let from = self.random.usize(..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            5 => {
                let length = self.random.usize(1..=48).min(input.len() - at);
                let piece = input[at..at + length].repeat(1 << self.random.u8(..8));
                input.splice(at..at, piece);
            }
            _ => {
                let piece = PIECES[self.random.usize(..PIECES.len())];
                // Mostly once, and now and then as deep a nest as there is room for.
                let times = 1 << self.random.u8(..12).saturating_sub(4);
                input.splice(at..at, piece.repeat(times).into_bytes());
            }
        }
        input.truncate(LONGEST);
    }
}

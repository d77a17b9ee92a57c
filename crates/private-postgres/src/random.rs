//! Random bytes.

use std::fs::File;
use std::io::Read;

use crate::Result;

const SOURCE: &str = "/dev/urandom";

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open(SOURCE)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| format!("{SOURCE}: {error}"))?;
    Ok(bytes)
}

/// A password that nobody guesses.
pub(crate) fn password() -> Result<String> {
    let bytes: [u8; 16] = bytes()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

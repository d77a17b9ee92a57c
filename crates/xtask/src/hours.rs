//! `cargo x hours`.

use crate::process::{cargo, run as run_command};
use crate::{Failure, Result};

/// Runs the campaigns of crates/store/src/tests that share an hour and a sign-in among processes that are killed. They
/// read their length from the environment; without options they are as short as in the test suite.
pub(crate) fn run(options: &[&str]) -> Result {
    let options = read(options)?;
    let mut command = cargo(&[
        "test",
        "-p",
        "bucketline-store",
        "--lib",
        "--",
        "--nocapture",
    ]);
    command.args(["tests::hour", "tests::expiries"]);
    command.envs(options);
    run_command(&mut command)
}

/// The options as variables of the environment.
fn read(options: &[&str]) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let name = match *word {
            "--hours" => "HOURS",
            "--kills" => "KILLS",
            "--expiries" => "EXPIRIES",
            _ => return Err(Failure::Usage(format!("`hours` does not take `{word}`"))),
        };
        let value = words.next().copied().unwrap_or_default();
        if value.parse::<u32>().is_err() {
            return Err(Failure::Usage(format!("`{word}` cannot be `{value}`")));
        }
        variables.push((name.to_owned(), value.to_owned()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn options_become_variables() {
        let expected = [("HOURS", "4"), ("KILLS", "8")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = ["--hours", "4", "--kills", "8"];
        assert_eq!(read(&options).ok(), Some(expected.to_vec()));
        for wrong in [&["--hours"][..], &["--hours", "many"], &["--speed", "3"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}

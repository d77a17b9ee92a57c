//! `cargo x crash`.

use crate::process::{cargo, run as run_command};
use crate::{Failure, Result};

/// The options that take a number.
const NUMBERS: [&str; 4] = ["kills", "seed", "minutes", "runs"];

/// Runs the crash campaign of tests/e2e/crash, or those of servers in tests/e2e/serving if the first word is `serve` or
/// `nodes`. They read their options from the environment.
pub(crate) fn run(options: &[&str]) -> Result {
    let (campaign, options) = match options {
        ["serve", options @ ..] => ("serving::kills::campaign", options),
        ["nodes", options @ ..] => ("serving::nodes::campaign", options),
        options => ("crash::campaign", options),
    };
    let options = read(options)?;
    run_command(&mut cargo(&["build", "--workspace", "--bin=bucketline"]))?;
    // The same selection as of all tests: another one is built anew (docs/decisions/0004).
    let mut command = cargo(&["test", "--workspace", "--test=e2e", "--"]);
    command.args(["--ignored", "--exact", campaign, "--nocapture"]);
    command.envs(options);
    run_command(&mut command)
}

/// The options as variables of the environment.
fn read(options: &[&str]) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").unwrap_or_default();
        let value = words.next().copied().unwrap_or_default();
        let fits = match name {
            "destination" => matches!(value, "sqlite" | "postgres"),
            _ if NUMBERS.contains(&name) => value.parse::<u64>().is_ok(),
            _ => return Err(Failure::Usage(format!("`crash` does not take `{word}`"))),
        };
        if !fits {
            return Err(Failure::Usage(format!("`{word}` cannot be `{value}`")));
        }
        variables.push((format!("CRASH_{}", name.to_uppercase()), value.to_owned()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn options_become_variables() {
        let options = ["--kills", "5", "--destination", "sqlite"];
        let expected = [("CRASH_KILLS", "5"), ("CRASH_DESTINATION", "sqlite")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(&options).ok(), Some(expected.to_vec()));
        for wrong in [
            &["--kills"][..],
            &["--kills", "many"],
            &["--destination", "oracle"],
            &["--speed", "3"],
            &["kills", "3"],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}

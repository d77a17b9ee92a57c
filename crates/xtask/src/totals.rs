//! How many tests ran, read from what the runners print.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Totals {
    /// Adds up all closing lines in the output of cargo test or cargo-nextest.
    pub(crate) fn read(output: &str) -> Self {
        let mut totals = Self::default();
        for line in output.lines() {
            let line = without_colours(line);
            let line = line.trim();
            if let Some(counts) = line.strip_prefix("test result: ") {
                totals += Self::counted(counts);
            } else if line.starts_with("Summary [")
                && let Some((_, counts)) = line.split_once("run: ")
            {
                totals += Self::counted(counts);
            }
        }
        totals
    }

    /// Reads such as `11 passed (1 slow), 1 failed, 2 skipped` or `ok. 3 passed; 0 failed; 1 ignored`.
    fn counted(text: &str) -> Self {
        let mut totals = Self::default();
        let words: Vec<&str> = text.split([' ', ',', ';', '(', ')']).collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else {
                continue;
            };
            match pair[1] {
                "passed" => totals.passed += count,
                "failed" | "timed" | "exec" => totals.failed += count,
                "skipped" | "ignored" => totals.skipped += count,
                _ => {}
            }
        }
        totals
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// Drops the escape sequences by which terminals colour text: `ESC [ ... m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn reads_what_the_runners_print() {
        let cases = [
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.2s",
                (3, 0, 1),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                (3, 2, 0),
            ),
            (
                "     Summary [   1.208s] 12 tests run: 11 passed, 1 failed, 2 skipped",
                (11, 1, 2),
            ),
            (
                "     Summary [   1.208s] 1 test run: 1 passed, 0 skipped",
                (1, 0, 0),
            ),
            (
                "     Summary [  65.002s] 7 tests run: 5 passed (2 slow, 1 flaky, 1 leaky), 1 timed out, 1 exec failed, 0 skipped",
                (5, 2, 0),
            ),
            (
                "     Summary [   9.1s] 4/7 tests run: 3 passed, 1 failed, 3 skipped",
                (3, 1, 3),
            ),
            (
                "\u{1b}[32;1m     Summary\u{1b}[0m [   1.2s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, \u{1b}[1m0\u{1b}[0m skipped",
                (2, 0, 0),
            ),
            (
                "running 3 tests\ntest result: ok. 1 passed; 0 failed; 0 ignored\n\ntest result: ok. 2 passed; 0 failed; 5 ignored",
                (3, 0, 5),
            ),
            (
                "test the_test_result ... ok\nassertion: 7 passed, 1 failed",
                (0, 0, 0),
            ),
            ("", (0, 0, 0)),
        ];
        for (output, (passed, failed, skipped)) in cases {
            assert_eq!(
                Totals::read(output),
                Totals {
                    passed,
                    failed,
                    skipped
                },
                "{output}"
            );
        }
    }

    #[test]
    fn prints_the_closing_line() {
        let totals = Totals {
            passed: 1204,
            failed: 0,
            skipped: 2,
        };
        assert_eq!(totals.to_string(), "1204 passed, 0 failed, 2 skipped");
    }
}

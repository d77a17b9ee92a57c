//! The records of the `.slt` files: statements and queries with what they must give.

use crate::{Failure, Result, files, read, root};

/// Fewer would mean that files are lost.
const AT_LEAST: usize = 300;

/// Prints how many there are.
pub(crate) fn check() -> Result {
    let mut records = 0;
    let mut scripts = 0;
    for file in files(&root().join("tests/slt"), "slt")? {
        records += count(&read(&file)?);
        scripts += 1;
    }
    println!("SQL tests: {records} records in {scripts} files");
    if records < AT_LEAST {
        let message = format!("{AT_LEAST} records or more are promised");
        return Err(Failure::Failed(message));
    }
    Ok(())
}

/// A record begins behind an empty line, a comment or the condition under which it is run.
fn count(text: &str) -> usize {
    let begins = |line: &str| line.starts_with("statement ") || line.starts_with("query");
    let before = std::iter::once("").chain(text.lines());
    before
        .zip(text.lines())
        .filter(|(before, line)| {
            let apart = before.trim().is_empty()
                || ["#", "skipif", "onlyif"]
                    .iter()
                    .any(|it| before.starts_with(it));
            apart && begins(line)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn results_are_no_records() {
        let text = "statement ok\nREPLICATE T\n\n# why\nquery T\nSELECT 'query'\n----\nquery\n\nonlyif sqlite\nstatement error\nX\n";
        assert_eq!(count(text), 3);
    }
}

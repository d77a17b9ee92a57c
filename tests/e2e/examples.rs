//! The examples of the library do what they say.

use std::process::Command;

use crate::commands::binary;

/// What an example prints.
fn printed(name: &str) -> String {
    let path = binary().with_file_name("examples").join(name);
    let output = Command::new(&path).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bucketline_is_embedded_in_a_few_lines() {
    let text = printed("embed");
    assert!(
        text.contains("PullRequests: ") && text.contains("Projects: "),
        "{text}"
    );
}

#[test]
fn a_destination_of_ones_own_decides_what_is_written() {
    let text = printed("custom_destination");
    assert!(
        text.contains("copy_Projects: ") && text.contains("refused: "),
        "{text}"
    );
}

#[test]
fn a_table_of_ones_own_is_a_file() {
    let text = printed("custom_table_file");
    assert!(
        text.contains("Tips: ") && text.contains("names of branches"),
        "{text}"
    );
}

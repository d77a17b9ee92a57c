//! What people call connections, jobs and labels: unique, the case of letters apart.

use crate::Problem;
use bucketline_core::code;

/// Characters that a name may have.
const LONGEST: usize = 100;

/// Labels that a thing may have.
const MOST_LABELS: usize = 20;

/// What is wrong with the name at `place`.
pub fn problem(place: &str, name: &str) -> Option<Problem> {
    let message = match name {
        "" => "a name is needed",
        _ if name.trim() != name => "the name begins or ends with a blank",
        _ if name.chars().any(char::is_control) => "the name has a control character",
        _ if name.chars().any(is_invisible) => {
            "the name has a character that nobody sees, or that turns the direction of writing"
        }
        _ if name.chars().count() > LONGEST => "the name is longer than 100 characters",
        _ => return None,
    };
    Some(Problem::new(place, code::model::BAD_NAME, message))
}

/// Whether a character of the category Cf, or one like it, would make a name look like another.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What two names have in common that are the same.
pub fn key(name: &str) -> String {
    name.to_lowercase()
}

/// What is wrong with the field `labels`.
pub(crate) fn label_problems(labels: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if labels.len() > MOST_LABELS {
        problems.push(Problem::new(
            "labels",
            code::model::OUT_OF_RANGE,
            "there are more than 20 labels",
        ));
    }
    for (index, label) in labels.iter().enumerate() {
        let place = format!("labels[{index}]");
        problems.extend(problem(&place, label));
        if labels[..index].iter().any(|other| key(other) == key(label)) {
            problems.push(Problem::new(
                place,
                code::model::GIVEN_TWICE,
                "the label is given twice",
            ));
        }
    }
    problems
}

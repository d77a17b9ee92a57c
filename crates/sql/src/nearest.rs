//! "Did you mean ...?"

/// The candidate most like `word`, if one is near enough to be meant: at most one edit in three
/// characters (insertion, deletion, replacement, swap of neighbours), case apart. The first of
/// several equally near ones wins.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let allowed = (word.len().max(letters.len()) / 3).max(1);
        if word.len().abs_diff(letters.len()) > allowed {
            continue;
        }
        let edits = distance(&word, &letters);
        if edits <= allowed && edits < letters.len() && best.is_none_or(|(least, _)| edits < least)
        {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant() {
        for (word, meant) in [
            ("DropTabel", Some("DropTable")),
            ("droptable", Some("DropTable")),
            ("Truncate", None),
            ("TruncateTables", Some("TruncateTable")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(
                nearest(word, ["DropTable", "TruncateTable"]),
                meant,
                "{word}"
            );
        }
        assert_eq!(nearest("FORM", ["FROM", "FOR"]), Some("FROM"));
        assert_eq!(nearest("a", ["b"]), None);
    }
}

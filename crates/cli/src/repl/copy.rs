//! `\copy`: rows from a file of separated values into a table of one's own, or of a query into a file.

use super::command::path;

/// The statement that `\copy TABLE [(COLUMNS)] FROM FILE [OPTIONS]`, or `\copy TABLE | (QUERY) TO FILE [OPTIONS]`
/// stands for. The options are those of `psql`: `csv`, `header [on|off]`, `delimiter 'C'`.
pub(super) fn statement(text: &str) -> Result<String, String> {
    let usage = || {
        r"\copy is written \copy TABLE FROM FILE, \copy TABLE TO FILE or \copy (SELECT ..) TO FILE"
            .to_owned()
    };
    let words = words(text);
    let is = |word: &&str, name: &str| word.eq_ignore_ascii_case(name);
    let place = words
        .iter()
        .position(|word| is(word, "from") || is(word, "to"))
        .ok_or_else(usage)?;
    let (what, behind) = words.split_at(place);
    let (Some(first), [direction, file, options @ ..]) = (what.first(), behind) else {
        return Err(usage());
    };
    let address = address(file, options)?;
    let what = what.join(" ");
    let query = first.starts_with('(') && words[1..place].is_empty();
    match (is(direction, "from"), query) {
        (true, true) => Err(usage()),
        (true, false) => Ok(format!("INSERT INTO {what} SELECT * FROM {address};")),
        (false, true) => Ok(into(&first[1..first.len() - 1], &address)),
        (false, false) => Ok(format!("SELECT * INTO {address} FROM {what};")),
    }
}

/// The statement that writes the rows of a query to an address, in the query's order.
fn into(query: &str, address: &str) -> String {
    let words = words(query);
    let at = |index: usize| words[index].as_ptr() as usize - query.as_ptr() as usize;
    let is = |index: usize, name: &str| words[index].eq_ignore_ascii_case(name);
    let is_set = |index: &usize| {
        ["UNION", "EXCEPT", "INTERSECT"]
            .iter()
            .any(|name| is(*index, name))
    };
    if (0..words.len()).any(|index| is_set(&index)) {
        // Their order names output columns only, so it may stand outside.
        let order = (0..words.len()).rfind(|index| is(*index, "ORDER"));
        let (rows, order) = query.split_at(order.map_or(query.len(), at));
        return format!(
            "SELECT * INTO {address} FROM ({}) AS copied {order}",
            rows.trim_end()
        )
        .trim_end()
        .to_owned()
            + ";";
    }
    // In `a IS DISTINCT FROM b` it is another word.
    let from = (1..words.len()).find(|index| is(*index, "FROM") && !is(index - 1, "DISTINCT"));
    match from.map(at) {
        Some(from) => format!("{}INTO {address} {};", &query[..from], &query[from..]),
        None => format!("SELECT * INTO {address} FROM ({query}) AS copied;"),
    }
}

/// Where the name of the file begins in a line that goes on until there.
pub(super) fn file_at(text: &str) -> Option<usize> {
    let (before, file) = text.rsplit_once(char::is_whitespace)?;
    let word = words(before).pop()?;
    let leads = word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("to");
    leads.then_some(text.len() - file.len())
}

/// A file and how it is written, as the dialect names it.
fn address(file: &str, options: &[&str]) -> Result<String, String> {
    let file = path(file).display().to_string();
    if file.contains(';') {
        return Err(format!(
            "{file}: the name of a file may have no semicolon here"
        ));
    }
    let mut address = format!("csv://filename={file}");
    let options = options
        .iter()
        .flat_map(|option| option.trim_matches(['(', ')']).split([',', ' ', '=']))
        .filter(|option| !option.is_empty());
    let options: Vec<&str> = options.collect();
    let mut rest = options.iter().peekable();
    while let Some(option) = rest.next() {
        match option.to_ascii_lowercase().as_str() {
            "with" | "csv" | "format" | "as" => {}
            "header" => {
                let given = rest.next_if(|word| is_switch(word));
                let off = given.is_some_and(|word| {
                    ["off", "false", "0"]
                        .iter()
                        .any(|it| word.eq_ignore_ascii_case(it))
                });
                address.push_str(if off { ";header=false" } else { ";header=true" });
            }
            "delimiter" | "delimiters" => {
                rest.next_if(|word| word.eq_ignore_ascii_case("as"));
                let delimiter = rest.next().ok_or(r"\copy: DELIMITER needs a character")?;
                let character = match delimiter.trim_matches(['\'', '"']) {
                    "\\t" | "\t" => "tab",
                    ";" => "semicolon",
                    other => other,
                };
                address.push_str(&format!(";delimiter={character}"));
            }
            _ => {
                return Err(format!(
                    r"\copy has no option {option}; there are csv, header and delimiter"
                ));
            }
        }
    }
    Ok(format!("[{}]", address.replace(']', "]]")))
}

fn is_switch(word: &str) -> bool {
    let words = ["on", "off", "true", "false", "1", "0"];
    words.iter().any(|it| word.eq_ignore_ascii_case(it))
}

/// The words of a line. What stands in quotes, brackets or parentheses is one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut closing: Vec<char> = Vec::new();
    for (at, character) in text.char_indices() {
        let quoted = closing.last().is_some_and(|close| *close != ')');
        if closing.last() == Some(&character) {
            closing.pop();
        } else if !quoted {
            match character {
                '\'' | '"' | '`' => closing.push(character),
                '[' => closing.push(']'),
                '(' => {
                    // A list of columns is a word of its own.
                    if closing.is_empty()
                        && let Some(start) = start.take()
                    {
                        words.push(&text[start..at]);
                    }
                    closing.push(')');
                }
                _ => {}
            }
        }
        match start {
            None if !character.is_whitespace() => start = Some(at),
            Some(from) if character.is_whitespace() && closing.is_empty() => {
                words.push(&text[from..at]);
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|start| &text[start..]));
    words
}

#[cfg(test)]
mod tests {
    use super::{file_at, statement};

    #[test]
    fn a_copy_is_a_statement() {
        for (text, expected) in [
            (
                "teams from teams.csv",
                "INSERT INTO teams SELECT * FROM [csv://filename=teams.csv];",
            ),
            (
                "teams(a, [b c]) FROM 'my teams.csv' WITH (FORMAT csv, HEADER false, DELIMITER ';')",
                "INSERT INTO teams (a, [b c]) SELECT * FROM [csv://filename=my teams.csv;header=false;delimiter=semicolon];",
            ),
            (
                r"PROD.teams from /tmp/a]b.csv csv header delimiter '\t'",
                "INSERT INTO PROD.teams SELECT * FROM [csv://filename=/tmp/a]]b.csv;header=true;delimiter=tab];",
            ),
            (
                "[from] to x.csv",
                "SELECT * INTO [csv://filename=x.csv] FROM [from];",
            ),
            (
                "(SELECT a FROM b WHERE c = ') to ') to 'x.csv' delimiter as '|'",
                "SELECT a INTO [csv://filename=x.csv;delimiter=|] FROM b WHERE c = ') to ';",
            ),
            (
                "(SELECT a IS DISTINCT FROM 1, COUNT(*) FROM b ORDER BY 2) to x.csv",
                "SELECT a IS DISTINCT FROM 1, COUNT(*) INTO [csv://filename=x.csv] FROM b ORDER BY 2;",
            ),
            (
                "(SELECT a FROM b UNION SELECT 1 ORDER BY a DESC) to x.csv",
                "SELECT * INTO [csv://filename=x.csv] FROM (SELECT a FROM b UNION SELECT 1) AS copied ORDER BY a DESC;",
            ),
            (
                "(SELECT 1) to x.csv",
                "SELECT * INTO [csv://filename=x.csv] FROM (SELECT 1) AS copied;",
            ),
        ] {
            assert_eq!(statement(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "teams",
            "teams from",
            "from x.csv",
            "(SELECT 1) from x.csv",
        ] {
            assert!(
                statement(text).unwrap_err().contains("is written"),
                "{text}"
            );
        }
        assert_eq!(
            statement("t from x.csv quote '|'"),
            Err(r"\copy has no option quote; there are csv, header and delimiter".to_owned())
        );
        assert!(statement("t from 'a;b.csv'").is_err());
    }

    #[test]
    fn a_file_stands_behind_its_direction() {
        assert_eq!(file_at("teams from te"), Some(11));
        assert_eq!(file_at("(SELECT 1) TO "), Some(14));
        assert_eq!(file_at("tea"), None);
        assert_eq!(file_at("teams fr"), None);
    }
}

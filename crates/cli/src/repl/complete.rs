//! What can stand where the cursor is.

use bucketline::sql::{Ident, OptionSpec, REPLICATE_OPTIONS, ShowKind, ValueKind};
use bucketline::{ConnectionNames, TableNames, Vocabulary};
use clap::ValueEnum;

use super::entry::command_start;
use super::files;
use super::token::{Kind, Token, tokens};
use crate::arguments::Format;
use crate::escape::is_harmful;

/// The words that begin a statement.
const VERBS: &[&str] = &[
    "CREATE CONNECTION",
    "CREATE TABLE",
    "CREATE VIEW",
    "DELETE FROM",
    "DESCRIBE",
    "DROP CONNECTION",
    "DROP TABLE",
    "DROP VIEW",
    "EXEC",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "INSERT INTO",
    "REPLICATE",
    "RESET",
    "SELECT",
    "SET",
    "SHOW",
    "TEST CONNECTION",
    "TRUNCATE TABLE",
    "UPDATE",
    "USE",
    "WITH",
];

/// The words inside of one.
pub(super) const KEYWORDS: &[&str] = &[
    "ALL",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CONNECTION",
    "CREATE",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXEC",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRIMARY",
    "REPLACE",
    "REPLICATE",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "TEST",
    "THEN",
    "TOP",
    "TRUE",
    "UNION",
    "USE",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The short commands, for who types a backslash.
const COMMANDS: &[&str] = &[
    "\\b", "\\c", "\\copy", "\\d", "\\d+", "\\df", "\\dn", "\\dp", "\\dt", "\\dt+", "\\e", "\\g",
    "\\gx", "\\i", "\\l", "\\o", "\\p", "\\pager", "\\pset", "\\q", "\\r", "\\set", "\\timing",
    "\\unset", "\\watch", "\\x", "\\?",
];

/// The connection whose tables a name alone may mean, too.
const DESTINATION: &str = "destination";

/// The names that are known, and which connection is the current one.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) vocabulary: Vocabulary,
    pub(super) current: String,
}

impl Names {
    /// The names of the tables in a connection; in the current one if there is none of that name.
    pub(super) fn tables(&self, connection: &str) -> Vec<String> {
        let vocabulary = &self.vocabulary;
        let found = find(vocabulary, connection).or_else(|| find(vocabulary, &self.current));
        let tables = found.into_iter().flat_map(|found| &found.tables);
        tables.map(|table| table.name.clone()).collect()
    }
}

/// What a word at the end of `text[..position]` can become, and where it begins.
pub(super) fn complete(text: &str, position: usize, names: &Names) -> (usize, Vec<String>) {
    let before = &text[..position];
    if let Some(start) = command_start(before)
        && !before[start..].contains('\n')
    {
        return command(before, start, names);
    }
    let all = tokens(before);
    if all.last().is_some_and(|token| {
        matches!(token.kind, Kind::Text | Kind::Comment | Kind::Number)
            && token.range.end == position
            && (token.is_open || token.kind == Kind::Number)
    }) {
        return (position, Vec::new());
    }
    let statement = all.split(|token| token.text(before) == ";").next_back();
    let typed: Vec<&Token> = statement
        .unwrap_or_default()
        .iter()
        .filter(|token| !matches!(token.kind, Kind::Blank | Kind::Comment))
        .collect();
    let site = Site::of(before, &typed, position);
    let whole = statement_around(text, position);
    let word = &before[site.start..];
    let mut found = site.candidates(whole, names);
    found.retain(|candidate| !candidate.contains(is_harmful));
    match Quote::of(word) {
        Some(quote) => {
            let is_closed = text[position..].starts_with(quote.close);
            let prefix = word[1..].to_lowercase();
            found.retain(|candidate| !is_keyword(candidate));
            found = found.iter().map(|candidate| plain(candidate)).collect();
            found.retain(|name| name.to_lowercase().starts_with(&prefix));
            found = found
                .iter()
                .map(|name| quote.around(name, is_closed))
                .collect();
        }
        None => {
            let prefix = word.to_lowercase();
            found.retain(|candidate| plain(candidate).to_lowercase().starts_with(&prefix));
        }
    }
    found.retain(|candidate| candidate != word);
    found.sort_by_key(|candidate| candidate.to_lowercase());
    found.dedup();
    (site.start, found)
}

/// What the argument of a command can become, or the command itself.
fn command(before: &str, start: usize, names: &Names) -> (usize, Vec<String>) {
    let typed = &before[start..];
    let Some(end) = typed.find(char::is_whitespace) else {
        let mut found = owned(COMMANDS);
        found.retain(|command| command.starts_with(typed));
        return (start, found);
    };
    let (command, rest) = typed.split_at(end);
    let argument = rest.trim_start();
    let start = before.len() - argument.len();
    // A statement in whose place the argument stands.
    let as_in = |statement: &str| {
        let text = format!("{statement} {argument}");
        let (at, found) = complete(&text, text.len(), names);
        (start + at - (statement.len() + 1), found)
    };
    let words = |words: &[&str]| {
        let mut found = owned(words);
        found.retain(|word| word.starts_with(argument));
        (start, found)
    };
    match command {
        "\\i" | "\\e" | "\\g" | "\\gx" => (start, files::complete(argument)),
        "\\copy" => match super::copy::file_at(argument) {
            Some(at) => (start + at, files::complete(&argument[at..])),
            None => as_in("DESCRIBE"),
        },
        "\\o" => {
            let formats = Format::value_variants().iter().map(|format| format.name());
            let formats = formats.filter(|format| format.starts_with(argument));
            (start, formats.chain(files::complete(argument)).collect())
        }
        "\\d" | "\\d+" | "\\dt" | "\\dt+" => as_in("DESCRIBE"),
        "\\c" => as_in("USE"),
        "\\x" => words(&["auto", "off", "on"]),
        "\\pager" | "\\timing" => words(&["off", "on"]),
        "\\pset" => words(&["expanded", "format", "null", "pager"]),
        _ => (start, Vec::new()),
    }
}

/// The quotes that a name is typed in.
struct Quote {
    open: char,
    close: char,
}

impl Quote {
    fn of(word: &str) -> Option<Self> {
        let open = word.chars().next()?;
        let close = match open {
            '[' => ']',
            '"' | '`' => open,
            _ => return None,
        };
        Some(Self { open, close })
    }

    /// The name in these quotes; without the last one where that is typed already.
    fn around(&self, name: &str, is_closed: bool) -> String {
        let Self { open, close } = self;
        let name = name.replace(*close, &format!("{close}{close}"));
        match is_closed {
            true => format!("{open}{name}"),
            false => format!("{open}{name}{close}"),
        }
    }
}

/// A name without the brackets that it needs.
fn plain(candidate: &str) -> String {
    let inner = candidate
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    inner.map_or_else(|| candidate.to_owned(), |name| name.replace("]]", "]"))
}

/// Where a word is being typed.
struct Site<'t> {
    /// Where the word begins.
    start: usize,
    /// The names before it, up to the last dot.
    qualifier: Vec<&'t str>,
    /// The words before it in its statement, the last of them last.
    words: Vec<String>,
}

impl<'t> Site<'t> {
    fn of(before: &'t str, typed: &[&Token], position: usize) -> Self {
        let mut rest = typed;
        let start = match rest.split_last() {
            Some((last, others)) if last.is_name() && last.range.end == position => {
                rest = others;
                last.range.start
            }
            _ => position,
        };
        let mut qualifier = Vec::new();
        while let [others @ .., name, dot] = rest
            && dot.text(before) == "."
            && name.is_name()
        {
            qualifier.insert(0, name.name(before));
            rest = others;
        }
        let words = rest.iter().map(|token| token.text(before).to_uppercase());
        Self {
            start,
            qualifier,
            words: words.collect(),
        }
    }

    fn candidates(&self, statement: &str, names: &Names) -> Vec<String> {
        match self.qualifier.as_slice() {
            [] => self.unqualified(statement, names),
            [name] => qualified(name, statement, names),
            [connection, _] => match find(&names.vocabulary, connection) {
                Some(connection) => tables(&connection.tables),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn unqualified(&self, statement: &str, names: &Names) -> Vec<String> {
        let vocabulary = &names.vocabulary;
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let connections = || vocabulary.connections.iter().map(|it| quoted(&it.name));
        match words.as_slice() {
            [] | ["EXPLAIN"] | ["EXPLAIN", "ANALYZE"] => owned(VERBS),
            ["SHOW"] => ShowKind::ALL
                .iter()
                .map(|(word, _)| (*word).to_owned())
                .collect(),
            ["SHOW", .., "FROM" | "IN"] if words[1] != "COLUMNS" => connections().collect(),
            ["USE"] => connections().chain([DESTINATION.to_uppercase()]).collect(),
            ["USE", "DESTINATION"] | ["DROP" | "TEST", "CONNECTION"] => connections().collect(),
            ["SET"] => options().collect(),
            ["EXEC" | "EXECUTE"] => vocabulary.procedures.clone(),
            [.., option, "="] if self.takes_options() => values(option),
            [.., "WITH" | ","] if self.takes_options() => options().collect(),
            [
                ..,
                "FROM" | "JOIN" | "REPLICATE" | "DESCRIBE" | "DESC" | "AGAINST",
            ] => {
                let current = find(vocabulary, &names.current);
                let copies = find(vocabulary, DESTINATION).filter(|_| names.current != DESTINATION);
                let there = current.into_iter().chain(copies);
                let first = there.flat_map(|connection| tables(&connection.tables));
                let schemas = current
                    .iter()
                    .flat_map(|it| &it.schemas)
                    .map(|it| quoted(it));
                let system = tables(&vocabulary.system_tables);
                let all = first.chain(connections()).chain(schemas);
                all.chain(system).collect()
            }
            _ => {
                let mentioned = mentioned(statement);
                let columns = mentioned
                    .iter()
                    .flat_map(|mention| columns(&mention.table, vocabulary));
                let functions = vocabulary.functions.iter().cloned();
                columns.chain(functions).chain(owned(KEYWORDS)).collect()
            }
        }
    }

    /// Whether options are given here: in SET, and behind the last WITH of a REPLICATE.
    fn takes_options(&self) -> bool {
        match self.words.first().map(String::as_str) {
            Some("SET") => true,
            Some("REPLICATE") => {
                let behind = self.words.iter().rposition(|word| word == "WITH");
                behind.is_some_and(|at| self.words[at..].iter().all(|word| word != "SELECT"))
            }
            _ => false,
        }
    }
}

/// What follows `name.`: the columns of a table or its alias, or what is in a connection or schema.
fn qualified(name: &str, statement: &str, names: &Names) -> Vec<String> {
    let vocabulary = &names.vocabulary;
    let mentioned = mentioned(statement);
    let is_meant = |mention: &&Mention| mention.is_called(name);
    if let Some(mention) = mentioned.iter().find(is_meant) {
        return columns(&mention.table, vocabulary).collect();
    }
    if let Some(connection) = find(vocabulary, name) {
        let schemas = connection.schemas.iter().map(|it| quoted(it));
        return tables(&connection.tables)
            .into_iter()
            .chain(schemas)
            .collect();
    }
    let current = find(vocabulary, &names.current);
    let has_schema = |connection: &&ConnectionNames| {
        let mut schemas = connection.schemas.iter();
        schemas.any(|schema| schema.eq_ignore_ascii_case(name))
    };
    current
        .filter(has_schema)
        .map(|connection| tables(&connection.tables))
        .unwrap_or_default()
}

/// A table that a statement names.
struct Mention {
    table: String,
    alias: Option<String>,
}

impl Mention {
    fn is_called(&self, name: &str) -> bool {
        let called = self.alias.as_ref().unwrap_or(&self.table);
        called.eq_ignore_ascii_case(name)
    }
}

/// The tables behind FROM and JOIN.
fn mentioned(statement: &str) -> Vec<Mention> {
    let all = tokens(statement);
    let mut rest = all
        .iter()
        .filter(|token| !matches!(token.kind, Kind::Blank | Kind::Comment))
        .peekable();
    let mut mentioned = Vec::new();
    while let Some(token) = rest.next() {
        let word = token.text(statement);
        if !["FROM", "JOIN"]
            .iter()
            .any(|it| it.eq_ignore_ascii_case(word))
        {
            continue;
        }
        let mut table = None;
        while let Some(name) = rest.next_if(|token| token.is_name()) {
            table = Some(name.name(statement).to_owned());
            if rest.next_if(|token| token.text(statement) == ".").is_none() {
                break;
            }
            // What is named so far is a connection or schema.
            table = None;
        }
        let Some(table) = table else { continue };
        rest.next_if(|token| token.text(statement).eq_ignore_ascii_case("AS"));
        let alias = rest.next_if(|token| token.is_name() && !is_keyword(token.text(statement)));
        mentioned.push(Mention {
            table,
            alias: alias.map(|alias| alias.name(statement).to_owned()),
        });
    }
    mentioned
}

/// The statement that the cursor is in.
fn statement_around(text: &str, position: usize) -> &str {
    let ends = tokens(text)
        .into_iter()
        .filter(|token| token.text(text) == ";")
        .map(|token| token.range.start);
    let (mut start, mut end) = (0, text.len());
    for at in ends {
        if at < position {
            start = at + 1;
        } else {
            end = end.min(at);
        }
    }
    &text[start..end]
}

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}

fn find<'v>(vocabulary: &'v Vocabulary, connection: &str) -> Option<&'v ConnectionNames> {
    let mut all = vocabulary.connections.iter();
    all.find(|known| known.name.eq_ignore_ascii_case(connection))
}

fn columns(table: &str, vocabulary: &Vocabulary) -> impl Iterator<Item = String> {
    let connections = vocabulary.connections.iter();
    let all = connections.flat_map(|connection| &connection.tables);
    let mut all = all.chain(&vocabulary.system_tables);
    let found = all.find(|known| known.name.eq_ignore_ascii_case(table));
    let columns = found.into_iter().flat_map(|known| &known.columns);
    columns.map(|it| quoted(it)).collect::<Vec<_>>().into_iter()
}

fn tables(tables: &[TableNames]) -> Vec<String> {
    tables.iter().map(|table| quoted(&table.name)).collect()
}

fn options() -> impl Iterator<Item = String> {
    REPLICATE_OPTIONS.iter().map(|spec| spec.text.to_owned())
}

/// What an option may be.
fn values(option: &str) -> Vec<String> {
    match OptionSpec::find(option).map(|spec| spec.kind) {
        Some(ValueKind::Bool) => owned(&["TRUE", "FALSE"]),
        Some(ValueKind::Choice(words)) => owned(words),
        _ => Vec::new(),
    }
}

fn quoted(name: &str) -> String {
    Ident::new(name).to_string()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use bucketline::{ConnectionNames, TableNames, Vocabulary};

    use super::{Names, complete};

    fn table(name: &str, columns: &[&str]) -> TableNames {
        TableNames {
            name: name.to_owned(),
            columns: columns.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    fn names() -> Names {
        let connection = |name: &str, schemas: &[&str], tables| ConnectionNames {
            name: name.to_owned(),
            schemas: schemas.iter().map(|it| (*it).to_owned()).collect(),
            tables,
        };
        let source = || {
            vec![
                table("Issues", &["Id", "Title", "UpdatedOn"]),
                table("Projects", &["Key"]),
            ]
        };
        Names {
            vocabulary: Vocabulary {
                connections: vec![
                    connection("prod", &["Information", "my repo"], source()),
                    connection(
                        "destination",
                        &[],
                        vec![table("acme_Issues", &["Id", "Extra"])],
                    ),
                ],
                system_tables: vec![table("sys_tables", &["TableName"])],
                functions: vec!["UPPER".to_owned()],
                procedures: vec!["GetOAuthAccessToken".to_owned()],
            },
            current: "prod".to_owned(),
        }
    }

    /// Completions of a text at its `|`.
    fn at(text: &str) -> Vec<String> {
        let position = text.find('|').unwrap();
        complete(&text.replace('|', ""), position, &names()).1
    }

    #[test]
    fn words_become_what_can_stand_there() {
        for (text, expected) in [
            ("REPL|", &["REPLICATE"][..]),
            ("SELECT 1; te|", &["TEST CONNECTION"]),
            ("EXPLAIN RE|", &["REPLICATE", "RESET"]),
            ("REPLICATE is|", &["Issues"]),
            ("SELECT * FROM I|", &["Information", "Issues"]),
            ("SELECT * FROM prod.iss|", &["Issues"]),
            ("SELECT * FROM prod.my|", &["[my repo]"]),
            ("SELECT * FROM prod.[my repo].P|", &["Projects"]),
            ("SELECT * FROM Information.pro|", &["Projects"]),
            ("SELECT * FROM destination.|", &["acme_Issues"]),
            ("SELECT tit| FROM Issues", &["Title"]),
            ("SELECT i.u| FROM prod.Issues AS i", &["UpdatedOn"]),
            ("SELECT TableN| FROM sys_tables", &["TableName"]),
            ("SELECT upp|", &["UPPER"]),
            ("SELECT * FROM Issues WHER|", &["WHERE"]),
            (
                "REPLICATE Issues WITH Drop|",
                &["DropMissingRepositories", "DropTable"],
            ),
            ("REPLICATE Issues WITH DropTable, Skip|", &["SkipDeleted"]),
            ("REPLICATE Issues WITH DeleteOption = So|", &["SoftDelete"]),
            ("SET Table|", &["TableNamePrefix"]),
            ("SET DropTable = |", &["FALSE", "TRUE"]),
            ("USE |", &["destination", "DESTINATION", "prod"]),
            ("USE DESTINATION p|", &["prod"]),
            ("DROP CONNECTION p|", &["prod"]),
            ("SHOW CON|", &["CONNECTIONS"]),
            ("SHOW TABLES FROM d|", &["destination"]),
            ("EXEC get|", &["GetOAuthAccessToken"]),
            ("SELECT * FROM prod.[my r|", &["[my repo]"]),
            ("SELECT * FROM prod.[my r|]", &["[my repo"]),
            ("SELECT * FROM [Iss|", &["[Issues]"]),
            ("SELECT * FROM \"iss|\"", &["\"Issues"]),
            ("SELECT [Upd|] FROM Issues", &["[UpdatedOn"]),
            ("SELECT [fro| FROM Issues", &[]),
            ("\\d Iss|", &["Issues"]),
            ("\\d prod.[my |", &["[my repo]"]),
            ("\\c pr|", &["prod"]),
            ("\\x a|", &["auto"]),
            ("\\o ndj|", &["ndjson"]),
            ("\\wat|", &["\\watch"]),
            ("SELECT 1 \\wat|", &["\\watch"]),
            ("SELECT 'Iss|", &[]),
            ("SELECT 1 -- Iss|", &[]),
        ] {
            assert_eq!(at(text), expected, "{text}");
        }
    }

    #[test]
    fn any_text_is_answered() {
        let text = "SELECT a.b, 'c''d' FROM [x y].\"z\" AS ä JOIN (SELECT 1); SET = ;;";
        for (position, _) in text.char_indices() {
            complete(text, position, &names());
        }
    }
}

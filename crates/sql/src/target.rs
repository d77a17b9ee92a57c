//! Files that a query is written into, `INTO csv://rows.csv;delimiter=tab`, or reads: `FROM csv://rows.csv`.

use crate::error::refused;
use sqlparser::tokenizer::Token;

use crate::lexer::Lexeme;
use crate::{Error, Span, code};

const SCHEME: &str = "csv://";

/// A file of separated values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvTarget {
    /// Its path, as it was written.
    pub path: String,
    /// What stands between two values.
    pub delimiter: char,
    /// Its first line has the names of the columns.
    pub header: bool,
}

impl CsvTarget {
    /// Reads an address; `None` if it is none of a file.
    pub fn read(address: &str, span: Span) -> Option<Result<Self, Error>> {
        let scheme = address.get(..SCHEME.len())?;
        scheme
            .eq_ignore_ascii_case(SCHEME)
            .then(|| Self::of_properties(&address[SCHEME.len()..], span))
    }

    fn of_properties(properties: &str, span: Span) -> Result<Self, Error> {
        let failed = |message: String| {
            refused(code::BAD_TARGET, message, span)
                .with_hint("INTO csv://filename=rows.csv;delimiter=tab")
        };
        let mut path = None;
        let mut delimiter = ',';
        let mut header = true;
        for (index, property) in properties.split(';').enumerate() {
            match property.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("filename") => {
                    path = Some(value);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("delimiter") => {
                    delimiter = read_delimiter(value)
                        .ok_or_else(|| failed(format!("`{value}` is no delimiter")))?;
                }
                Some((name, value)) if name.eq_ignore_ascii_case("header") => {
                    header = match value.to_ascii_lowercase().as_str() {
                        "true" | "yes" | "1" => true,
                        "false" | "no" | "0" => false,
                        _ => return Err(failed(format!("header is TRUE or FALSE, not `{value}`"))),
                    };
                }
                _ if index == 0 => path = Some(property),
                _ => return Err(failed(format!("a file has no property `{property}`"))),
            }
        }
        let path = path.map(str::trim).filter(|path| !path.is_empty());
        let path = path.ok_or_else(|| failed("the file has no name".to_owned()))?;
        Ok(Self {
            path: path.to_owned(),
            delimiter,
            header,
        })
    }
}

fn read_delimiter(value: &str) -> Option<char> {
    const NAMES: &[(&str, char)] = &[
        ("tab", '\t'),
        ("comma", ','),
        ("semicolon", ';'),
        ("pipe", '|'),
        ("space", ' '),
    ];
    let named = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value));
    let mut characters = value.chars();
    match (named, characters.next(), characters.next()) {
        (Some((_, delimiter)), _, _) => Some(*delimiter),
        (None, Some(delimiter), None) if !matches!(delimiter, '"' | '\r' | '\n') => Some(delimiter),
        _ => None,
    }
}

/// Makes one name of an address without quotes behind INTO, FROM or JOIN, its properties behind semicolons included.
/// `text` begins at `base` of the one that the tokens are places of.
pub(crate) fn join_addresses(text: &str, base: usize, lexemes: Vec<Lexeme>) -> Vec<Lexeme> {
    if !(1..lexemes.len()).any(|index| address(&lexemes, index).is_some()) {
        return lexemes;
    }
    let mut joined: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    let mut index = 0;
    while index < lexemes.len() {
        let end = address(&lexemes, index);
        let mut lexeme = lexemes[index].clone();
        if let Some(end) = end {
            lexeme.span = lexeme.span.to(lexemes[end - 1].span);
            let stretch = lexeme.span.start.offset - base..lexeme.span.end.offset - base;
            lexeme.token = Token::make_word(&text[stretch], Some('['));
        }
        joined.push(lexeme);
        index = end.unwrap_or(index + 1);
    }
    joined
}

/// Whether a token behind a semicolon may go on with an address.
pub(crate) fn goes_on_address(lexeme: &Lexeme) -> bool {
    let named = ["filename", "delimiter", "header"];
    !lexeme.spaced && named.iter().any(|name| lexeme.is_word(name))
}

/// The end of an address that begins at a token.
fn address(lexemes: &[Lexeme], index: usize) -> Option<usize> {
    let [before, scheme, colon, slash, _, ..] = &lexemes[index.checked_sub(1)?..] else {
        return None;
    };
    let words = ["INTO", "FROM", "JOIN"];
    let begins = words.iter().any(|word| before.is_word(word))
        && scheme.is_word("csv")
        && colon.token == Token::Colon
        && slash.token == Token::Div;
    let touches = |at: usize| lexemes.get(at).is_some_and(|lexeme| !lexeme.spaced);
    let property = |at: usize| {
        touches(at)
            && goes_on_address(&lexemes[at])
            && lexemes
                .get(at + 1)
                .is_some_and(|lexeme| lexeme.token == Token::Eq)
    };
    if !begins {
        return None;
    }
    let mut end = index + 1;
    let ends = |at: usize| match lexemes[at].token {
        Token::RParen => true,
        Token::SemiColon => !property(at + 1),
        _ => false,
    };
    while touches(end) && !ends(end) {
        end += 1;
    }
    Some(end)
}

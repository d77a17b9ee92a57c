//! Tokens to statements.

mod cache;
mod connection;
mod cursor;
mod own;
mod query;
mod replicate;
mod session;
mod write;

use crate::error::refused;
use sqlparser::tokenizer::Token;

pub(crate) use self::cursor::Cursor;
use crate::lexer::{Cut, Lexeme, split, tokenize, tokenize_in_parts};
use crate::parameter::Binder;
use crate::{
    BucketlineDialect, Error, Given, Located, Parameters, Position, Span, Statement, code, nearest,
    nesting,
};

/// Reads a script: one entry for each statement, in order. Empty statements are skipped; the last
/// semicolon may be missing.
///
/// If the text cannot be cut into tokens up to its end (a string, comment or bracket is open), the
/// last entry is that error, and what stands before it in the same statement is not reported. Parameters stay
/// without values.
pub fn parse_script(text: &str) -> Vec<Result<Located, Error>> {
    parse_bound(text, Binder::new(None))
}

/// As [`parse_script`], with values in place of parameters and variables. One without a value is an error.
pub fn parse_script_with(text: &str, parameters: &Parameters) -> Vec<Result<Located, Error>> {
    parse_bound(text, Binder::new(Some(parameters)))
}

fn parse_bound(text: &str, mut binder: Binder<'_>) -> Vec<Result<Located, Error>> {
    let mut parsed = Vec::new();
    parse_each(text, &mut binder, |read| {
        parsed.push(read.map(|(located, _)| located));
    });
    parsed
}

/// A statement in its script: where it stands, semicolon included, and how many `?` are before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) start: Position,
    pub(crate) end: usize,
    pub(crate) passed: usize,
    /// Whether it has parameters that the script computes before it.
    pub(crate) awaits: bool,
}

/// Reads a script statement by statement, and holds a few at a time.
pub(crate) fn parse_each(
    text: &str,
    binder: &mut Binder<'_>,
    mut take: impl FnMut(Result<(Located, Stretch), Error>),
) {
    nesting::with_stack(|| {
        tokenize_in_parts(text, Position::START, |lexemes, error| {
            let mut cuts = split(&lexemes);
            if error.is_some() {
                cuts.retain(|cut| cut.terminated);
            }
            for cut in cuts {
                let passed = binder.passed();
                let parsed = parse_cut(cut, binder);
                let stretch = Stretch {
                    start: cut.lexemes[0].span.start,
                    end: cut.end.end.offset,
                    passed,
                    awaits: binder.awaits(),
                };
                take(parsed.map(|located| (located, stretch)));
            }
            if let Some(error) = error {
                take(Err(error));
            }
        });
    });
}

/// Reads one statement of a script again, of which this is the text.
pub(crate) fn parse_stretch(
    written: &str,
    stretch: &Stretch,
    binder: &mut Binder<'_>,
) -> Result<Located, Error> {
    let mut parsed = None;
    nesting::with_stack(|| {
        tokenize_in_parts(written, stretch.start, |lexemes, _| {
            parsed = split(&lexemes).first().map(|cut| parse_cut(*cut, binder));
        });
    });
    parsed.unwrap_or_else(|| {
        let end = Span::point(stretch.start);
        Err(refused(code::UNEXPECTED_END, "there is no statement", end))
    })
}

/// Reads a text that is exactly one statement, with or without its semicolon.
pub fn parse_statement(text: &str) -> Result<Located, Error> {
    let (lexemes, error) = tokenize(text);
    if let Some(error) = error {
        return Err(error);
    }
    nesting::with_stack(|| one_of(text, &lexemes))
}

fn one_of(text: &str, lexemes: &[Lexeme]) -> Result<Located, Error> {
    match split(lexemes).as_slice() {
        [] => {
            let end = Span::point(Position::at(text, text.len()));
            Err(refused(code::UNEXPECTED_END, "there is no statement", end))
        }
        [cut] => parse_cut(*cut, &mut Binder::new(None)),
        [first, second, ..] => {
            parse_cut(*first, &mut Binder::new(None))?;
            let span = second.lexemes[0].span;
            Err(refused(
                code::UNEXPECTED_TOKEN,
                "one statement is enough here",
                span,
            ))
        }
    }
}

/// Whether `text` would go on: its last statement has no semicolon yet, or a string, comment or
/// quoted name is open. A text without any statement is finished.
pub fn is_unfinished(text: &str) -> bool {
    let (lexemes, error) = tokenize(text);
    match error {
        Some(error) => error.code() == code::UNTERMINATED,
        None => split(&lexemes).last().is_some_and(|last| !last.terminated),
    }
}

fn parse_cut(cut: Cut<'_>, binder: &mut Binder<'_>) -> Result<Located, Error> {
    let lexemes = binder.bind(cut.lexemes)?;
    nesting::check(&lexemes)?;
    let dialect = BucketlineDialect::for_tokens(lexemes.len());
    let mut cursor = Cursor::new(&lexemes, cut.end, &dialect);
    let statement = cursor.statement()?;
    cursor.expect_end()?;
    let located = Located {
        statement,
        span: cursor.span_from(0),
    };
    if let Statement::SetParameter(set) = &located.statement {
        match &set.value {
            Given::Value(value) if !binder.awaits() => binder.set(&set.name.text, value.into()),
            _ => binder.set_later(&set.name.text),
        }
    }
    Ok(located)
}

/// The words that begin a statement.
const FIRST_WORDS: &[&str] = &[
    "REPLICATE",
    "CHECKCACHE",
    "CACHE",
    "GETDELETED",
    "EXEC",
    "EXECUTE",
    "USE",
    "SET",
    "RESET",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "EXPLAIN",
    "SELECT",
    "WITH",
    "VALUES",
    "CREATE",
    "DROP",
    "TRUNCATE",
    "TEST",
    "INSERT",
    "UPSERT",
    "UPDATE",
    "DELETE",
];

impl Cursor<'_> {
    /// Reads one statement of any kind.
    pub(crate) fn statement(&mut self) -> Result<Statement, Error> {
        let Some(first) = self.peek() else {
            return Err(self.unexpected("a statement"));
        };
        if first.token == Token::LParen {
            return Ok(Statement::Query(self.query()?));
        }
        let word = first.bare_word().unwrap_or_default().to_ascii_uppercase();
        let unknown = |message: String| refused(code::UNKNOWN_STATEMENT, message, first.span);
        match word.as_str() {
            "SELECT" | "WITH" | "VALUES" => Ok(Statement::Query(self.query_with_target()?)),
            "REPLICATE" => self.replicate(),
            "CHECKCACHE" => self.check_cache(),
            "CACHE" => self.cache(),
            "GETDELETED" => self.get_deleted(),
            "EXEC" | "EXECUTE" => self.execute(),
            "USE" => self.use_connection(),
            "SET" => self.set(),
            "RESET" => self.reset(),
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" => self.describe(),
            "EXPLAIN" => self.explain(),
            "CREATE" => self.create(),
            "DROP" => self.drop_object(),
            "TRUNCATE" => self.truncate(),
            "TEST" => self.test_connection(),
            "INSERT" | "UPSERT" => self.insert(),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "" => Err(unknown(format!("{} begins no statement", first.describe()))
                .with_hint("statements begin with a word such as REPLICATE or SELECT")),
            _ => {
                let error = unknown(format!("{} begins no statement", first.describe()));
                Err(match nearest(&word, FIRST_WORDS.iter().copied()) {
                    Some(meant) => error.with_hint(format!("did you mean `{meant}`?")),
                    None => error.with_hint(format!("a statement begins with one of {}", {
                        FIRST_WORDS.join(", ")
                    })),
                })
            }
        }
    }
}

//! Limits on the shape of a statement, checked on its tokens: `sqlparser` recurses, and reads some parts twice.

use crate::error::refused;
use sqlparser::tokenizer::Token;

use crate::lexer::Lexeme;
use crate::{Error, code};

/// How many expressions, queries and the like may stand within one another.
pub(crate) const DEEPEST: usize = 128;

/// Bytes of stack for the deepest statement in a debug build.
const STACK: usize = 32 << 20;

/// Calls `read` with enough stack for what [`check`] let pass, on whichever thread: those of an embedding program have
/// 2 MiB.
pub(crate) fn with_stack<T>(read: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STACK, STACK, read)
}

/// `1 + 1 + ...` is as deep a tree as it is long, and walking or dropping it recurses. The limits are far below what
/// overflows 2 MiB of stack in a debug build.
const MOST_OPERATORS: usize = 20_000;
const MOST_SET_OPERATIONS: usize = 80;

/// Each takes several KiB.
const MOST_QUERIES: usize = 5_000;

/// How many tokens may be read more than once.
const MOST_REREAD: usize = 1_000_000;

/// What has been seen since the last opening parenthesis, and before it in those around.
#[derive(Clone, Copy)]
struct Level {
    /// How often the parser may read what stands here.
    readings: usize,
    /// Operators outside of it.
    around: usize,
    operators: usize,
    set_operations: usize,
}

/// Refuses what is nested too deeply, and chains of operators that are too long.
pub(crate) fn check(lexemes: &[Lexeme]) -> Result<(), Error> {
    let mut level = Level {
        readings: 1,
        around: 0,
        operators: 0,
        set_operations: 0,
    };
    let mut outer = Vec::new();
    let mut reread = 0;
    let mut in_a_row = 0;
    let mut arrays = 0;
    let mut periods = 0;
    let mut queries = 0;
    for (index, lexeme) in lexemes.iter().enumerate() {
        if lexeme.token != Token::LParen {
            in_a_row = 0;
        }
        match &lexeme.token {
            Token::LParen => {
                in_a_row += 1;
                outer.push(level);
                level.around = level.operators;
                if begins_query(lexemes.get(index + 1)) {
                    // Each of them but the last may begin a join as well, which is tried next.
                    level.readings = level.readings.saturating_mul(in_a_row);
                }
            }
            Token::RParen => level = outer.pop().unwrap_or(level),
            Token::Comma => level.operators = level.around,
            Token::Lt if index > 0 && lexemes[index - 1].is_word("ARRAY") => arrays += 1,
            Token::Word(_) if lexeme.is_word("ARRAY") => {}
            Token::Word(_) if is_one_of(lexeme, SET_OPERATIONS) => {
                level.operators = level.around;
                level.set_operations += 1;
            }
            token if is_operator(token) || is_one_of(lexeme, OPERATORS) => level.operators += 1,
            _ => arrays = 0,
        }
        queries += usize::from(lexeme.is_word("SELECT"));
        match &lexeme.token {
            Token::Period => periods += 1,
            Token::Word(_) => {}
            _ => periods = 0,
        }
        reread += level.readings - 1;
        if outer.len() + arrays + periods > DEEPEST || reread > MOST_REREAD {
            return Err(refused(code::TOO_DEEP, "nested too deeply", lexeme.span)
                .with_hint("split it, for example with WITH"));
        }
        let most = match level {
            _ if level.operators > MOST_OPERATORS => MOST_OPERATORS,
            _ if level.set_operations > MOST_SET_OPERATIONS => MOST_SET_OPERATIONS,
            _ if queries > MOST_QUERIES => {
                let message = format!("more than {MOST_QUERIES} queries in one statement");
                return Err(refused(code::TOO_DEEP, message, lexeme.span)
                    .with_hint("split it into several"));
            }
            _ => continue,
        };
        let message = format!("more than {most} operators in one statement");
        return Err(refused(code::TOO_DEEP, message, lexeme.span)
            .with_hint("split it, or use a list: `IN (...)`"));
    }
    Ok(())
}

fn begins_query(first: Option<&Lexeme>) -> bool {
    first.is_some_and(|lexeme| is_one_of(lexeme, &["SELECT", "WITH", "VALUES"]))
}

const SET_OPERATIONS: &[&str] = &["UNION", "EXCEPT", "INTERSECT", "MINUS"];

/// The words among the operators that join two expressions, or follow one.
const OPERATORS: &[&str] = &[
    "AND", "AT", "BETWEEN", "COLLATE", "DIV", "GLOB", "ILIKE", "IN", "IS", "ISNULL", "LIKE",
    "MATCH", "MEMBER", "NOTNULL", "OPERATOR", "OR", "OVERLAPS", "REGEXP", "RLIKE", "SIMILAR",
    "XOR",
];

fn is_one_of(lexeme: &Lexeme, words: &[&str]) -> bool {
    lexeme
        .bare_word()
        .is_some_and(|word| words.iter().any(|other| other.eq_ignore_ascii_case(word)))
}

/// Whether the token may join two expressions.
fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_)
            | Token::AtSign
            | Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Period
    )
}

//! The items of a SELECT list as they were written.

use std::ops::Range;

use sqlparser::tokenizer::Token;

use crate::lexer::Lexeme;

/// The words that end a list.
const ENDS: &[&str] = &[
    "FROM",
    "INTO",
    "WHERE",
    "GROUP",
    "HAVING",
    "QUALIFY",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
];

/// The tokens of each item behind the SELECT that has number `select`.
pub(crate) fn items(lexemes: &[Lexeme], select: usize) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    let mut start = first_item(lexemes, select + 1);
    let mut depth = 0;
    let mut index = start;
    while let Some(lexeme) = lexemes.get(index) {
        match lexeme.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => break,
            Token::RParen => depth -= 1,
            Token::Comma if depth == 0 => {
                items.push(start..index);
                start = index + 1;
            }
            Token::Word(_) if depth == 0 && ends(lexemes, index) => break,
            _ => {}
        }
        index += 1;
    }
    items.push(start..index);
    items
}

/// Behind DISTINCT, ALL and `TOP n`.
fn first_item(lexemes: &[Lexeme], mut index: usize) -> usize {
    let word = |index: usize, word: &str| lexemes.get(index).is_some_and(|it| it.is_word(word));
    loop {
        if word(index, "DISTINCT") && word(index + 1, "ON") {
            index = behind_parentheses(lexemes, index + 2);
        } else if word(index, "DISTINCT") || word(index, "ALL") {
            index += 1;
        } else if word(index, "TOP") && !is_operand(lexemes.get(index + 1)) {
            return index;
        } else if word(index, "TOP") {
            index = behind_parentheses(lexemes, index + 1);
        } else {
            return index;
        }
    }
}

/// Whether TOP is a keyword before it.
fn is_operand(lexeme: Option<&Lexeme>) -> bool {
    lexeme.is_some_and(|it| {
        it.written.is_some() || matches!(it.token, Token::Number(..) | Token::LParen)
    })
}

/// Behind the token with number `index`, or behind the parentheses that it opens.
fn behind_parentheses(lexemes: &[Lexeme], mut index: usize) -> usize {
    let mut depth = 0;
    while let Some(lexeme) = lexemes.get(index) {
        index += 1;
        match lexeme.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            break;
        }
    }
    index
}

fn ends(lexemes: &[Lexeme], index: usize) -> bool {
    let is = |word: &str| lexemes[index].is_word(word);
    let before = |word: &str| index > 0 && lexemes[index - 1].is_word(word);
    let behind = |token: &Token| index > 0 && &lexemes[index - 1].token == token;
    let opens = lexemes
        .get(index + 1)
        .is_some_and(|next| next.token == Token::LParen);
    // `a IS DISTINCT FROM b`, `LISTAGG(a) WITHIN GROUP (..)`, `a.limit` and `* EXCEPT (a)` go on.
    let goes_on = is("FROM") && before("DISTINCT")
        || is("GROUP") && before("WITHIN")
        || is("EXCEPT") && behind(&Token::Mul) && opens
        || behind(&Token::Period);
    ENDS.iter().any(|word| is(word)) && !goes_on
}

//! Text of `q` to an expression.

use super::Refused;
use crate::clock::Timestamp;

/// A filter as written, fields not yet looked up.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Compare {
        path: Vec<String>,
        operator: Operator,
        value: Literal,
    },
    In {
        path: Vec<String>,
        negated: bool,
        values: Vec<Literal>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Contains,
    NotContains,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(f64),
    Time(Timestamp),
    Bool(bool),
    Null,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Operator(Operator),
    Open,
    Close,
    Comma,
}

/// Nesting beyond this is refused rather than followed.
const MAX_DEPTH: usize = 64;

/// Parses a whole expression.
pub(super) fn parse(text: &str) -> Result<Expression, Refused> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    let expression = parser.either(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(token) => Err(unexpected(token)),
    }
}

fn refused(why: impl std::fmt::Display) -> Refused {
    Refused(format!("Invalid query: {why}"))
}

fn unexpected(token: &Token) -> Refused {
    let shown = match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => format!("\"{text}\""),
        Token::Operator(_) => "operator".to_owned(),
        Token::Open => "(".to_owned(),
        Token::Close => ")".to_owned(),
        Token::Comma => ",".to_owned(),
    };
    refused(format_args!("unexpected {shown}"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Refused> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&first) = chars.peek() {
        match first {
            ' ' | '\t' | '\r' | '\n' => {
                chars.next();
            }
            '(' | ')' | ',' => {
                chars.next();
                tokens.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
            }
            '"' => {
                chars.next();
                tokens.push(Token::Text(quoted(&mut chars)?));
            }
            '=' | '~' => {
                chars.next();
                tokens.push(Token::Operator(if first == '=' {
                    Operator::Equal
                } else {
                    Operator::Contains
                }));
            }
            '!' => {
                chars.next();
                tokens.push(Token::Operator(match chars.next() {
                    Some('=') => Operator::NotEqual,
                    Some('~') => Operator::NotContains,
                    _ => return Err(refused("`!` must be followed by `=` or `~`")),
                }));
            }
            '<' | '>' => {
                chars.next();
                let equal = chars.next_if_eq(&'=').is_some();
                tokens.push(Token::Operator(match (first, equal) {
                    ('<', false) => Operator::Less,
                    ('<', true) => Operator::LessOrEqual,
                    (_, false) => Operator::Greater,
                    (_, true) => Operator::GreaterOrEqual,
                }));
            }
            _ => {
                let mut word = String::new();
                while let Some(next) = chars
                    .next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '+' | '-'))
                {
                    word.push(next);
                }
                if word.is_empty() {
                    return Err(refused(format_args!("unexpected character {first}")));
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn quoted(chars: &mut impl Iterator<Item = char>) -> Result<String, Refused> {
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err(refused("unterminated string")),
            Some('"') => return Ok(text),
            Some('\\') => match chars.next() {
                Some(escaped @ ('"' | '\\')) => text.push(escaped),
                Some(other) => text.extend(['\\', other]),
                None => return Err(refused("unterminated string")),
            },
            Some(other) => text.push(other),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<&'a Token, Refused> {
        let token = self.peek().ok_or_else(|| refused("unexpected end"))?;
        self.at += 1;
        Ok(token)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(keyword));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, expected: &Token) -> Result<(), Refused> {
        let token = self.next()?;
        if token == expected {
            Ok(())
        } else {
            Err(unexpected(token))
        }
    }

    fn either(&mut self, depth: usize) -> Result<Expression, Refused> {
        let mut arms = vec![self.all(depth)?];
        while self.keyword("OR") {
            arms.push(self.all(depth)?);
        }
        Ok(single(arms, Expression::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Expression, Refused> {
        let mut arms = vec![self.term(depth)?];
        while self.keyword("AND") {
            arms.push(self.term(depth)?);
        }
        Ok(single(arms, Expression::And))
    }

    fn term(&mut self, depth: usize) -> Result<Expression, Refused> {
        if depth > MAX_DEPTH {
            return Err(refused("nested too deeply"));
        }
        match self.next()? {
            Token::Open => {
                let inner = self.either(depth + 1)?;
                self.expect(&Token::Close)?;
                Ok(inner)
            }
            Token::Word(field) => self.comparison(field),
            other => Err(unexpected(other)),
        }
    }

    fn comparison(&mut self, field: &str) -> Result<Expression, Refused> {
        let path: Vec<String> = field.split('.').map(str::to_owned).collect();
        let named = |name: &String| {
            name.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        if !path.iter().all(named) {
            return Err(refused(format_args!("{field} is not a field")));
        }
        if let Some(Token::Operator(operator)) = self.peek() {
            self.at += 1;
            let value = self.literal()?;
            return Ok(Expression::Compare {
                path,
                operator: *operator,
                value,
            });
        }
        let negated = self.keyword("NOT");
        if !self.keyword("IN") {
            return Err(refused(format_args!("expected an operator after {field}")));
        }
        self.expect(&Token::Open)?;
        let mut values = vec![self.literal()?];
        loop {
            match self.next()? {
                Token::Comma => values.push(self.literal()?),
                Token::Close => {
                    return Ok(Expression::In {
                        path,
                        negated,
                        values,
                    });
                }
                other => return Err(unexpected(other)),
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, Refused> {
        let word = match self.next()? {
            Token::Text(text) => return Ok(Literal::Text(text.clone())),
            Token::Word(word) => word,
            other => return Err(unexpected(other)),
        };
        if word.eq_ignore_ascii_case("null") {
            return Ok(Literal::Null);
        }
        if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") {
            return Ok(Literal::Bool(word.eq_ignore_ascii_case("true")));
        }
        let numeric = word.trim_start_matches('-');
        if numeric.starts_with(|c: char| c.is_ascii_digit())
            && numeric.chars().all(|c| c.is_ascii_digit() || c == '.')
            && let Ok(number) = word.parse()
        {
            return Ok(Literal::Number(number));
        }
        Timestamp::parse(word)
            .map(Literal::Time)
            .ok_or_else(|| refused(format_args!("{word} is not a value")))
    }
}

fn single(mut arms: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    if arms.len() == 1 {
        arms.remove(0)
    } else {
        many(arms)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_documented_examples_parse() {
        for text in [
            r#"(state = "open" OR state = "new") AND assignee = null"#,
            r#"reporter.nickname != "evzijst" AND priority >= "major""#,
            r#"(title ~ "unicode" OR content.raw ~ "unicode") AND created_on > 2015-10-04T14:00:00-07:00"#,
            r#"state IN ("new", "on hold") AND component = "UI" and updated_on > 2015-11-11T00:00:00-07:00"#,
            r#"state NOT IN ("DECLINED", "MERGED")"#,
            "id < 1234",
            "a = -10.302",
            "updated_on <= 2015-03-04",
            "updated_on>=\"2015-03-04T00:00:00+00:00\"",
            "is_private != true",
            r#"name = "a \"quoted\" \\ name""#,
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn bad_syntax_is_refused() {
        for text in [
            "",
            "id",
            "id =",
            "id = 1 AND",
            "id = 1 id = 2",
            "(id = 1",
            "id = 1)",
            r#"title = "a "quoted" name""#,
            r#"title = "open"#,
            "updated_on > 2015-10-04T14:00:00 00:00",
            "id ! 1",
            "id IN ()",
            "id IN (1,)",
            "1 = id",
            "NOT id = 1",
            "id = {1}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn and_binds_more_tightly_than_or() {
        let parsed = parse("a = 1 OR b = 2 AND c = 3").unwrap();
        assert_eq!(parsed, parse("a = 1 OR (b = 2 AND c = 3)").unwrap());
        assert_ne!(parsed, parse("(a = 1 OR b = 2) AND c = 3").unwrap());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_token_soup_makes_the_parser_panic(
            words in prop::collection::vec(
                prop::sample::select(vec!["(", ")", "id", "=", "!=", "AND", "OR", "NOT", "IN", "1",
                    "\"x\"", "null", ",", "2015-03-04"]), 0..20)
        ) {
            let _ = parse(&words.join(" "));
        }

        #[test]
        fn any_string_can_be_written_escaped(text in any::<String>()) {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            let parsed = parse(&format!("title = \"{escaped}\"")).unwrap();
            prop_assert_eq!(parsed, Expression::Compare {
                path: vec!["title".to_owned()],
                operator: Operator::Equal,
                value: Literal::Text(text),
            });
        }
    }
}

//! Parameters and variables of a script, and the values that stand in for them.
//!
//! A value takes the place of its parameter among the tokens, where it is one literal whatever it holds: it is never
//! read as SQL. What is printed goes on showing the parameter.

use crate::error::refused;
use std::borrow::Cow;
use std::fmt;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::lexer::Lexeme;
use crate::name::same_ignoring_case;
use crate::{Error, Span, Value, code};

/// The value of a parameter.
#[derive(Clone, PartialEq)]
pub enum ParameterValue {
    /// NULL.
    Null,
    /// TRUE or FALSE.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number; NULL if it is none.
    Float(f64),
    /// A number as SQL writes it, with all its digits.
    Number(String),
    /// A DECIMAL, which keeps its type.
    Decimal {
        /// The number with `scale` digits behind the point.
        digits: String,
        /// How many digits the type has.
        precision: u8,
        /// How many of them stand behind the point.
        scale: i8,
    },
    /// A VARBINARY.
    Bytes(Vec<u8>),
    /// A text. Dates are texts, too.
    Text(String),
}

/// The values of a script's parameters: `@name`, `?` by their order in the script, and the job variables
/// `{env:name}`.
#[derive(Clone, Default)]
pub struct Parameters {
    named: Vec<(String, ParameterValue)>,
    /// From number 1 on.
    numbered: Vec<(usize, ParameterValue)>,
    /// Those without a text are not UTF-8.
    variables: Vec<(String, Option<String>)>,
}

impl Parameters {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds `@name`, case apart. A later value replaces an earlier one.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, value: impl Into<ParameterValue>) -> Self {
        let name = name.into();
        self.named
            .retain(|(other, _)| !same_ignoring_case(other, &name));
        self.named.push((name, value.into()));
        self
    }

    /// Binds the `?` of that number, counted from 1.
    #[must_use]
    pub fn numbered(mut self, number: usize, value: impl Into<ParameterValue>) -> Self {
        self.numbered.retain(|(other, _)| *other != number);
        self.numbered.push((number, value.into()));
        self
    }

    /// Binds `{env:name}`, which is a text.
    #[must_use]
    pub fn variable(self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.with_variable(name.into(), Some(text.into()))
    }

    /// Says that `{env:name}` is there and not UTF-8, so that it cannot be a text.
    #[must_use]
    pub fn unreadable_variable(self, name: impl Into<String>) -> Self {
        self.with_variable(name.into(), None)
    }

    fn with_variable(mut self, name: String, text: Option<String>) -> Self {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, text));
        self
    }

    /// The value of `@name`, case apart.
    pub fn find_named(&self, name: &str) -> Option<&ParameterValue> {
        let found = self
            .named
            .iter()
            .find(|(other, _)| same_ignoring_case(other, name));
        found.map(|(_, value)| value)
    }

    fn find_numbered(&self, number: usize) -> Option<&ParameterValue> {
        let found = self.numbered.iter().find(|(other, _)| *other == number);
        found.map(|(_, value)| value)
    }

    fn find_variable(&self, name: &str) -> Option<Option<&str>> {
        let found = self.variables.iter().find(|(other, _)| other == name);
        found.map(|(_, text)| text.as_deref())
    }
}

/// Names only: a value may be a secret.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named.iter().map(|(name, _)| format!("@{name}"));
        let numbered = self.numbered.iter().map(|(number, _)| format!("?{number}"));
        f.debug_set()
            .entries(named.chain(numbered))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Int(_) => "Int",
            Self::Float(_) => "Float",
            Self::Number(_) => "Number",
            Self::Decimal { .. } => "Decimal",
            Self::Bytes(_) => "Bytes",
            Self::Text(_) => "Text",
        })
    }
}

impl From<bool> for ParameterValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for ParameterValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for ParameterValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for ParameterValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for ParameterValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&Value> for ParameterValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(digits) => Self::Number(digits.clone()),
            Value::Text(text) | Value::Word(text) => Self::Text(text.clone()),
        }
    }
}

impl<T: Into<Self>> From<Option<T>> for ParameterValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl ParameterValue {
    fn token(&self) -> Token {
        match self {
            Self::Null => Token::make_keyword("NULL"),
            Self::Bool(true) => Token::make_keyword("TRUE"),
            Self::Bool(false) => Token::make_keyword("FALSE"),
            Self::Int(value) => Token::Number(value.to_string(), false),
            Self::Float(value) if value.is_finite() => Token::Number(format!("{value:?}"), false),
            Self::Float(_) => Token::make_keyword("NULL"),
            Self::Number(digits) | Self::Decimal { digits, .. } => {
                Token::Number(digits.clone(), false)
            }
            Self::Bytes(bytes) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02X}"));
                Token::HexStringLiteral(digits.collect())
            }
            Self::Text(text) => Token::SingleQuotedString(text.clone()),
        }
    }

    /// The tokens of the value as an expression that may stand behind `before`.
    fn tokens(&self, before: Option<&Token>) -> Vec<Token> {
        if let Self::Decimal {
            digits,
            precision,
            scale,
        } = self
        {
            let number = |number: String| Token::Number(number, false);
            return vec![
                Token::make_keyword("CAST"),
                Token::LParen,
                Token::SingleQuotedString(digits.clone()),
                Token::make_keyword("AS"),
                Token::make_keyword("DECIMAL"),
                Token::LParen,
                number(precision.to_string()),
                Token::Comma,
                number(scale.to_string()),
                Token::RParen,
                Token::RParen,
            ];
        }
        let token = self.token();
        let is_negative = matches!(&token, Token::Number(digits, _) if digits.starts_with('-'));
        if is_negative && before == Some(&Token::Minus) {
            return vec![Token::LParen, token, Token::RParen];
        }
        vec![token]
    }
}

/// Puts values in, statement by statement.
pub(crate) struct Binder<'p> {
    /// Without any, `?` and `@name` stay what they are.
    parameters: Option<Cow<'p, Parameters>>,
    /// How many `?` there were.
    passed: usize,
    /// Parameters that the script computes.
    computed: Vec<String>,
    /// The statement has one of them.
    awaits: bool,
}

impl<'p> Binder<'p> {
    pub(crate) fn new(parameters: Option<&'p Parameters>) -> Self {
        Self {
            parameters: parameters.map(Cow::Borrowed),
            passed: 0,
            computed: Vec::new(),
            awaits: false,
        }
    }

    /// For one statement of a script, before which there were so many `?`.
    pub(crate) fn resumed(parameters: &'p Parameters, passed: usize) -> Self {
        Self {
            passed,
            ..Self::new(Some(parameters))
        }
    }

    /// That a parameter is computed before the statements that follow.
    pub(crate) fn set_later(&mut self, name: &str) {
        if self.parameters.is_some() {
            self.computed.push(name.to_owned());
        }
    }

    /// What a parameter is in the statements that follow.
    pub(crate) fn set(&mut self, name: &str, value: ParameterValue) {
        self.computed.retain(|it| !same_ignoring_case(it, name));
        if let Some(parameters) = &mut self.parameters {
            let set = parameters.to_mut();
            *set = std::mem::take(set).named(name, value);
        }
    }

    /// Whether the statement that was bound last has a parameter that the script computes; a number stands in its
    /// place.
    pub(crate) fn awaits(&self) -> bool {
        self.awaits
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed
    }

    /// The tokens of a statement with values in place of parameters and variables.
    pub(crate) fn bind<'l>(&mut self, lexemes: &'l [Lexeme]) -> Result<Cow<'l, [Lexeme]>, Error> {
        self.awaits = false;
        let has_any = lexemes.iter().any(|lexeme| match &lexeme.token {
            Token::Placeholder(_) | Token::AtSign | Token::LBrace => true,
            Token::SingleQuotedString(text) => text.contains(OPENING),
            _ => false,
        });
        if !has_any {
            return Ok(Cow::Borrowed(lexemes));
        }
        let mut bound = Vec::with_capacity(lexemes.len());
        let mut rest = lexemes;
        while let Some(first) = rest.first() {
            match self.replacement(lexemes, rest)? {
                Some((tokens, length)) => {
                    bound.extend(replaced(tokens, &rest[..length]));
                    rest = &rest[length..];
                }
                None => {
                    bound.push(first.clone());
                    rest = &rest[1..];
                }
            }
        }
        Ok(Cow::Owned(bound))
    }

    /// What stands in for the first tokens of `rest`, and for how many.
    fn replacement(
        &mut self,
        statement: &[Lexeme],
        rest: &[Lexeme],
    ) -> Result<Option<(Vec<Token>, usize)>, Error> {
        let first = &rest[0];
        let before = &statement[..statement.len() - rest.len()];
        let before = before.last().map(|lexeme| &lexeme.token);
        // A procedure and a limit take literals only.
        let takes_literal = executes(statement) || before.is_some_and(begins_limit);
        let tokens = |value: &ParameterValue| match takes_literal {
            true => vec![value.token()],
            false => value.tokens(before),
        };
        match (&first.token, rest) {
            (Token::Placeholder(sign), _) => {
                let number = match sign.strip_prefix('$') {
                    Some(number) => number.parse().ok(),
                    None => {
                        self.passed += 1;
                        Some(self.passed)
                    }
                };
                let (Some(parameters), Some(number)) = (&self.parameters, number) else {
                    return Ok(None);
                };
                let value = parameters.find_numbered(number).ok_or_else(|| {
                    let message = format!("the parameter `{sign}`, number {number}, has no value");
                    unbound(message, &number.to_string(), first.span)
                })?;
                Ok(Some((tokens(value), 1)))
            }
            (Token::AtSign, [_, name, ..]) => {
                let (Some(parameters), Some(word)) = (&self.parameters, name.bare_word()) else {
                    return Ok(None);
                };
                if names_argument(statement, rest) || is_set(statement, rest) {
                    return Ok(None);
                }
                if self.computed.iter().any(|it| same_ignoring_case(it, word)) {
                    self.awaits = true;
                    let one = Token::Number("1".to_owned(), false);
                    return Ok(Some((vec![one], 2)));
                }
                let value = parameters.find_named(word).ok_or_else(|| {
                    let message = format!("the parameter `@{word}` has no value");
                    unbound(message, word, first.span.to(name.span))
                })?;
                Ok(Some((tokens(value), 2)))
            }
            (Token::LBrace, [_, word, colon, ..])
                if word.is_word("env") && colon.token == Token::Colon =>
            {
                let ends = |lexeme: &Lexeme| matches!(lexeme.token, Token::LBrace | Token::RBrace);
                let close = rest[1..].iter().position(ends).map(|at| at + 1);
                let Some(close) = close.filter(|at| rest[*at].token == Token::RBrace) else {
                    return Ok(None);
                };
                let name: String = rest[3..close].iter().map(ToString::to_string).collect();
                let span = first.span.to(rest[close].span);
                let text = self.variable(&name, span)?.to_owned();
                let token = Token::SingleQuotedString(text);
                Ok(Some((vec![token], close + 1)))
            }
            (Token::SingleQuotedString(text), _) if text.contains(OPENING) => {
                let token = Token::SingleQuotedString(self.filled(text, first.span)?);
                Ok(Some((vec![token], 1)))
            }
            _ => Ok(None),
        }
    }

    /// A text with its variables filled in.
    fn filled(&self, text: &str, span: Span) -> Result<String, Error> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once(OPENING) {
            let Some((name, behind)) = behind.split_once('}') else {
                break;
            };
            filled.push_str(before);
            filled.push_str(self.variable(name.trim(), span)?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn variable(&self, name: &str, span: Span) -> Result<&str, Error> {
        let parameters = self.parameters.as_ref();
        let found = parameters.and_then(|parameters| parameters.find_variable(name));
        let missing = |what: &str| {
            let message = format!("the variable `{{env:{name}}}` {what}");
            unbound(message, &format!("env:{name}"), span)
        };
        match found {
            Some(Some(text)) => Ok(text),
            Some(None) => Err(missing("is not UTF-8")),
            None => Err(missing("has no value")),
        }
    }
}

const OPENING: &str = "{env:";

fn unbound(message: String, key: &str, span: Span) -> Error {
    let option = format!("on the command line, `--param {key}=VALUE` gives it one");
    let is_name = key.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !key.starts_with(|c: char| c.is_ascii_digit());
    refused(code::UNBOUND, message, span).with_hint(match is_name {
        true => format!("{option}; in a script, `SET @{key} = VALUE` does"),
        false => option,
    })
}

/// Tokens in place of others. They are printed as those are.
fn replaced(tokens: Vec<Token>, lexemes: &[Lexeme]) -> impl Iterator<Item = Lexeme> {
    let mut written: String = lexemes.iter().map(ToString::to_string).collect();
    let span = lexemes[0].span.to(lexemes[lexemes.len() - 1].span);
    let mut spaced = lexemes[0].spaced;
    tokens.into_iter().map(move |token| Lexeme {
        token,
        span,
        spaced: std::mem::take(&mut spaced),
        written: Some(std::mem::take(&mut written).into()),
    })
}

/// Whether a number of rows stands behind a token.
fn begins_limit(token: &Token) -> bool {
    let Token::Word(word) = token else {
        return false;
    };
    matches!(
        word.keyword,
        Keyword::LIMIT | Keyword::OFFSET | Keyword::TOP | Keyword::FIRST | Keyword::NEXT
    )
}

/// Whether a statement calls a procedure.
fn executes(statement: &[Lexeme]) -> bool {
    statement[0].is_word("EXEC") || statement[0].is_word("EXECUTE")
}

/// Whether `@name` at the beginning of `rest` is what SET gives a value.
fn is_set(statement: &[Lexeme], rest: &[Lexeme]) -> bool {
    statement[0].is_word("SET") && rest.len() + 1 == statement.len()
}

/// Whether `@name` at the beginning of `rest` names an argument of EXEC, and is no parameter.
fn names_argument(statement: &[Lexeme], rest: &[Lexeme]) -> bool {
    let before = &statement[..statement.len() - rest.len()];
    let follows_value = before
        .last()
        .is_some_and(|lexeme| lexeme.token == Token::Eq);
    let assigned = rest.get(2).is_some_and(|lexeme| lexeme.token == Token::Eq);
    executes(statement) && assigned && !follows_value
}

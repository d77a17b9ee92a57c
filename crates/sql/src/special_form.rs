//! Calls with keywords among their arguments, such as `CAST(a AS date)`, and the words NOT, CASE and INTERVAL.
//!
//! `sqlparser` tries to read them in their special form, and on a mistake anywhere inside reads all of it once more as
//! the call of a function: twice as often with each level of nesting. Here the tokens decide which of the two it is.

use sqlparser::ast::{CastKind, Expr, ObjectName};
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::BucketlineDialect;

/// The functions that have a special form.
const FUNCTIONS: &[Keyword] = &[
    Keyword::CAST,
    Keyword::CEIL,
    Keyword::CONVERT,
    Keyword::EXTRACT,
    Keyword::FLOOR,
    Keyword::OVERLAY,
    Keyword::POSITION,
    Keyword::SAFE_CAST,
    Keyword::SUBSTR,
    Keyword::SUBSTRING,
    Keyword::TRIM,
    Keyword::TRY_CAST,
    Keyword::TRY_CONVERT,
];

/// Reads the special form that follows, if one does.
pub(crate) fn parse(
    dialect: &BucketlineDialect,
    parser: &mut Parser,
) -> Option<Result<Expr, ParserError>> {
    let next = parser.peek_token_ref();
    let Token::Word(word) = &next.token else {
        return None;
    };
    let keyword = word.keyword;
    let name = ObjectName::from(vec![word.to_ident(next.span)]);
    let is_special = match keyword {
        Keyword::CASE | Keyword::INTERVAL | Keyword::NOT => true,
        _ if FUNCTIONS.contains(&keyword) => {
            let arguments = Arguments::ahead(parser)?;
            dialect.convert_type_first(arguments.begin_with_type);
            arguments.are_special(keyword)
        }
        _ => return None,
    };
    if matches!(keyword, Keyword::SUBSTR | Keyword::SUBSTRING) && is_special {
        // The one that reads its word itself.
        return Some(parser.parse_substring());
    }
    parser.advance_token();
    Some(match keyword {
        _ if !is_special => parser.parse_function(name),
        Keyword::CASE => parser.parse_case_expr(),
        Keyword::CAST => parser.parse_cast_expr(CastKind::Cast),
        Keyword::CEIL => parser.parse_ceil_floor_expr(true),
        Keyword::CONVERT => parser.parse_convert_expr(false),
        Keyword::EXTRACT => parser.parse_extract_expr(),
        Keyword::FLOOR => parser.parse_ceil_floor_expr(false),
        Keyword::INTERVAL => interval(parser),
        Keyword::NOT => parser.parse_not(),
        Keyword::OVERLAY => parser.parse_overlay_expr(),
        Keyword::POSITION => position(dialect, parser),
        Keyword::SAFE_CAST => parser.parse_cast_expr(CastKind::SafeCast),
        Keyword::TRIM => parser.parse_trim_expr(),
        Keyword::TRY_CAST => parser.parse_cast_expr(CastKind::TryCast),
        _ => parser.parse_convert_expr(true),
    })
}

/// `sqlparser` reads the value by a call that its limit of depth does not see.
fn interval(parser: &mut Parser) -> Result<Expr, ParserError> {
    let next = parser.peek_token_ref();
    match &next.token {
        Token::Word(word) if word.keyword == Keyword::INTERVAL => {
            parser.expected_ref("the value of the interval", next)
        }
        _ => parser.parse_interval(),
    }
}

fn position(dialect: &BucketlineDialect, parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.expect_token(&Token::LParen)?;
    // As a whole expression it would go on to the list of `a IN (..)`.
    let between = dialect.prec_value(Precedence::Between);
    let expr = Box::new(parser.parse_subexpr(between)?);
    parser.expect_keyword_is(Keyword::IN)?;
    let r#in = Box::new(parser.parse_expr()?);
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Position { expr, r#in })
}

/// Whether a word is the name of a type.
fn is_type(token: &Token) -> bool {
    const TYPES: &[&str] = &[
        "bigint",
        "binary",
        "bit",
        "boolean",
        "char",
        "date",
        "datetime",
        "datetime2",
        "datetimeoffset",
        "dec",
        "decimal",
        "double",
        "float",
        "int",
        "integer",
        "money",
        "nchar",
        "ntext",
        "numeric",
        "nvarchar",
        "real",
        "smalldatetime",
        "smallint",
        "smallmoney",
        "string",
        "text",
        "time",
        "timestamp",
        "tinyint",
        "uniqueidentifier",
        "uuid",
        "varbinary",
        "varchar",
        "xml",
    ];
    match token {
        Token::Word(word) if word.quote_style.is_none() => TYPES
            .iter()
            .any(|name| word.value.eq_ignore_ascii_case(name)),
        _ => false,
    }
}

/// What stands between the parentheses of a call, but not in further ones.
#[derive(Default)]
struct Arguments {
    keywords: Vec<Keyword>,
    commas: usize,
    /// Whether the last of them is a number.
    scale: bool,
    /// Whether the first of several is the name of a type, as SQL Server's CONVERT has it.
    begin_with_type: bool,
}

impl Arguments {
    /// Whether they make a special form of the function.
    fn are_special(&self, function: Keyword) -> bool {
        match function {
            Keyword::CEIL | Keyword::FLOOR => {
                self.have(Keyword::TO) || self.commas == 0 || self.scale
            }
            Keyword::CONVERT | Keyword::TRY_CONVERT => {
                self.have(Keyword::USING)
                    || self.commas == 1
                    || (self.commas == 2 && self.begin_with_type)
            }
            Keyword::EXTRACT => self.have(Keyword::FROM),
            Keyword::OVERLAY => self.have(Keyword::PLACING),
            Keyword::POSITION => self.have(Keyword::IN),
            Keyword::SUBSTR | Keyword::SUBSTRING => self.commas <= 2,
            _ => true,
        }
    }

    /// Those of the word that follows; `None` if it is not called.
    fn ahead(parser: &Parser) -> Option<Self> {
        let first = parser.index() + 1;
        let token = |index: usize| &parser.token_at(index).token;
        if *token(first) != Token::LParen {
            return None;
        }
        let mut arguments = Self::default();
        let mut depth = 0;
        for index in first.. {
            match token(index) {
                Token::LParen => depth += 1,
                Token::RParen if depth == 1 => {
                    arguments.scale = matches!(
                        (token(index - 2), token(index - 1)),
                        (Token::Comma, Token::Number(..))
                    );
                    break;
                }
                Token::RParen => depth -= 1,
                Token::Word(word) if depth == 1 => match word.keyword {
                    Keyword::NoKeyword => {}
                    keyword => arguments.keywords.push(keyword),
                },
                Token::Comma if depth == 1 => {
                    if arguments.commas == 0 {
                        let stands_alone = index == first + 2 || *token(first + 2) == Token::LParen;
                        arguments.begin_with_type = stands_alone && is_type(token(first + 1));
                    }
                    arguments.commas += 1;
                }
                Token::EOF => break,
                _ => {}
            }
        }
        Some(arguments)
    }

    fn have(&self, keyword: Keyword) -> bool {
        self.keywords.contains(&keyword)
    }
}

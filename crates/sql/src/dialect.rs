//! The lexical and syntactic switches of the SQL that queries and expressions may use.

use sqlparser::ast::Expr;
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// The dialect of Bucketline's queries, for those who hand text to `sqlparser` themselves.
///
/// Close to `sqlparser`'s generic dialect, but with `[..]` as a quoted name, `#` inside names
/// (`Table#TEMP`), `@name` and `?` as parameters, and nothing that makes a semicolon ambiguous
/// (dollar quotes, backslash escapes, comment hints).
#[derive(Debug, Clone, Copy, Default)]
pub struct BucketlineDialect;

impl Dialect for BucketlineDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        matches!(ch, '[' | '"' | '`')
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('[')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.is_identifier_start(ch) || ch.is_ascii_digit() || ch == '#'
    }

    /// Without this, `SELECT a, FROM t` would read a column called FROM.
    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        const CLAUSES: &[Keyword] = &[
            Keyword::AND,
            Keyword::ELSE,
            Keyword::END,
            Keyword::FROM,
            Keyword::GROUP,
            Keyword::HAVING,
            Keyword::LIMIT,
            Keyword::ON,
            Keyword::OR,
            Keyword::ORDER,
            Keyword::SELECT,
            Keyword::THEN,
            Keyword::UNION,
            Keyword::WHEN,
            Keyword::WHERE,
        ];
        let next = parser.peek_token_ref();
        match &next.token {
            Token::Word(word) if CLAUSES.contains(&word.keyword) => {
                Some(parser.expected_ref("an expression", next))
            }
            _ => None,
        }
    }

    fn supports_dollar_placeholder(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_try_convert(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }
}

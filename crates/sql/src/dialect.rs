//! The lexical and syntactic switches of the SQL that queries and expressions may use.

use std::cell::Cell;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::expression::{comes_contains, contains, special_call};
use crate::special_form;

/// The dialect of Bucketline's queries, for those who hand text to `sqlparser` themselves.
///
/// Close to `sqlparser`'s generic dialect, but with `[..]` as a quoted name, `#` inside names
/// (`Table#TEMP`), `@name` and `?` as parameters, and nothing that makes a semicolon ambiguous
/// (dollar quotes, backslash escapes, comment hints).
///
/// One value serves one text: `sqlparser` reads some texts again and again, exponentially often, so the operands that
/// it reads are counted, and too many of them end the reading with [`ParserError::RecursionLimitExceeded`].
#[derive(Debug)]
pub struct BucketlineDialect {
    operands_left: Cell<usize>,
    /// Whether the CONVERT that is read has its type before its value.
    type_first: Cell<bool>,
}

impl BucketlineDialect {
    /// For a text of that many tokens.
    pub fn for_tokens(tokens: usize) -> Self {
        const FOR_EACH_TOKEN: usize = 2;
        const IN_ANY_CASE: usize = 30_000;
        let operands = tokens.saturating_mul(FOR_EACH_TOKEN);
        Self {
            operands_left: Cell::new(operands.saturating_add(IN_ANY_CASE)),
            type_first: Cell::new(false),
        }
    }

    /// Says which of the two forms the CONVERT has that is read next.
    pub(crate) fn convert_type_first(&self, type_first: bool) {
        self.type_first.set(type_first);
    }
}

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

    /// Reads special forms without going back, and counts operands. Without this, `SELECT a, FROM t` would read a
    /// column called FROM.
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
        let Some(left) = self.operands_left.get().checked_sub(1) else {
            return Some(Err(ParserError::RecursionLimitExceeded));
        };
        self.operands_left.set(left);
        let next = parser.peek_token_ref();
        match &next.token {
            Token::Word(word) if CLAUSES.contains(&word.keyword) => {
                Some(parser.expected_ref("an expression", next))
            }
            Token::Word(_) => special_call(parser).or_else(|| special_form::parse(self, parser)),
            _ => None,
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        comes_contains(parser).then(|| Ok(self.prec_value(Precedence::Like)))
    }

    /// `a IS DISTINCT FROM b AND c` is `(a IS DISTINCT FROM b) AND c`. sqlparser reads `b AND c` as one operand.
    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if comes_contains(parser) {
            return Some(contains(parser, expr, precedence));
        }
        const DISTINCT: &[Keyword] = &[Keyword::IS, Keyword::DISTINCT, Keyword::FROM];
        const SAME: &[Keyword] = &[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM];
        let build = if parser.parse_keywords(DISTINCT) {
            Expr::IsDistinctFrom
        } else if parser.parse_keywords(SAME) {
            Expr::IsNotDistinctFrom
        } else {
            return None;
        };
        let other = parser.parse_subexpr(precedence);
        Some(other.map(|other| build(Box::new(expr.clone()), Box::new(other))))
    }

    fn convert_type_before_value(&self) -> bool {
        self.type_first.get()
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
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

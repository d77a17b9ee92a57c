//! Expressions that the dialect writes in its own way: `a CONTAINS b`, `GROUP_CONCAT(x SEPARATOR '; ')`,
//! `TRIM(LEADING FROM x)`.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, UnaryOperator,
};
use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Word};

const CONTAINS: &str = "CONTAINS";

fn is_word(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text))
}

/// Whether CONTAINS or NOT CONTAINS comes next as an operator, rather than CONTAINS as an alias.
pub(crate) fn comes_contains(parser: &Parser) -> bool {
    let token = |index: usize| &parser.peek_nth_token_ref(index).token;
    let at = usize::from(is_word(token(0), "NOT"));
    is_word(token(at), CONTAINS)
        && match token(at + 1) {
            Token::SingleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::Placeholder(_)
            | Token::LParen => true,
            Token::Word(Word { keyword, .. }) => !RESERVED_FOR_COLUMN_ALIAS.contains(keyword),
            _ => false,
        }
}

/// `text CONTAINS find` as the call `CONTAINS(text, find)`.
pub(crate) fn contains(
    parser: &mut Parser<'_>,
    text: &Expr,
    precedence: u8,
) -> Result<Expr, ParserError> {
    let negated = parser.parse_keyword(Keyword::NOT);
    let operator = parser.next_token();
    let find = parser.parse_subexpr(precedence)?;
    let name = Ident::with_span(operator.span, CONTAINS);
    let call = call(
        name,
        FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(text.clone()), argument(find)],
            clauses: Vec::new(),
        },
    );
    Ok(match negated {
        true => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(call),
        },
        false => call,
    })
}

/// A call whose arguments have a form of their own, if one comes next.
pub(crate) fn special_call(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let token = |index: usize| &parser.peek_nth_token_ref(index).token;
    if *token(1) != Token::LParen {
        return None;
    }
    if is_word(token(0), "GROUP_CONCAT") {
        return Some(group_concat(parser));
    }
    let side = matches!(token(2), Token::Word(word) if matches!(
        word.keyword,
        Keyword::BOTH | Keyword::LEADING | Keyword::TRAILING
    ));
    (is_word(token(0), "TRIM") && side && is_word(token(3), "FROM")).then(|| trim(parser))
}

fn group_concat(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LParen)?;
    let distinct = parser.parse_keyword(Keyword::DISTINCT);
    let args = parser.parse_comma_separated(Parser::parse_function_args)?;
    let mut clauses = Vec::new();
    if parser.parse_keywords(&[Keyword::ORDER, Keyword::BY]) {
        let order = parser.parse_comma_separated(Parser::parse_order_by_expr)?;
        clauses.push(FunctionArgumentClause::OrderBy(order));
    }
    if parser.parse_keyword(Keyword::SEPARATOR) {
        let separator = parser.parse_value()?;
        clauses.push(FunctionArgumentClause::Separator(separator));
    }
    parser.expect_token(&Token::RParen)?;
    Ok(call(
        name,
        FunctionArgumentList {
            duplicate_treatment: distinct.then_some(DuplicateTreatment::Distinct),
            args,
            clauses,
        },
    ))
}

fn trim(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let side = parser.parse_trim_where()?;
    parser.expect_keyword(Keyword::FROM)?;
    let text = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Trim {
        trim_where: Some(side),
        trim_what: None,
        expr: Box::new(text),
        trim_characters: None,
    })
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn call(name: Ident, list: FunctionArgumentList) -> Expr {
    Expr::Function(Function {
        name: name.into(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

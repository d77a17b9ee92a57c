//! Forms of the dialect that the planner knows by another one: IIF, CONVERT, GROUP_CONCAT, `LIKE .. ESCAPE`, FETCH.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    self, CaseWhen, CastKind, DataType as SqlType, Expr, Fetch, Function as Call, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    LimitClause, ObjectName, Spanned, Value,
};

use crate::dialect::Refusal;
use crate::{Error, code};

/// `FETCH FIRST n ROWS ONLY` as a limit.
pub(crate) fn limit_by_fetch(query: &mut ast::Query) -> ControlFlow<Refusal> {
    let Some(fetch) = query.fetch.take() else {
        return ControlFlow::Continue(());
    };
    let at = query.span();
    let refused = |message: &str, hint: &str| {
        let error = Error::new(code::UNSUPPORTED, message).with_hint(hint);
        ControlFlow::Break((error, at))
    };
    let Fetch {
        with_ties: false,
        percent: false,
        quantity,
    } = fetch
    else {
        return refused(
            "FETCH takes a number of rows, neither PERCENT nor WITH TIES",
            "RANK() OVER (ORDER BY ..) numbers rows so that equal ones have one place",
        );
    };
    let one = || Expr::Value(Value::Number("1".into(), false).into());
    let rows = Some(quantity.unwrap_or_else(one));
    match &mut query.limit_clause {
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: rows,
                offset: None,
                limit_by: Vec::new(),
            });
        }
        Some(LimitClause::LimitOffset {
            limit: limit @ None,
            ..
        }) => *limit = rows,
        Some(_) => {
            return refused(
                "FETCH and LIMIT exclude each other",
                "leave one of them out",
            );
        }
    }
    ControlFlow::Continue(())
}

/// An expression as the planner knows it.
pub(crate) fn plain(expr: &mut Expr) -> ControlFlow<Refusal> {
    match expr {
        Expr::Function(call) if is_named(&call.name, &["iif", "if"]) => {
            let (call, at) = (call.clone(), expr.span());
            *expr = choice(call).map_or_else(
                |error| ControlFlow::Break((error, at)),
                ControlFlow::Continue,
            )?;
        }
        Expr::Function(call)
            if is_named(&call.name, &["string_agg", "group_concat", "listagg"]) =>
        {
            join_texts(call);
        }
        Expr::Convert {
            is_try,
            expr: value,
            data_type: Some(kind),
            charset: None,
            styles,
            ..
        } => {
            let at = value.span();
            let kind_of_cast = if *is_try {
                CastKind::TryCast
            } else {
                CastKind::Cast
            };
            let value = match styles.as_slice() {
                [] => value.as_ref().clone(),
                [style, ..] => match styled(value, kind, style) {
                    Ok(value) => value,
                    Err(error) => return ControlFlow::Break((error, at)),
                },
            };
            *expr = Expr::Cast {
                kind: kind_of_cast,
                expr: Box::new(value),
                data_type: kind.clone(),
                array: false,
                format: None,
            };
        }
        Expr::Like {
            pattern,
            escape_char,
            ..
        }
        | Expr::ILike {
            pattern,
            escape_char,
            ..
        } => {
            let Some(escape) = escape_char.take() else {
                escape_backslashes(pattern);
                return ControlFlow::Continue(());
            };
            if let Err(error) = escape_by_backslash(pattern, &escape.value) {
                return ControlFlow::Break((error, escape.span));
            }
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

fn is_named(name: &ObjectName, names: &[&str]) -> bool {
    let own = name.to_string();
    names.iter().any(|name| own.eq_ignore_ascii_case(name))
}

/// `IIF(condition, value, otherwise)` as CASE.
fn choice(call: Call) -> Result<Expr, Error> {
    let name = call.name.to_string().to_uppercase();
    let wrong = || {
        Error::new(code::ARGUMENT, format!("{name} takes three arguments"))
            .with_hint(format!("it is written {name}(condition, value, otherwise)"))
    };
    let FunctionArguments::List(list) = call.args else {
        return Err(wrong());
    };
    let arguments = list.args.into_iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Ok(argument),
        _ => Err(wrong()),
    });
    let arguments: Vec<Expr> = arguments.collect::<Result<_, _>>()?;
    let [condition, result, otherwise] = <[Expr; 3]>::try_from(arguments).map_err(|_| wrong())?;
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: Some(Box::new(otherwise)),
    })
}

/// The separator and the order of an aggregate that joins texts, where the planner wants them.
fn join_texts(call: &mut Call) {
    let within = std::mem::take(&mut call.within_group);
    let FunctionArguments::List(list) = &mut call.args else {
        return;
    };
    if !within.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(within));
    }
    let is_separator =
        |clause: &FunctionArgumentClause| matches!(clause, FunctionArgumentClause::Separator(_));
    let separator = match list.clauses.iter().position(is_separator) {
        Some(place) => match list.clauses.remove(place) {
            FunctionArgumentClause::Separator(separator) => Some(separator),
            _ => None,
        },
        None => None,
    };
    if list.args.len() == 1 {
        let comma = || Value::SingleQuotedString(",".into()).into();
        let separator = Expr::Value(separator.unwrap_or_else(comma));
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(separator)));
    }
}

/// The patterns of dates that SQL Server numbers.
const STYLES: &[(&str, &str)] = &[
    ("20", "yyyy-MM-dd HH:mm:ss"),
    ("21", "yyyy-MM-dd HH:mm:ss.fff"),
    ("23", "yyyy-MM-dd"),
    ("25", "yyyy-MM-dd HH:mm:ss.fff"),
    ("101", "MM/dd/yyyy"),
    ("102", "yyyy.MM.dd"),
    ("103", "dd/MM/yyyy"),
    ("104", "dd.MM.yyyy"),
    ("105", "dd-MM-yyyy"),
    ("108", "HH:mm:ss"),
    ("110", "MM-dd-yyyy"),
    ("111", "yyyy/MM/dd"),
    ("112", "yyyyMMdd"),
    ("120", "yyyy-MM-dd HH:mm:ss"),
    ("121", "yyyy-MM-dd HH:mm:ss.fff"),
    ("126", "yyyy-MM-ddTHH:mm:ss.fff"),
];

/// A date written by a style, or read by it.
fn styled(value: &Expr, kind: &SqlType, style: &Expr) -> Result<Expr, Error> {
    let number = style.to_string();
    let Some((_, pattern)) = STYLES.iter().find(|(style, _)| *style == number) else {
        let known: Vec<&str> = STYLES.iter().map(|(style, _)| *style).collect();
        let message = format!("CONVERT knows no style {number}");
        return Err(Error::new(code::UNSUPPORTED, message)
            .with_hint(format!("the styles are {}", known.join(", "))));
    };
    let function = match kind {
        SqlType::Date | SqlType::Datetime(_) | SqlType::Timestamp(..) | SqlType::Custom(..) => {
            "strtodate"
        }
        _ => "format",
    };
    let pattern = Expr::Value(Value::SingleQuotedString((*pattern).to_owned()).into());
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Ok(Expr::Function(Call {
        name: Ident::new(function).into(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(value.clone()), argument(pattern)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }))
}

/// Rewrites a pattern without ESCAPE, in which a backslash is a character like others.
fn escape_backslashes(pattern: &mut Expr) {
    if let Expr::Value(value) = pattern
        && let Value::SingleQuotedString(text) | Value::NationalStringLiteral(text) =
            &mut value.value
    {
        *text = text.replace('\\', r"\\");
        return;
    }
    let text = |text: &str| Expr::Value(Value::SingleQuotedString(text.to_owned()).into());
    let written = std::mem::replace(pattern, text(""));
    let arguments = [written, text(r"\"), text(r"\\")];
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    *pattern = Expr::Function(Call {
        name: Ident::new("REPLACE").into(),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.map(argument).into(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    });
}

/// Rewrites a pattern so that a backslash does in it what another character does.
fn escape_by_backslash(pattern: &mut Expr, escape: &Value) -> Result<(), Error> {
    let refused = |message: &str| Err(Error::new(code::ARGUMENT, message));
    let escape = match escape {
        Value::SingleQuotedString(escape) | Value::NationalStringLiteral(escape) => escape,
        _ => return refused("ESCAPE takes a text of one character"),
    };
    let mut characters = escape.chars();
    let (escape, None) = (characters.next(), characters.next()) else {
        return refused("ESCAPE takes a text of one character");
    };
    let text = match pattern {
        Expr::Value(value) => match &mut value.value {
            Value::SingleQuotedString(text) | Value::NationalStringLiteral(text) => text,
            _ => return refused("LIKE with ESCAPE takes a text as its pattern"),
        },
        _ => return refused("LIKE with ESCAPE takes a text as its pattern"),
    };
    let mut written = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            c if Some(c) == escape => match rest.next() {
                Some(escaped) => written.extend(['\\', escaped]),
                None => return refused("the pattern of LIKE ends with its escape character"),
            },
            '\\' => written.push_str("\\\\"),
            c => written.push(c),
        }
    }
    *text = written;
    Ok(())
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::{Expr, Value};

    use super::escape_by_backslash;

    #[test]
    fn another_escape_character_does_what_a_backslash_does() {
        for (pattern, escape, written) in [
            ("a!%b", "!", Some(r"a\%b")),
            ("a!!b", "!", Some(r"a\!b")),
            (r"a\%", "!", Some(r"a\\%")),
            (r"a\%", r"\", Some(r"a\%")),
            (r"a\%", "", Some(r"a\\%")),
            ("a!", "!", None),
            ("a", "!!", None),
        ] {
            let text = |text: &str| Value::SingleQuotedString(text.to_owned());
            let mut expr = Expr::Value(text(pattern).into());
            let done = escape_by_backslash(&mut expr, &text(escape));
            assert_eq!(done.is_ok(), written.is_some(), "{pattern}");
            if let Some(written) = written {
                assert_eq!(expr, Expr::Value(text(written).into()));
            }
        }
    }
}

//! Where the parts of a SELECT stand, for programs that edit its text.

use std::ops::Range;

use sqlparser::ast::{SelectItem, SetExpr};
use sqlparser::tokenizer::Token;

use crate::lexer::Lexeme;
use crate::select_list::items;
use crate::{Position, Query, Span};

/// Where the parts of a SELECT stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The items of the list: those of the syntax tree, in the same order.
    pub items: Vec<OutlineItem>,
    /// The commas between them: one fewer.
    pub commas: Vec<Span>,
    /// The word WHERE, if it stands there.
    pub filter: Option<Span>,
    /// The condition behind it.
    pub condition: Option<Span>,
    /// Where a WHERE belongs: behind the tables.
    pub filter_place: Position,
}

/// Where the parts of an item of a SELECT list stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineItem {
    /// The whole item.
    pub span: Span,
    /// What stands before the alias and its AS.
    pub expression: Span,
    /// The alias, quotes included.
    pub alias: Option<Span>,
}

/// Words that follow a condition.
const BEHIND_CONDITION: &[&str] = &[
    "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH",
];

impl Query {
    /// Where the parts of the SELECT stand whose rows the query gives; `None` for a UNION, VALUES and the like, and for a
    /// SELECT in parentheses.
    pub fn outline(&self) -> Option<Outline> {
        let SetExpr::Select(select) = self.ast().body.as_ref() else {
            return None;
        };
        let lexemes = self.lexemes();
        let select_token = self.token_at(select.select_token.0.span)?;
        let ranges = items(lexemes, select_token);
        if ranges.len() != select.projection.len() || ranges.iter().any(Range::is_empty) {
            return None;
        }
        let behind = ranges.last()?.end;
        let end = first_word(lexemes, behind, BEHIND_CONDITION).unwrap_or(lexemes.len());
        let filter = first_word(&lexemes[..end], behind, &["WHERE"]);
        let tables_end = filter.unwrap_or(end);
        let condition = filter
            .map(|filter| filter + 1..end)
            .filter(|it| !it.is_empty());
        if filter.is_some() != select.selection.is_some() || filter.is_some() != condition.is_some()
        {
            return None;
        }
        let span = |range: Range<usize>| lexemes[range.start].span.to(lexemes[range.end - 1].span);
        let item = |(range, item): (&Range<usize>, &SelectItem)| {
            let alias = match item {
                SelectItem::ExprWithAlias { alias, .. } => self.token_at(alias.span),
                _ => None,
            };
            let expression_end = match alias {
                Some(alias) if lexemes[alias - 1].is_word("AS") => alias - 1,
                Some(alias) => alias,
                None => range.end,
            };
            OutlineItem {
                span: span(range.clone()),
                expression: span(range.start..expression_end),
                alias: alias.map(|alias| lexemes[alias].span),
            }
        };
        Some(Outline {
            commas: ranges[1..]
                .iter()
                .map(|it| lexemes[it.start - 1].span)
                .collect(),
            items: ranges.iter().zip(&select.projection).map(item).collect(),
            filter: filter.map(|filter| lexemes[filter].span),
            condition: condition.map(span),
            filter_place: lexemes[tables_end - 1].span.end,
        })
    }
}

/// The first of `words` from token `first` on that stands in no parentheses.
fn first_word(lexemes: &[Lexeme], first: usize, words: &[&str]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, lexeme) in lexemes.iter().enumerate().skip(first) {
        match lexeme.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            Token::Word(_) if depth == 0 && words.iter().any(|word| lexeme.is_word(word)) => {
                return Some(index);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::{Statement, parse_statement};

    fn parts(text: &str) -> Option<(Vec<&str>, Option<&str>, usize)> {
        let parsed = parse_statement(text).unwrap();
        let Statement::Query(query) = parsed.statement else {
            panic!()
        };
        let outline = query.outline()?;
        let items = outline
            .items
            .iter()
            .map(|item| &text[item.span.range()])
            .collect();
        let condition = outline.condition.map(|condition| &text[condition.range()]);
        Some((items, condition, outline.filter_place.offset))
    }

    #[test]
    fn a_select_is_taken_apart_at_its_commas_and_words() {
        let text =
            "SELECT DISTINCT a, f(b, 'x, y') AS [c, d], /* e, */ CASE WHEN g THEN 1 END h FROM t";
        let expected = vec!["a", "f(b, 'x, y') AS [c, d]", "CASE WHEN g THEN 1 END h"];
        assert_eq!(parts(text), Some((expected, None, text.len())));
        let text = "WITH w AS (SELECT 1 WHERE x) SELECT * FROM (SELECT 2 WHERE y) s JOIN w ON 1 = 1 \
                    WHERE a IN (SELECT b FROM c WHERE d ORDER BY e) -- so\n GROUP BY f ORDER BY g LIMIT 3";
        let (items, condition, place) = parts(text).unwrap();
        assert_eq!(items, ["*"]);
        assert_eq!(condition, Some("a IN (SELECT b FROM c WHERE d ORDER BY e)"));
        assert!(text[..place].ends_with("ON 1 = 1"));
        assert_eq!(parts("SELECT 1 UNION SELECT 2"), None);
        assert_eq!(parts("SELECT 1 LIMIT 1"), Some((vec!["1"], None, 8)));
    }
}

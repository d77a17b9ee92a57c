//! Queries and expressions: `sqlparser`'s syntax tree together with the tokens it came from.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use sqlparser::ast;
use sqlparser::tokenizer::{Span as Stretch, Token};

use crate::alias::quoted_aliases;
use crate::lexer::Lexeme;
use crate::mask::masked;
use crate::name::{is_bare, is_reserved};
use crate::nesting::with_stack;
use crate::parse::Cursor;
use crate::select_list::items;
use crate::{BucketlineDialect, CsvTarget, Error, Ident, Name, Span, relation};

/// Tokens kept for printing, for respelling and for places. Equal if they read alike.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<[Lexeme]>);

impl Tokens {
    /// `lexemes` must not be empty.
    pub(crate) fn new(lexemes: &[Lexeme]) -> Self {
        Self(lexemes.into())
    }

    fn span(&self) -> Span {
        self.0[0].span.to(self.0[self.0.len() - 1].span)
    }

    /// Quoted words that are `kept` are meant as they are written, but for what stands before AS and itself as
    /// the alias: that cannot mean the alias.
    fn respelled(
        &self,
        kept: &HashSet<String>,
        spell: &mut dyn FnMut(&str, bool) -> Option<String>,
    ) -> Self {
        let aliased = |index: usize| match &self.0[index..] {
            [name, word, alias, ..] => word.is_word("AS") && name.token == alias.token,
            _ => false,
        };
        let respell = |(index, lexeme): (usize, &Lexeme)| {
            let mut lexeme = lexeme.clone();
            if let Token::Word(word) = &mut lexeme.token
                && !(word.quote_style.is_some() && kept.contains(&word.value) && !aliased(index))
                && let Some(spelling) = spell(&word.value, word.quote_style.is_some())
            {
                if word.quote_style.is_none() && !is_bare(&spelling) && !is_reserved(&spelling) {
                    word.quote_style = Some('"');
                }
                // The keyword stays, so that what was a keyword is still one.
                word.value = spelling;
            }
            lexeme
        };
        Self(self.0.iter().enumerate().map(respell).collect())
    }

    /// The number of the token that begins at a place of the syntax tree.
    fn at(&self, stretch: Stretch) -> Option<usize> {
        let place = |lexeme: &Lexeme| {
            let start = lexeme.span.start;
            (u64::from(start.line), u64::from(start.column))
        };
        let wanted = (stretch.start.line, stretch.start.column);
        self.0.binary_search_by_key(&wanted, place).ok()
    }

    /// Where `stretch` of the syntax tree lies; the whole if the tree does not say.
    pub(crate) fn locate(&self, stretch: Stretch) -> Span {
        let place = |at: crate::Position| (u64::from(at.line), u64::from(at.column));
        let (start, end) = (
            (stretch.start.line, stretch.start.column),
            (stretch.end.line, stretch.end.column),
        );
        let first = self
            .0
            .partition_point(|lexeme| place(lexeme.span.end) <= start);
        let last = self
            .0
            .partition_point(|lexeme| place(lexeme.span.start) < end);
        if start.0 == 0 || first >= last || first >= self.0.len() {
            return self.span();
        }
        self.0[first].span.to(self.0[last - 1].span)
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(other.0.iter())
                .all(|(a, b)| a.token == b.token)
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.0))
    }
}

/// Tokens as they were written, with one blank where there was any.
fn written(lexemes: &[Lexeme]) -> String {
    let mut text = String::new();
    for (index, lexeme) in lexemes.iter().enumerate() {
        if index > 0 && lexeme.spaced {
            text.push(' ');
        }
        text.push_str(&lexeme.to_string());
    }
    text
}

/// A query: SELECT, VALUES, WITH ... SELECT, in parentheses or not.
///
/// Prints as it was written, comments and superfluous blanks apart. In the syntax tree `TOP n`
/// has become LIMIT.
#[derive(Clone, PartialEq)]
pub struct Query {
    tokens: Tokens,
    /// Shared, since copying a deep tree takes as deep a stack.
    ast: Arc<ast::Query>,
    target: Option<CsvTarget>,
}

impl Query {
    pub(crate) fn new(tokens: Tokens, ast: Box<ast::Query>, target: Option<CsvTarget>) -> Self {
        Self {
            tokens,
            ast: ast.into(),
            target,
        }
    }

    /// The file that the rows are written into; the syntax tree does not have it.
    pub fn target(&self) -> Option<&CsvTarget> {
        self.target.as_ref()
    }

    /// The syntax tree. Its spans (lines and columns) refer to the script; see [`Query::locate`].
    pub fn ast(&self) -> &ast::Query {
        &self.ast
    }

    /// The syntax tree as a statement, for planners that take one.
    pub fn to_statement(&self) -> ast::Statement {
        ast::Statement::Query(Box::new(self.ast.as_ref().clone()))
    }

    /// Where the query stands.
    pub fn span(&self) -> Span {
        self.tokens.span()
    }

    /// The place of a node of the syntax tree, given by the tree's lines and columns, widened to
    /// whole tokens; the whole query if the tree does not know.
    pub fn locate(&self, stretch: Stretch) -> Span {
        self.tokens.locate(stretch)
    }

    pub(crate) fn lexemes(&self) -> &[Lexeme] {
        &self.tokens.0
    }

    /// The number of the token that begins at a place of the syntax tree.
    pub(crate) fn token_at(&self, stretch: Stretch) -> Option<usize> {
        self.tokens.at(stretch)
    }

    /// The name at a place of the syntax tree, which may be that of the query as it was respelled: as it is written
    /// here, without its quotes.
    pub fn name_at(&self, stretch: Stretch) -> Option<&str> {
        match &self.tokens.0[self.tokens.at(stretch)?].token {
            Token::Word(word) => Some(&word.value),
            Token::SingleQuotedString(text) => Some(text),
            _ => None,
        }
    }

    /// The items behind the SELECT at a place of the syntax tree, as they are written, comments and superfluous
    /// blanks apart. Empty if no SELECT is there.
    pub fn items_at(&self, select: Stretch) -> Vec<String> {
        let lexemes = &self.tokens.0;
        let Some(select) = self.tokens.at(select) else {
            return Vec::new();
        };
        if !lexemes[select].is_word("SELECT") {
            return Vec::new();
        }
        let items = items(lexemes, select).into_iter();
        items.map(|item| written(&lexemes[item])).collect()
    }

    /// The query with other spellings of its words, at the same places.
    ///
    /// `spell` is asked for each word, keywords included, and whether it is quoted; it answers `None` to
    /// leave it. A quoted alias, and what is quoted and spelled like one, stays as it is written.
    /// A word that was read as a keyword stays one. This is how identifiers ignore case: words
    /// get the catalog's spelling, and the planner then matches exactly.
    pub fn respelled(
        &self,
        spell: &mut dyn FnMut(&str, bool) -> Option<String>,
    ) -> Result<Self, Error> {
        let tokens = self.tokens.respelled(&quoted_aliases(&self.ast), spell);
        let dialect = BucketlineDialect::for_tokens(tokens.0.len());
        let mut cursor = Cursor::over(&tokens.0, &dialect);
        with_stack(|| {
            let query = cursor.query_with_target()?;
            cursor.expect_end()?;
            Ok(query)
        })
    }

    /// As `Display`, but with `'***'` for literals that are compared with sensitive columns, and
    /// without the secrets inside of other literals.
    pub fn masked(&self) -> String {
        masked(&self.tokens.0)
    }

    /// The tables, views and the like that the query reads, in order of appearance, each as often
    /// as it is named. Names of its own CTEs and table functions are left out.
    pub fn table_names(&self) -> Vec<Name> {
        let relations = relation::relations(&self.ast);
        relations
            .iter()
            .filter_map(|name| self.name(name))
            .collect()
    }

    fn name(&self, name: &ast::ObjectName) -> Option<Name> {
        let part = |part: &ast::ObjectNamePart| {
            part.as_ident().map(|ident| Ident {
                text: ident.value.clone(),
                quoted: ident.quote_style.is_some(),
                exact: ident.quote_style == Some('"'),
                span: self.locate(ident.span),
            })
        };
        let parts: Option<Vec<Ident>> = name.0.iter().map(part).collect();
        parts
            .filter(|parts| !parts.is_empty())
            .map(|parts| Name { parts })
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.fmt(f)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Query")
            .field(&format_args!("{}", self.masked()))
            .finish()
    }
}

/// An expression outside a query: a condition, an argument, a value.
///
/// Prints as it was written, comments and superfluous blanks apart.
#[derive(Clone, PartialEq)]
pub struct Expression {
    tokens: Tokens,
    ast: Arc<ast::Expr>,
}

impl Expression {
    pub(crate) fn new(tokens: Tokens, ast: ast::Expr) -> Self {
        Self {
            tokens,
            ast: Arc::new(ast),
        }
    }

    /// The syntax tree; its spans refer to the script.
    pub fn ast(&self) -> &ast::Expr {
        &self.ast
    }

    /// Where the expression stands.
    pub fn span(&self) -> Span {
        self.tokens.span()
    }

    /// The expression as SQL that can be read again: with the values of parameters, whose names `Display` shows.
    pub fn bound(&self) -> String {
        let value = |lexeme: &Lexeme| Lexeme {
            written: None,
            ..lexeme.clone()
        };
        let values: Vec<Lexeme> = self.tokens.0.iter().map(value).collect();
        written(&values)
    }

    /// As `Display`, but without secrets; see [`Query::masked`].
    pub fn masked(&self) -> String {
        masked(&self.tokens.0)
    }

    /// Whether a literal is part of it.
    pub fn has_literal(&self) -> bool {
        self.tokens.0.iter().any(Lexeme::is_literal)
    }

    /// The text, if the expression is a string literal.
    pub fn as_text(&self) -> Option<&str> {
        match self.ast.as_ref() {
            ast::Expr::Value(value) => match &value.value {
                ast::Value::SingleQuotedString(text) | ast::Value::NationalStringLiteral(text) => {
                    Some(text)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The expression with other spellings of its unquoted words; see [`Query::respelled`].
    pub fn respelled(
        &self,
        spell: &mut dyn FnMut(&str, bool) -> Option<String>,
    ) -> Result<Self, Error> {
        let tokens = self.tokens.respelled(&HashSet::new(), spell);
        let dialect = BucketlineDialect::for_tokens(tokens.0.len());
        let mut cursor = Cursor::over(&tokens.0, &dialect);
        with_stack(|| {
            let expression = cursor.expression()?;
            cursor.expect_end()?;
            Ok(expression)
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.fmt(f)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression")
            .field(&format_args!("{}", self.masked()))
            .finish()
    }
}

/// A column's data type as written, such as `varchar(255)`.
#[derive(Clone, PartialEq)]
pub struct DataType {
    tokens: Tokens,
    ast: ast::DataType,
}

impl DataType {
    pub(crate) fn new(tokens: Tokens, ast: ast::DataType) -> Self {
        Self { tokens, ast }
    }

    /// The syntax tree.
    pub fn ast(&self) -> &ast::DataType {
        &self.ast
    }

    /// Where the type stands.
    pub fn span(&self) -> Span {
        self.tokens.span()
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.fmt(f)
    }
}

impl fmt::Debug for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DataType")
            .field(&format_args!("{self}"))
            .finish()
    }
}

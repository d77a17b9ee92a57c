//! SQL, well formed or not.

use std::ops::Range;

use super::token::{Kind, Tokens};
use super::url::UserInformation;
use super::{compares, mask_of, prose};
use crate::secret::is_sensitive;

/// Masks the secrets in a script.
pub(super) fn mask(text: &str) -> String {
    let mut masker = Masker {
        tokens: Tokens::new(text),
        addresses: UserInformation::default(),
        masked: String::with_capacity(text.len()),
        call: Call::None,
        insert: Insert::None,
        is_named: false,
        depth: 0,
    };
    let mut at = 0;
    while at < text.len() {
        at = masker.step(text, at);
    }
    masker.masked
}

struct Masker<'t> {
    tokens: Tokens<'t>,
    addresses: UserInformation,
    masked: String,
    call: Call,
    insert: Insert,
    /// Whether a `=` stands before the argument.
    is_named: bool,
    /// How many brackets are open.
    depth: usize,
}

/// How far an EXEC has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    None,
    /// The procedure's name comes next.
    Procedure,
    /// Arguments. One without a name may be a secret.
    Arguments,
}

/// How far an INSERT with a list of columns has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Insert {
    None,
    /// The table's name comes next.
    Table,
    /// Columns, and whether one of them is sensitive.
    Columns(bool),
    /// Values. Which of them is the secret is not looked into.
    Secrets,
}

impl<'t> Masker<'t> {
    /// Adds the token at `at`, and the secret behind it. Gives where the next one begins.
    fn step(&mut self, text: &'t str, at: usize) -> usize {
        if let Some((start, end)) = self.addresses.at(text, at) {
            self.masked.push_str(&text[at..start]);
            self.masked.push_str(&mask_of(&text[start..end]));
            return end;
        }
        let token = self.tokens.at(at);
        let end = at + token.text.len();
        if self.is_unnamed_argument(at, token.kind) {
            let secret = self.expression(at, false);
            return self.hide(text, secret);
        }
        if let Kind::Quoted(quote) = token.kind
            && !matches!(quote.open, "[" | "\"" | "`")
            && (self.insert == Insert::Secrets || self.precedes_sensitive(end))
        {
            return self.hide(text, at..end);
        }
        let expects_value = self.copy(token.kind, token.text);
        self.follow(token.kind, token.text, end);
        let secret = match token.kind {
            Kind::Word => self.value(token.text, end, false),
            Kind::Quoted(quote) => match expects_value {
                true => Some(self.expression(end, true)).filter(|secret| !secret.is_empty()),
                false => self.value(quote.inside(token.text), end, quote.open == "'"),
            },
            Kind::Blank | Kind::Comment | Kind::Sign(_) => None,
        };
        let Some(secret) = secret else {
            return end;
        };
        let mut between = end;
        while between < secret.start {
            let token = self.tokens.at(between);
            self.copy(token.kind, token.text);
            between += token.text.len();
        }
        self.hide(text, secret)
    }

    /// Adds a token as it is, but for the secrets inside of literals and comments. Says whether a
    /// literal ends where a secret is expected.
    fn copy(&mut self, kind: Kind<'t>, text: &str) -> bool {
        match kind {
            Kind::Comment => {
                self.masked.push_str(&prose::mask(text).masked);
                false
            }
            Kind::Quoted(quote) => {
                let inside = quote.inside(text);
                let prose = prose::mask(&quote.undoubled(inside));
                let closing = &text[quote.open.len() + inside.len()..];
                self.masked.push_str(quote.open);
                self.masked.push_str(&quote.doubled(&prose.masked));
                self.masked.push_str(closing);
                prose.expects_value
            }
            Kind::Blank | Kind::Word | Kind::Sign(_) => {
                self.masked.push_str(text);
                false
            }
        }
    }

    /// Adds the mask in place of a secret. Gives where it ends.
    fn hide(&mut self, text: &str, secret: Range<usize>) -> usize {
        let (open, close) = match self.tokens.at(secret.start).kind {
            Kind::Quoted(quote) => (quote.open, quote.close),
            _ => ("", ""),
        };
        self.masked.push_str(open);
        self.masked.push_str(&mask_of(&text[secret.clone()]));
        self.masked.push_str(close);
        secret.end
    }

    /// Whether what ends at `at` is compared with something sensitive, or gets a sensitive name: `'x' = t.Token`.
    fn precedes_sensitive(&mut self, at: usize) -> bool {
        // More parts than a name has.
        const PARTS: usize = 8;
        let mut at = self.skip_blanks(at);
        let operator = at;
        loop {
            let token = self.tokens.at(at);
            let is_operator = match token.kind {
                Kind::Sign('=' | '<' | '>' | '!') => true,
                Kind::Word => at == operator && token.text.eq_ignore_ascii_case("AS"),
                _ => false,
            };
            if !is_operator || at - operator > 2 {
                break;
            }
            at += token.text.len();
        }
        if at == operator {
            return false;
        }
        at = self.skip_blanks(at);
        for _ in 0..PARTS {
            let token = self.tokens.at(at);
            let is_sensitive = match token.kind {
                Kind::Word => is_sensitive(token.text),
                Kind::Quoted(quote) => quote.open != "'" && is_sensitive(quote.inside(token.text)),
                Kind::Sign('.' | '@') => false,
                _ => return false,
            };
            if is_sensitive {
                return true;
            }
            at += token.text.len();
        }
        false
    }

    /// Keeps track of INSERT and its columns.
    fn follow_insert(&mut self, kind: Kind<'t>, text: &str) {
        self.insert = match (self.insert, kind) {
            (_, Kind::Sign(';')) => Insert::None,
            (Insert::Secrets, _) => Insert::Secrets,
            (_, Kind::Word) if text.eq_ignore_ascii_case("INTO") => Insert::Table,
            (Insert::Table, Kind::Sign('(')) => Insert::Columns(false),
            (Insert::Table, Kind::Word)
                if ["SELECT", "VALUES", "FROM"]
                    .iter()
                    .any(|word| text.eq_ignore_ascii_case(word)) =>
            {
                Insert::None
            }
            (Insert::Columns(_), Kind::Word) if is_sensitive(text) => Insert::Columns(true),
            (Insert::Columns(_), Kind::Quoted(quote)) if is_sensitive(quote.inside(text)) => {
                Insert::Columns(true)
            }
            (Insert::Columns(true), Kind::Sign(')')) => Insert::Secrets,
            (Insert::Columns(false), Kind::Sign(')')) => Insert::None,
            (insert, _) => insert,
        };
    }

    /// Keeps track of EXEC and its arguments.
    fn follow(&mut self, kind: Kind<'t>, text: &str, end: usize) {
        self.follow_insert(kind, text);
        match kind {
            Kind::Blank | Kind::Comment => {}
            Kind::Sign(';') => {
                self.call = Call::None;
                self.is_named = false;
                self.depth = 0;
            }
            Kind::Word | Kind::Quoted(_) => {
                let starts_call = ["EXEC", "EXECUTE"]
                    .iter()
                    .any(|verb| text.eq_ignore_ascii_case(verb));
                let is_qualifier = self.tokens.at(end).kind == Kind::Sign('.');
                self.call = match self.call {
                    Call::None if starts_call => Call::Procedure,
                    Call::Procedure if !is_qualifier => Call::Arguments,
                    call => call,
                };
            }
            Kind::Sign('=') => self.is_named = true,
            Kind::Sign('(') => self.depth += 1,
            Kind::Sign(')') => self.depth = self.depth.saturating_sub(1),
            Kind::Sign(',') if self.depth == 0 => self.is_named = false,
            Kind::Sign(_) => {}
        }
    }

    /// Whether a value begins at `at` that an EXEC gives without a name.
    fn is_unnamed_argument(&mut self, at: usize, kind: Kind<'t>) -> bool {
        if self.call != Call::Arguments || self.is_named {
            return false;
        }
        let is_value = matches!(kind, Kind::Quoted(_) | Kind::Word);
        is_value && !self.masked.ends_with('@') && {
            let behind = at + self.tokens.at(at).text.len();
            let behind = self.skip_blanks(behind);
            !matches!(self.tokens.at(behind).kind, Kind::Sign('=' | '('))
        }
    }

    fn skip_blanks(&mut self, mut at: usize) -> usize {
        loop {
            let token = self.tokens.at(at);
            if token.text.is_empty() || !matches!(token.kind, Kind::Blank | Kind::Comment) {
                return at;
            }
            at += token.text.len();
        }
    }

    /// The value behind `name`, which ends at `at`, if the name is sensitive. Without an operator
    /// only a literal is its value, and that only if `needs_operator` is false.
    fn value(&mut self, name: &str, mut at: usize, needs_operator: bool) -> Option<Range<usize>> {
        if !is_sensitive(name) {
            return None;
        }
        let mut has_operator = false;
        let first = loop {
            let token = self.tokens.at(at);
            match token.kind {
                Kind::Blank | Kind::Comment if !token.text.is_empty() => {}
                Kind::Sign('=' | ':' | '<' | '>' | '!' | '~') => has_operator = true,
                Kind::Word if token.text.eq_ignore_ascii_case("NOT") => {}
                Kind::Word if compares(token.text) => has_operator = true,
                kind => break kind,
            }
            at += token.text.len();
        };
        let is_value = match first {
            Kind::Quoted(quote) => has_operator || !needs_operator && quote.open != "[",
            Kind::Sign(',' | ';' | ')') | Kind::Blank | Kind::Comment => false,
            Kind::Word | Kind::Sign(_) => has_operator,
        };
        is_value.then(|| self.expression(at, false))
    }

    /// The expression that begins at `start`. Unless it has a literal, or a part of one before it,
    /// it ends where two words follow each other.
    fn expression(&mut self, start: usize, mut has_literal: bool) -> Range<usize> {
        let mut end = start;
        let mut at = start;
        let mut depth = 0_usize;
        let mut ends_with_operand = false;
        loop {
            let token = self.tokens.at(at);
            if token.text.is_empty() {
                break;
            }
            at += token.text.len();
            match token.kind {
                Kind::Blank | Kind::Comment => continue,
                Kind::Sign(';') => break,
                Kind::Sign(',' | ')') if depth == 0 => break,
                Kind::Word if ends_with_operand && !has_literal && depth == 0 => break,
                Kind::Sign('(') => depth += 1,
                Kind::Sign(')') => depth -= 1,
                Kind::Quoted(quote) if quote.open != "[" => has_literal = true,
                Kind::Word | Kind::Quoted(_) | Kind::Sign(_) => {}
            }
            ends_with_operand =
                matches!(token.kind, Kind::Word | Kind::Quoted(_) | Kind::Sign(')'));
            end = at;
        }
        start..end
    }
}

//! Where something stands in a text.

use std::borrow::Cow;
use std::fmt;

/// One place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, counted from 1. Lines end with `\n`, `\r\n` or `\r`.
    pub line: u32,
    /// Column, counted from 1, in characters.
    pub column: u32,
    /// Distance from the start of the text, in bytes.
    pub offset: usize,
}

impl Position {
    /// The beginning of every text.
    pub const START: Self = Self {
        line: 1,
        column: 1,
        offset: 0,
    };

    /// The place `distance` bytes into `text`, or its end if it is shorter. A distance inside a
    /// character means that character's start.
    pub fn at(text: &str, distance: usize) -> Self {
        let distance = text.floor_char_boundary(distance);
        Self::START.after(&unify_line_breaks(text)[..distance])
    }

    /// The place behind `passed`, if that begins here. Its lines end with `\n` or `\r\n`.
    #[must_use]
    pub fn after(self, passed: &str) -> Self {
        let mut position = self;
        position.offset += passed.len();
        for character in passed.chars() {
            if character == '\n' {
                position.line += 1;
                position.column = 1;
            } else {
                position.column += 1;
            }
        }
        position
    }
}

/// `text` with `\n` for each `\r` that ends a line by itself. Every character stays at its offset.
pub fn unify_line_breaks(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let mut characters = text.chars().peekable();
    let mut unified = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        let ends_line = character == '\r' && characters.peek() != Some(&'\n');
        unified.push(if ends_line { '\n' } else { character });
    }
    Cow::Owned(unified)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A stretch of a text: from `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first character's place.
    pub start: Position,
    /// The place behind the last character; equal to `start` for a point.
    pub end: Position,
}

impl Span {
    /// The point `at`.
    pub const fn point(at: Position) -> Self {
        Self { start: at, end: at }
    }

    /// The stretch from the start of `self` to the end of `last`.
    pub fn to(self, last: Self) -> Self {
        Self {
            start: self.start,
            end: last.end,
        }
    }

    /// The stretch in bytes.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start.offset..self.end.offset
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

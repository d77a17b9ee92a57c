//! User information in addresses: `scheme://user:password@host`.

/// Where an address's user information begins.
const MARK: &str = "://";

/// Finds user information in one text. It remembers how far a search without a find has looked, so
/// that many addresses in a row are searched once.
#[derive(Default)]
pub(super) struct UserInformation {
    searched: usize,
}

impl UserInformation {
    /// Where it begins and ends, if an address begins at `at` with its `://`. It ends at the last
    /// `@` before a blank or a quote: a password may hold `/`, `?`, `#` and `@`.
    pub(super) fn at(&mut self, text: &str, at: usize) -> Option<(usize, usize)> {
        if at < self.searched || !text[at..].starts_with(MARK) {
            return None;
        }
        let start = at + MARK.len();
        let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`');
        let end = text[start..]
            .find(ends)
            .map_or(text.len(), |length| start + length);
        match text[start..end].rfind('@') {
            Some(length) if length > 0 => Some((start, start + length)),
            _ => {
                self.searched = end;
                None
            }
        }
    }
}

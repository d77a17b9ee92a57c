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
    /// `@` before a blank or a quote: a password may hold `/`, `?`, `#` and `@`. An address without
    /// `@` may be cut off: a port that is not a number is then a password.
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
            Some(_) => None,
            None => {
                self.searched = end;
                cut_off(&text[start..end]).map(|length| (start, start + length))
            }
        }
    }
}

/// The length of the user information at the start of an address without `@`.
fn cut_off(address: &str) -> Option<usize> {
    let length = address.find(['/', '?', '#']).unwrap_or(address.len());
    let (_, port) = address[..length].rsplit_once(':')?;
    let is_port = port.ends_with(']') || port.chars().all(|c| c.is_ascii_digit());
    (!is_port).then_some(length)
}

//! Taking secrets out of a text, then cutting it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::process;
use crate::spelling::{Match, Spelling};

/// Stands for a secret.
pub const MASK: &str = "***";

/// Longest foreign text in a message, in characters.
const LIMIT: usize = 500;
/// Secrets that come and go, such as renewed tokens: the newest are kept.
const NEWEST: usize = 16;
/// The same for [`process`](crate::process), where those of all connections come together.
const NEWEST_OF_PROCESS: usize = 256;
/// A shorter secret is not looked for in base64, where it would match by chance.
const SHORTEST_ENCODED: usize = 6;

/// Takes secrets out of foreign texts, in every spelling that an echo may have: as they are, with
/// JSON or HTML escapes, percent-encoded, with `+` for blanks, in base64.
///
/// `Debug` shows no secret.
/// Whatever a scrubber learns the [process](crate::process) knows, too.
#[derive(Clone)]
pub struct Scrubber {
    lasting: Vec<Spelling>,
    passing: VecDeque<(String, Vec<Spelling>)>,
    newest: usize,
}

impl Default for Scrubber {
    fn default() -> Self {
        Self {
            lasting: Vec::new(),
            passing: VecDeque::new(),
            newest: NEWEST,
        }
    }
}

impl Scrubber {
    /// That of the process.
    pub(crate) fn of_process() -> Self {
        Self {
            newest: NEWEST_OF_PROCESS,
            ..Self::default()
        }
    }

    /// The same, which takes out `secret`, too.
    #[must_use]
    pub fn with(mut self, secret: &str) -> Self {
        process::hide(secret);
        self.lasting.extend(spellings(secret));
        self
    }

    /// The same, which takes out `password` and the pair as HTTP Basic sends it (RFC 7617), also
    /// with both parts encoded first (RFC 6749, section 2.3.1).
    #[must_use]
    pub fn with_pair(mut self, user: &str, password: &str) -> Self {
        if password.is_empty() {
            return self;
        }
        process::hide(password);
        self.lasting.extend(spellings(password));
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for pair in [
            format!("{user}:{password}"),
            format!("{}:{}", encode(user), encode(password)),
        ] {
            process::hide(&pair);
            self.lasting.extend(encoded(&pair));
        }
        self
    }

    /// Takes out `secret` from now on. Of many such, the newest 16 are remembered.
    pub fn hide(&mut self, secret: &str) {
        process::hide(secret);
        self.learn(secret);
    }

    /// The same for this scrubber alone.
    pub(crate) fn learn(&mut self, secret: &str) {
        if secret.is_empty() || self.passing.iter().any(|(known, _)| known == secret) {
            return;
        }
        if self.passing.len() == self.newest {
            self.passing.pop_front();
        }
        let spellings = spellings(secret).collect();
        self.passing.push_back((secret.to_owned(), spellings));
    }

    /// `text` with `***` for each secret.
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut scrubbed = String::new();
        let mut copied = 0;
        let mut at = 0;
        while at < text.len() {
            match self.longest(&text.as_bytes()[at..]) {
                Some(length) => {
                    scrubbed.push_str(&text[copied..at]);
                    scrubbed.push_str(MASK);
                    at += length;
                    copied = at;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        scrubbed.push_str(&text[copied..]);
        Cow::Owned(scrubbed)
    }

    /// `text` fit for a message: without secrets, then cut to 500 characters.
    pub fn quote(&self, text: &str) -> String {
        cut(&self.scrub(text)).into_owned()
    }

    /// `text` without an end that may be the beginning of a secret: for what was cut before it
    /// could be scrubbed.
    pub fn without_torn<'t>(&self, text: &'t str) -> &'t str {
        let starts = text.char_indices().map(|(start, _)| start);
        let torn = starts.into_iter().find(|start| {
            let rest = &text.as_bytes()[*start..];
            self.spellings()
                .any(|spelling| matches!(spelling.at_start(rest), Match::Torn))
        });
        &text[..torn.unwrap_or(text.len())]
    }

    fn spellings(&self) -> impl Iterator<Item = &Spelling> {
        let passing = self.passing.iter().flat_map(|(_, spellings)| spellings);
        self.lasting.iter().chain(passing)
    }

    fn longest(&self, text: &[u8]) -> Option<usize> {
        let lengths = self
            .spellings()
            .filter_map(|spelling| match spelling.at_start(text) {
                Match::Whole(length) => Some(length),
                Match::Torn | Match::None => None,
            });
        lengths.max()
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

fn spellings(secret: &str) -> impl Iterator<Item = Spelling> {
    let plain = (!secret.is_empty()).then(|| Spelling::new(secret));
    plain.into_iter().chain(encoded(secret))
}

/// In both alphabets of base64; what pads it is not part of it.
fn encoded(secret: &str) -> impl Iterator<Item = Spelling> {
    let engines = [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
    let mut texts = engines.map(|engine| engine.encode(secret)).to_vec();
    texts.dedup();
    let is_long = secret.len() >= SHORTEST_ENCODED;
    let texts = texts.into_iter().filter(move |_| is_long);
    texts.map(|text| Spelling::new(&text))
}

/// `text`, or its first 500 characters and `…`.
pub fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "aB3/x+y=\"z\\ é&1";

    fn scrubber() -> Scrubber {
        Scrubber::default().with(SECRET)
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let json = serde_json::to_string(SECRET).expect("a text is JSON");
        let twice = serde_json::to_string(&json).expect("a text is JSON");
        let percent = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let escaped: String = SECRET
            .chars()
            .map(|c| format!("\\u{:04X}", c as u32))
            .collect();
        let html = SECRET.replace('&', "&amp;").replace('"', "&quot;");
        let entities: String = SECRET.chars().map(|c| format!("&#{};", c as u32)).collect();
        for text in [
            SECRET.to_owned(),
            json.trim_matches('"').to_owned(),
            json.trim_matches('"').replace('/', "\\/"),
            twice.trim_matches(['"', '\\']).to_owned(),
            escaped.clone(),
            escaped.to_lowercase(),
            percent.clone(),
            percent.to_lowercase(),
            percent.replace('%', "%25"),
            escaped.replace('\\', "/"),
            utf8_percent_encode(&escaped, NON_ALPHANUMERIC).to_string(),
            form,
            html,
            entities,
            STANDARD_NO_PAD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            SECRET.to_uppercase().replace('É', "é"),
        ] {
            let said = format!("bad \u{e9}{text}, sorry");
            assert_eq!(scrubber().scrub(&said), "bad \u{e9}***, sorry", "{text}");
        }
    }

    #[test]
    fn the_pair_of_http_basic_is_a_secret() {
        let scrubber = Scrubber::default().with_pair("key", "s3cr/t+");
        for said in [
            "Basic a2V5OnMzY3IvdCs=",
            "s3cr/t+",
            "czNjci90Kw",
            // key:s3cr%2Ft%2B
            "a2V5OnMzY3IlMkZ0JTJC",
        ] {
            let scrubbed = scrubber.scrub(said);
            assert!(scrubbed.contains(MASK), "{scrubbed}");
        }
        assert_eq!(scrubber.scrub("key"), "key");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "",
            "aB3/x",
            "100% of C:\\users & co",
            "\\u00",
            "%",
            "é",
            "+",
        ] {
            assert!(matches!(scrubber().scrub(text), Cow::Borrowed(_)), "{text}");
        }
        assert_eq!(Scrubber::default().with("").scrub("abc"), "abc");
        assert_eq!(Scrubber::default().with_pair("", "").scrub("abc"), "abc");
    }

    #[test]
    fn a_text_is_cut_after_its_secrets_are_out() {
        let said = format!("{}{SECRET} tail", "x".repeat(LIMIT - 5));
        let quoted = scrubber().quote(&said);
        assert_eq!(quoted, format!("{}*** t…", "x".repeat(LIMIT - 5)));
        let first = &SECRET[..7];
        let torn = format!("a token: {first}");
        assert_eq!(scrubber().without_torn(&torn), "a token: ");
        assert_eq!(scrubber().without_torn("a token: none"), "a token: none");
    }

    #[test]
    fn of_passing_secrets_the_newest_are_remembered() {
        let mut scrubber = Scrubber::default().with("lasting-one");
        for number in 0..100 {
            scrubber.hide(&format!("passing-{number:03}."));
        }
        let said = scrubber.scrub("lasting-one passing-000. passing-099. passing-084.");
        assert_eq!(said, "*** passing-000. *** ***");
    }

    #[test]
    fn long_texts_take_time_in_proportion() {
        let scrubber = Scrubber::default().with("\\ab%25cd+").with("%&\\\\u00");
        for piece in ["\\", "%25", "&", "%", "+", "\\u00"] {
            let text = piece.repeat(200_000);
            assert!(scrubber.scrub(&text).len() <= text.len() + MASK.len());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(secret in "[ -~é\u{1F600}]{0,12}", text in "[ -~é\u{1F600}]{0,60}") {
            let scrubber = Scrubber::default().with(&secret);
            let scrubbed = scrubber.scrub(&text);
            prop_assert!(secret.len() < 4 || !scrubbed.contains(&secret) || secret.contains('*'));
            let _ = scrubber.without_torn(&text);
        }

        #[test]
        fn a_secret_in_json_is_found(secret in "[!-~]{6,20}", before in "[a-z ]{0,9}") {
            let scrubber = Scrubber::default().with(&secret);
            let said = serde_json::to_string(&format!("{before}{secret}")).unwrap_or_default();
            prop_assert!(scrubber.scrub(&said).contains(MASK), "{said}");
        }
    }
}

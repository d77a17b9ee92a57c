//! Text that looks like what people write, made from word lists.

use super::random::Random;

const SUBJECTS: &[&str] = &[
    "Login page",
    "Export",
    "Search index",
    "Invoice PDF",
    "Webhook retry",
    "Settings dialog",
    "Import of CSV files",
    "Größenangabe",
    "Session cookie",
    "Build cache",
    "Checkout",
    "Menü",
    "Address form",
    "Nightly job",
    "API client",
    "日本語 labels",
];
const PROBLEMS: &[&str] = &[
    "fails after an upgrade",
    "is slow with many rows",
    "shows the wrong date",
    "ignores the \"quiet\" option",
    "loses the selected row",
    "should be documented",
    "breaks on Windows\\UNC paths",
    "times out",
    "needs a test",
    "is not translated",
    "crashes when the list is empty",
    "rounds 0.5 down",
    "does not keep <b>markup</b>",
];
const SENTENCES: &[&str] = &[
    "Seen on the test system since yesterday.",
    "It works after a restart, but only once.",
    "The log says `connection reset by peer`.",
    "**Expected:** the value of the previous run.",
    "- open the page\n- press *save*\n- wait a minute",
    "Same as in the release before.",
    "Nobody has changed that part for months.",
    "A workaround is to set `retries = 0`.",
    "> quoted from the manual & checked",
    "Could be related to the cache.",
];
const RARE: &[&str] = &[
    "🙂",
    "🚀 ship it",
    "naïve café",
    "Ελληνικά",
    "tab\there",
    "零",
];

/// A one-line title.
pub(crate) fn title(random: &mut Random) -> String {
    let subject = random.pick(SUBJECTS);
    let problem = random.pick(PROBLEMS);
    let mut text = String::with_capacity(subject.len() + problem.len() + 16);
    text.push_str(subject);
    text.push(' ');
    text.push_str(problem);
    if random.percent(4) {
        text.push(' ');
        text.push_str(random.pick(RARE));
    }
    text
}

/// Some sentences of Markdown; now and then empty, with CRLF line ends, or with rare characters.
pub(crate) fn paragraph(random: &mut Random) -> String {
    if random.percent(5) {
        return String::new();
    }
    let line_end = if random.percent(20) { "\r\n" } else { "\n" };
    let mut text = String::with_capacity(200);
    for n in 0..=random.below(4) {
        if n > 0 {
            text.push_str(line_end);
        }
        text.push_str(random.pick(SENTENCES));
    }
    if random.percent(8) {
        text.push(' ');
        text.push_str(random.pick(RARE));
    }
    text
}

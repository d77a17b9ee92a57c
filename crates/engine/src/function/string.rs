//! Functions of texts. Positions count characters.

use chrono::SecondsFormat;

use super::call::{Answer, Call, Cell, Complaint, Compute, quoted};
use super::declaration::{Body, Function, any, computed, float, function, int, planner, text};
use super::size::LONGEST;
use super::{date_pattern, hash, number_pattern};

pub(super) const FUNCTIONS: &[Function] = &[
    planner("ascii", &[text("text")], "ascii", "The code of the first character."),
    computed("char", &[int("code")], Compute::Text(character), "The character of a code.").or(&["nchar"]),
    computed(
        "charindex",
        &[text("find"), text("in"), int("start").optional()],
        Compute::Int(|call| Ok(Some(index_of(call.text(1), call.text(0), call.int(2))))),
        "Where `find` begins in `in`, from 0 on, not before `start`; -1 if it does not.",
    )
    .noting("From 0 on as CData's, unlike SQL Server's."),
    planner("char_length", &[text("text")], "character_length", "The number of characters.").or(&["len"]),
    planner("concat", &[any("text").repeated()], "concat", "The texts one behind the other.")
        .noting("NULL counts as an empty text, as in SQL Server."),
    computed(
        "contains",
        &[text("in"), text("find")],
        Compute::Int(|call| Ok(Some(i64::from(call.text(0).contains(call.text(1)))))),
        "1 if `in` contains `find`, else 0; also a condition by itself.",
    ),
    computed(
        "endswith",
        &[text("text"), text("end")],
        Compute::Int(|call| Ok(Some(i64::from(call.text(0).ends_with(call.text(1)))))),
        "1 if `text` ends with `end`, else 0; also a condition by itself.",
    ),
    computed(
        "format",
        &[any("value"), text("parse").optional(), text("pattern")],
        Compute::Text(format),
        "A number or date written by a pattern; with three arguments the text is read by `parse` first.",
    )
    .noting("Patterns of numbers know `0 # . , % E`, those of dates `yyyy MM dd HH mm ss fff` and the like; names are English."),
    computed(
        "hashbytes",
        &[text("algorithm"), any("value")],
        Compute::Text(hash::hash_bytes),
        "The digest of a value by MD5, SHA1, SHA2_256 or SHA2_512.",
    )
    .noting("Hexadecimal text with 0x before it; CData gives bytes, which most tables cannot show."),
    computed(
        "indexof",
        &[text("in"), text("find"), int("start").optional()],
        Compute::Int(|call| Ok(Some(index_of(call.text(0), call.text(1), call.int(2))))),
        "As CHARINDEX, with the arguments the other way round.",
    ),
    planner("coalesce", &[any("value").repeated()], "coalesce", "The first of the values that is not NULL.")
        .noting("As ISNULL where some are texts."),
    function(
        "convert",
        &[any("type"), any("value"), int("style").optional()],
        Body::Syntax,
        "The value as another type, as CAST; a date by the pattern that SQL Server numbers so.",
    )
    .noting("The styles are 20, 21, 23, 25, 101 to 105, 108, 110 to 112, 120, 121 and 126."),
    function(
        "iif",
        &[any("condition"), any("value"), any("otherwise")],
        Body::Syntax,
        "The value if the condition is true, else the other one.",
    )
    .or(&["if"]),
    planner("isnull", &[any("value"), any("replacement")], "coalesce", "The value, or the replacement if it is NULL.")
        .or(&["ifnull", "nvl"])
        .noting("Where one is a text and the other is not, the result is a text, unless the text says a value of the other's type."),
    computed(
        "left",
        &[text("text"), int("count")],
        Compute::Text(|call| Ok(Some(call.text(0).chars().take(size(call.int(1))).collect()))),
        "The first characters.",
    ),
    computed(
        "locate",
        &[text("find"), text("in")],
        Compute::Int(|call| Ok(Some(index_of(call.text(1), call.text(0), 0) + 1))),
        "Where `find` begins in `in`, from 1 on; 0 if it does not.",
    ),
    planner("lower", &[text("text")], "lower", "In small letters."),
    planner("ltrim", &[text("text"), text("characters").optional()], "ltrim", "Without the blanks before it, or the characters."),
    computed(
        "mask",
        &[text("text"), text("character"), int("from").optional(), int("to").optional()],
        Compute::Text(mask),
        "The text with each character replaced, but for the first `from` and the last `to`.",
    ),
    planner("octet_length", &[text("text")], "octet_length", "The number of bytes in UTF-8."),
    computed(
        "patindex",
        &[text("pattern"), text("text")],
        Compute::Int(pattern_index),
        "Where a LIKE pattern begins to match, from 1 on; 0 if it does not.",
    )
    .noting("`%` and `_` only; no sets of characters in brackets."),
    function(
        "position",
        &[text("find IN text")],
        Body::Syntax,
        "Where `find` begins in `text`, from 1 on; 0 if it does not.",
    ),
    computed(
        "quotename",
        &[text("name"), text("quote").optional()],
        Compute::Text(quote_name),
        "The name in brackets, or between the quotes given, with such quotes inside doubled.",
    ),
    planner("replace", &[text("text"), text("find"), text("with")], "replace", "With every `find` replaced."),
    computed(
        "replicate",
        &[text("text"), int("count")],
        Compute::Text(|call| repeat(call.text(0), call.int(1))),
        "The text so many times.",
    ),
    planner("reverse", &[text("text")], "reverse", "The characters from the last to the first."),
    computed(
        "right",
        &[text("text"), int("count")],
        Compute::Text(|call| {
            let text = call.text(0);
            let skipped = text.chars().count().saturating_sub(size(call.int(1)));
            Ok(Some(text.chars().skip(skipped).collect()))
        }),
        "The last characters.",
    ),
    planner("rtrim", &[text("text"), text("characters").optional()], "rtrim", "Without the blanks behind it, or the characters."),
    computed("soundex", &[text("text")], Compute::Text(soundex), "How it sounds in English: a letter and three digits."),
    computed("space", &[int("count")], Compute::Text(|call| repeat(" ", call.int(0))), "So many blanks."),
    computed(
        "split",
        &[text("text"), text("delimiter"), int("offset")],
        Compute::Text(split),
        "A part of the text between delimiters, from 1 on, or from the last on if negative; NULL if there is none.",
    ),
    computed(
        "startswith",
        &[text("text"), text("start")],
        Compute::Int(|call| Ok(Some(i64::from(call.text(0).starts_with(call.text(1)))))),
        "1 if `text` begins with `start`, else 0; also a condition by itself.",
    ),
    computed(
        "str",
        &[float("number"), int("length").optional(), int("decimals").optional()],
        Compute::Text(number_text),
        "A number as text, rounded; asterisks if it is longer than `length`.",
    )
    .noting("Not filled up with blanks to `length`, as CData's, unlike SQL Server's."),
    computed(
        "stuff",
        &[text("text"), int("start"), int("length"), text("with")],
        Compute::Text(stuff),
        "With `length` characters from `start` on replaced; NULL if `start` is outside.",
    ),
    planner(
        "substring",
        &[text("text"), int("start"), int("length").optional()],
        "substr",
        "`length` characters from `start` on, which counts from 1; also SUBSTRING(text FROM start FOR length).",
    ),
    computed("tostring", &[any("value")], Compute::Text(|call| Ok(Some(shown(call, 0)))), "The value as text; an empty one of NULL.").taking_null(),
    function(
        "trim",
        &[text("text")],
        Body::Syntax,
        "Without the blanks on both sides; also TRIM(LEADING 'x' FROM text) and the like.",
    ),
    computed(
        "unicode",
        &[text("text")],
        Compute::Int(|call| Ok(call.text(0).chars().next().map(|first| u32::from(first).into()))),
        "The code of the first character.",
    ),
    planner("upper", &[text("text")], "upper", "In capitals."),
];

fn size(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn character(call: &Call<'_>) -> Answer<String> {
    let code = u32::try_from(call.int(0)).ok().and_then(char::from_u32);
    Ok(code.map(String::from))
}

/// Where `find` begins among the characters from `start` on; -1 if it does not.
fn index_of(text: &str, find: &str, start: i64) -> i64 {
    let start = size(start);
    let Some((from, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(start) else {
        return -1;
    };
    match text[from..].find(find) {
        Some(bytes) => {
            let skipped = text[from..from + bytes].chars().count();
            i64::try_from(start + skipped).unwrap_or(-1)
        }
        None => -1,
    }
}

fn format(call: &Call<'_>) -> Answer<String> {
    const LONGEST_PATTERN: usize = 1_000;
    let value = call.cell(0);
    if [1, 2]
        .iter()
        .any(|&index| call.text(index).len() > LONGEST_PATTERN)
    {
        return Err(Complaint::new(
            "the pattern is longer than 1,000 characters",
        ));
    }
    if let Some(pattern) = call.text_if_given(2) {
        let Some(Cell::Text(text)) = value else {
            return Err(Complaint::new("what is read by a pattern has to be a text"));
        };
        let local = date_pattern::parse(text, call.text(1))?;
        return Ok(Some(date_pattern::write(local, pattern)));
    }
    let pattern = call.text(1);
    Ok(Some(match value {
        Some(Cell::Int(_) | Cell::Decimal(_) | Cell::Float(_)) => {
            number_pattern::write(call.float(0), pattern)
        }
        Some(Cell::Text(text)) => match text.trim().parse() {
            Ok(number) => number_pattern::write(number, pattern),
            Err(_) => date_pattern::write(call.local(0)?, pattern),
        },
        _ => date_pattern::write(call.local(0)?, pattern),
    }))
}

fn mask(call: &Call<'_>) -> Answer<String> {
    let text = call.text(0);
    let count = text.chars().count();
    let (from, to) = (size(call.int(2)), size(call.int(3)));
    let masked = from..count.saturating_sub(to);
    let mut characters = call.text(1).chars();
    let (Some(mask), None) = (characters.next(), characters.next()) else {
        return Err(Complaint::new(
            "the character of the mask has to be one character",
        ));
    };
    let each = text.chars().enumerate();
    Ok(Some(
        each.map(|(index, own)| if masked.contains(&index) { mask } else { own })
            .collect(),
    ))
}

fn pattern_index(call: &Call<'_>) -> Answer<i64> {
    let text: Vec<char> = call.text(1).chars().collect();
    let pattern: Vec<char> = call.text(0).chars().collect();
    let found = match pattern.split_first() {
        // What stands behind a leading `%` may begin anywhere; nothing begins at once.
        Some(('%', rest)) if !rest.is_empty() => first_match(&text, rest),
        _ => matches(&text, &pattern).then_some(0),
    };
    Ok(Some(
        found
            .and_then(|start| i64::try_from(start + 1).ok())
            .unwrap_or(0),
    ))
}

/// Where the text first begins to be like the pattern, up to its end.
fn first_match(text: &[char], pattern: &[char]) -> Option<usize> {
    let same = |own: &[char], wanted: &[char]| {
        let mut both = own.iter().zip(wanted);
        both.all(|(own, wanted)| *wanted == '_' || own == wanted)
    };
    let Some(length) = pattern.iter().position(|&c| c == '%') else {
        let start = text.len().checked_sub(pattern.len())?;
        return same(&text[start..], pattern).then_some(start);
    };
    // Behind the first place at which the beginning matches, there is the most text for what follows.
    let (beginning, rest) = pattern.split_at(length);
    let last = text.len().checked_sub(length)?;
    let start = (0..=last).find(|&start| same(&text[start..start + length], beginning))?;
    matches(&text[start + length..], rest).then_some(start)
}

/// Whether the whole text is like the pattern.
fn matches(text: &[char], pattern: &[char]) -> bool {
    // Where to go on after the last `%`: the pattern behind it, and the text it has to match from.
    let mut retry: Option<(usize, usize)> = None;
    let (mut at, mut in_pattern) = (0, 0);
    loop {
        match pattern.get(in_pattern) {
            Some('%') => {
                in_pattern += 1;
                retry = Some((in_pattern, at));
                continue;
            }
            Some(wanted)
                if text
                    .get(at)
                    .is_some_and(|own| *wanted == '_' || own == wanted) =>
            {
                (at, in_pattern) = (at + 1, in_pattern + 1);
                continue;
            }
            None if at == text.len() => return true,
            _ => {}
        }
        match retry {
            Some((behind, from)) if from < text.len() => {
                (at, in_pattern) = (from + 1, behind);
                retry = Some((behind, from + 1));
            }
            _ => return false,
        }
    }
}

fn quote_name(call: &Call<'_>) -> Answer<String> {
    let (open, close) = match call.text_if_given(1) {
        None | Some("[" | "]" | "[]") => ("[", "]"),
        Some("(" | ")" | "()") => ("(", ")"),
        Some("{" | "}" | "{}") => ("{", "}"),
        Some("<" | ">" | "<>") => ("<", ">"),
        Some(quote @ ("\"" | "'" | "`")) => (quote, quote),
        Some(other) => {
            return Err(Complaint::new(format!("{} is no quote", quoted(other)))
                .with_hint("take one of [ ] ( ) { } < > \" ' `"));
        }
    };
    let inner = call.text(0).replace(close, &close.repeat(2));
    Ok(Some(format!("{open}{inner}{close}")))
}

fn repeat(text: &str, count: i64) -> Answer<String> {
    let count = size(count);
    match text.len().checked_mul(count) {
        Some(bytes) if bytes <= LONGEST => Ok(Some(text.repeat(count))),
        _ => Err(Complaint::too_long()),
    }
}

fn soundex(call: &Call<'_>) -> Answer<String> {
    let letters = call.text(0).chars().filter(char::is_ascii_alphabetic);
    let mut code = String::new();
    let mut before = None;
    for letter in letters.map(|letter| letter.to_ascii_uppercase()) {
        let digit = match letter {
            'B' | 'F' | 'P' | 'V' => Some('1'),
            'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
            'D' | 'T' => Some('3'),
            'L' => Some('4'),
            'M' | 'N' => Some('5'),
            'R' => Some('6'),
            _ => None,
        };
        if code.is_empty() {
            code.push(letter);
        } else if let Some(digit) = digit.filter(|_| digit != before) {
            code.push(digit);
        }
        // H and W do not part letters that sound alike; vowels do.
        if !matches!(letter, 'H' | 'W') {
            before = digit;
        }
    }
    if code.is_empty() {
        return Ok(Some(code));
    }
    Ok(Some(format!("{code:0<4}").chars().take(4).collect()))
}

fn split(call: &Call<'_>) -> Answer<String> {
    let (text, delimiter, offset) = (call.text(0), call.text(1), call.int(2));
    if delimiter.is_empty() {
        return Err(Complaint::new("the delimiter is empty"));
    }
    let place = size(offset.saturating_abs());
    let part = match offset {
        0 => None,
        1.. => text.split(delimiter).nth(place - 1),
        _ => text.rsplit(delimiter).nth(place - 1),
    };
    Ok(part.map(str::to_owned))
}

fn number_text(call: &Call<'_>) -> Answer<String> {
    let length = call.int_if_given(1).map_or(10, size);
    let decimals = size(call.int(2)).min(16);
    let text = number_pattern::fixed(call.float(0), decimals);
    Ok(Some(if text.len() > length {
        "*".repeat(length)
    } else {
        text
    }))
}

fn stuff(call: &Call<'_>) -> Answer<String> {
    let text: Vec<char> = call.text(0).chars().collect();
    let (start, length) = (call.int(1), call.int(2));
    if start < 1 || size(start) > text.len() || length < 0 {
        return Ok(None);
    }
    let from = size(start) - 1;
    let behind = from.saturating_add(size(length)).min(text.len());
    let mut stuffed: String = text[..from].iter().collect();
    stuffed.push_str(call.text(3));
    stuffed.extend(&text[behind..]);
    Ok(Some(stuffed))
}

/// An argument as text.
pub(super) fn shown(call: &Call<'_>, index: usize) -> String {
    match call.cell(index) {
        None | Some(Cell::Null) => String::new(),
        Some(Cell::Bool(value)) => value.to_string(),
        Some(Cell::Int(value)) => value.to_string(),
        Some(Cell::Decimal(value)) => value.to_string(),
        Some(Cell::Float(value)) => value.to_string(),
        Some(Cell::Text(text)) => text.to_owned(),
        Some(Cell::Moment(moment)) => moment.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Some(Cell::Date(date)) => date.to_string(),
        Some(Cell::Time(time)) => time.to_string(),
    }
}

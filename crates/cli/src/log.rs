//! The program's log, on the standard error.

use std::fmt::Debug;
use std::io::{self, Write};

use bucketline_secret::process;
use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::LogFormat;
use crate::escape::escape_except;

/// Which entries are written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter(Targets);

impl Filter {
    /// That of a server, unless another one is wanted.
    pub(crate) fn of_server() -> Self {
        Self(Targets::new().with_target("bucketline", LevelFilter::WARN))
    }

    /// The filter that a text describes; an empty one writes nothing. A level alone is that of Bucketline's own crates, and not of the libraries below them.
    ///
    /// # Errors
    /// If it is neither a level nor a list of `target=level`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "give off, error, warn, info, debug or trace, or a list such as info,bucketline_rest=trace".to_owned()
        };
        let mut targets = Targets::new();
        if text.trim().is_empty() {
            return Ok(Self(targets));
        }
        for part in text.split(',').map(str::trim) {
            let (target, level) = part.split_once('=').unwrap_or(("bucketline", part));
            let level = match level.to_ascii_lowercase().as_str() {
                // Levels by number are the parser's own.
                "off" | "error" | "warn" | "info" | "debug" | "trace" => level.parse(),
                _ => return Err(wrong()),
            };
            let level: LevelFilter = level.map_err(|_| wrong())?;
            if target.is_empty() {
                return Err(wrong());
            }
            targets = targets.with_target(target, level);
        }
        Ok(Self(targets))
    }

    /// Whether no entry at all is written.
    pub(crate) fn is_off(&self) -> bool {
        let mut levels = self.0.iter().map(|(_, level)| level);
        levels.all(|level| level == LevelFilter::OFF)
    }
}

/// Starts the log of this process.
pub(crate) fn start(filter: Filter, format: LogFormat) {
    let lines = match format {
        LogFormat::Text => layer().with_ansi(false).with_writer(|| Masked).boxed(),
        LogFormat::Json => Objects.boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter.0))
        .init();
}

/// Takes secrets, and what a terminal would obey, out of each entry. An entry is written in one piece.
struct Masked;

impl Write for Masked {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(shown(entry).as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// An entry as it is written.
fn shown(entry: &[u8]) -> String {
    let text = String::from_utf8_lossy(entry);
    escape_except(&process::scrub(&text), &['\n']).into_owned()
}

/// Writes an object a line. Members of an entry come after those of the spans that it lies in.
struct Objects;

/// The members of a span.
struct Members(Map<String, Value>);

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Objects {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut members = Map::new();
        attributes.record(&mut Recorded(&mut members));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Members(members));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let about = event.metadata();
        let mut entry = Map::new();
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        entry.insert("event".into(), "log".into());
        entry.insert("time".into(), now.into());
        entry.insert(
            "level".into(),
            about.level().as_str().to_ascii_lowercase().into(),
        );
        entry.insert("target".into(), about.target().into());
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(Members(members)) = span.extensions().get() {
                entry.extend(members.clone());
            }
        }
        event.record(&mut Recorded(&mut entry));
        let line = format!("{}\n", Value::Object(entry));
        // There is nobody to tell that the standard error is gone.
        drop(Masked.write_all(line.as_bytes()));
    }
}

/// Turns fields into members.
struct Recorded<'m>(&'m mut Map<String, Value>);

impl Recorded<'_> {
    fn keep(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Recorded<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.keep(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use bucketline_secret::process;
    use tracing::Level;

    use super::{Filter, shown};

    #[test]
    fn a_level_alone_is_that_of_our_own_crates() {
        let filter = Filter::parse("info,bucketline_rest=trace, hyper=debug").unwrap();
        let shows = |target, level: Level| filter.0.would_enable(target, &level);
        assert!(shows("bucketline_app::scheduler", Level::INFO));
        assert!(!shows("bucketline_app::scheduler", Level::DEBUG));
        assert!(shows("bucketline_rest::client", Level::TRACE));
        assert!(shows("hyper::proto", Level::DEBUG));
        assert!(!shows("rustls", Level::ERROR));
        for off in ["OFF", "", "off,hyper=off"] {
            assert!(Filter::parse(off).unwrap().is_off(), "{off}");
        }
        assert!(!filter.is_off());
    }

    #[test]
    fn an_entry_of_any_library_shows_no_secret() {
        process::hide("secret-that-a-library-logs");
        let entry = b"TRACE hyper::proto: token secret-that-a-library-logs \x1b[2J\n";
        let line = shown(entry);
        assert_eq!(line, "TRACE hyper::proto: token *** \\u001b[2J\n");
    }

    #[test]
    fn wrong_levels_are_refused() {
        for wrong in [
            "loud",
            "7",
            "info,",
            "hyper=",
            "=info",
            "hyper=loud",
            "info=info=info",
        ] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
    }
}

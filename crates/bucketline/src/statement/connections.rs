//! The statements that make, drop, test and choose connections.

use std::sync::{Mutex, PoisonError};

use bucketline_core::code::session as code;
use bucketline_source::Observer;
use bucketline_sql::{CreateConnection, DropConnection, Ident, Name};

use super::{Done, Scene, texts};
use crate::check::check;
use crate::{ConnectionProperties, Error, Event, Result};

impl Scene<'_> {
    pub(super) fn create_connection(&self, create: &CreateConnection) -> Result<Done> {
        let kind = create.kind.iter().map(|kind| ("Type", kind.text.clone()));
        let pairs = kind.chain(create.settings.pairs());
        let name = &create.name.text;
        if !self.session.access.makes_connections() {
            let message = format!("connection {name}: no statement makes a connection here");
            return Err(Error::new(code::ACCESS, message)
                .with_hint("make it in the program, and name it in the statement"));
        }
        let properties = ConnectionProperties::new(format!("connection {name}"), pairs)
            .within(&self.session.access)?;
        self.session.connect(name, &properties, create.or_replace)?;
        let idle = properties.without_effect();
        idle.iter().for_each(|note| self.voice.note(note));
        Ok(Done::default())
    }

    pub(super) fn drop_connection(&self, dropped: &DropConnection) -> Result<Done> {
        match self.session.disconnect(&dropped.name.text) {
            Err(error) if !dropped.if_exists => Err(error.or_at(dropped.name.span)),
            Ok(()) | Err(_) => Ok(Done::default()),
        }
    }

    /// Tests a connection, a row for each step. The first that finds something missing is what the statement fails
    /// with at its end.
    pub(super) async fn test_connection(&self, name: &Ident) -> Result<Done> {
        let found = self.session.connection(&name.text);
        let (name, connection) = found.map_err(|error| error.or_at(name.span))?;
        let steps = Mutex::new((0, None));
        let heard = |what: String, outcome: Result<String>| {
            let (rows, missing) = &mut *steps.lock().unwrap_or_else(PoisonError::into_inner);
            let (outcome, details) = match outcome {
                Ok(well) => ("ok", well),
                Err(error) => {
                    let details = format!("{error} [{}]", error.code());
                    missing.get_or_insert_with(|| missing_of(&error, &format!("{name}: {what}")));
                    ("missing", details)
                }
            };
            let cells = [
                ("Step", what),
                ("Outcome", outcome.to_owned()),
                ("Details", details),
            ];
            if let Ok(row) = texts(cells.map(|(column, cell)| (column, vec![cell]))) {
                if *rows == 0 {
                    self.voice.say(Event::Columns(row.schema()));
                }
                *rows += 1;
                self.voice.say(Event::Rows(row));
            }
        };
        let tested = (name.as_str(), &*connection);
        check(self.session, tested, &[], self.context, &heard).await;
        match steps.into_inner().unwrap_or_else(PoisonError::into_inner) {
            (_, Some(missing)) => Err(missing),
            (rows, None) => Ok(Done {
                rows,
                requests: None,
            }),
        }
    }

    pub(super) async fn use_connection(&self, name: &Name) -> Result<Done> {
        let (connection, schema) = match name.parts.as_slice() {
            [connection] => (connection, None),
            [connection, schema] => (connection, Some(schema)),
            _ => {
                return Err(Error::new(
                    code::STATEMENT,
                    format!("USE {name}: that name has too many parts"),
                )
                .with_hint("USE connection; or USE connection.schema;"));
            }
        };
        if schema.is_none() && self.session.only_written(&connection.text) {
            return self.use_destination(connection);
        }
        self.session
            .engine
            .use_connection(connection, schema, self.context)
            .await?;
        let (connection, schema) = self.session.current();
        let schema = schema.map_or_else(String::new, |schema| format!(".{schema}"));
        self.voice
            .say(Event::Message(format!("using {connection}{schema}")));
        Ok(Done::default())
    }

    pub(super) fn use_destination(&self, name: &Ident) -> Result<Done> {
        let used = self.session.write_to(&name.text);
        used.map_err(|error| error.or_at(name.span))?;
        let label = self.session.destination_label();
        self.voice
            .say(Event::Message(format!("REPLICATE writes to {label}")));
        Ok(Done::default())
    }
}

/// What a test of a connection found missing; `step` says what of which connection was looked at.
fn missing_of(error: &Error, step: &str) -> Error {
    let missing = Error::new(code::CONNECTION_TEST, format!("{step}: {error}"));
    let missing = missing.with_kind(error.kind());
    match error.hint() {
        Some(hint) => missing.with_hint(hint),
        None => missing,
    }
}

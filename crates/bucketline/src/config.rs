//! `bucketline.toml`: the destination, the connections and the options of statements.

use std::collections::BTreeMap;
use std::path::Path;

use bucketline_core::code::session as code;
use bucketline_sql::ConnectionString;
use serde::Deserialize;

use crate::{ConnectionProperties, DestinationSetting, Error, Result, StatementOptions};

/// Bytes that a configuration file may have.
const MOST: u64 = 1 << 20;

/// What a configuration file says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What is written to.
    pub destination: Option<DestinationSetting>,
    /// Connections by name, in the order of the file.
    pub connections: Vec<(String, ConnectionProperties)>,
    /// The options of all statements.
    pub options: StatementOptions,
    /// What the user should know, such as a secret that stands in the file.
    pub notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    destination: toml::Table,
    #[serde(default)]
    connections: toml::Table,
    #[serde(default)]
    replicate: toml::Table,
}

impl Config {
    /// Reads a file. Relative paths of the destination and of connections are relative to the file's folder.
    ///
    /// # Errors
    /// If the file cannot be read, or says something wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let text = bucketline_files::read_text(path, MOST).map_err(|error| {
            Error::new(
                code::CONFIGURATION,
                format!("{} cannot be read: {error}", path.display()),
            )
            .with_source(error)
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), folder)
    }

    /// Reads the text of a file. `origin` names it in errors.
    ///
    /// # Errors
    /// If it says something wrong.
    pub fn parse(text: &str, origin: &str, folder: &Path) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| {
            Error::new(
                code::CONFIGURATION,
                format!("{origin}: {}", masked(&error, text)),
            )
        })?;
        let mut config = Self::default();
        if !file.destination.is_empty() {
            let place = format!("{origin}, [destination]");
            let setting = destination(&place, file.destination)?.in_folder(folder);
            if setting.has_literal_secret() {
                config.notes.push(in_the_file(&place));
            }
            config.destination = Some(setting);
        }
        for (name, value) in file.replicate {
            let value = scalar(value).ok_or_else(|| {
                Error::new(
                    code::CONFIGURATION,
                    format!("{origin}, [replicate]: {name} must be a text, a number or a boolean"),
                )
            })?;
            config.options.set(origin, &name, &value)?;
        }
        for (name, value) in file.connections {
            let place = format!("{origin}, connection {name}");
            let properties = match value {
                toml::Value::String(text) => ConnectionProperties::parse(place.as_str(), &text)?,
                toml::Value::Table(table) => {
                    ConnectionProperties::new(place.as_str(), pairs(&place, table)?)
                }
                _ => {
                    return Err(Error::new(
                        code::CONFIGURATION,
                        format!("{place} must be a table of properties or a connection string"),
                    ));
                }
            };
            let properties = properties.in_folder(folder);
            if properties.has_literal_secret() {
                config.notes.push(in_the_file(&place));
            }
            config.connections.push((name, properties));
        }
        Ok(config)
    }
}

/// What a table says of what is written to: one of `path`, `url` and `connection`, or properties.
fn destination(place: &str, table: toml::Table) -> Result<DestinationSetting> {
    let pairs = pairs(place, table)?;
    let first = pairs.first_key_value();
    match first.map(|(key, value)| (key.as_str(), value)) {
        Some(("path", path)) if pairs.len() == 1 => Ok(DestinationSetting::file(place, path)),
        Some(("url", url)) if pairs.len() == 1 => Ok(DestinationSetting::url(place, url)),
        Some(("connection", text)) if pairs.len() == 1 => match text.contains('=') {
            false => Ok(DestinationSetting::Connection(text.clone())),
            true => {
                let string = ConnectionString::parse(text)
                    .map_err(|error| error.context(place).without_span())?;
                DestinationSetting::properties(place, string.iter())
            }
        },
        _ if ["path", "url", "connection"]
            .iter()
            .any(|key| pairs.contains_key(*key)) =>
        {
            Err(Error::new(
                code::CONFIGURATION,
                format!(
                    "{place} needs one of path, url and connection, or properties with their Type"
                ),
            ))
        }
        _ => DestinationSetting::properties(place, pairs),
    }
}

fn pairs(place: &str, table: toml::Table) -> Result<BTreeMap<String, String>> {
    let pair = |(key, value)| match scalar(value) {
        Some(value) => Ok((key, value)),
        None => Err(Error::new(
            code::CONFIGURATION,
            format!("{place}: {key} must be a text, a number or a boolean"),
        )),
    };
    table.into_iter().map(pair).collect()
}

fn in_the_file(place: &str) -> String {
    format!("{place}: the secret stands in the file; env:NAME or file:PATH would keep it out")
}

fn scalar(value: toml::Value) -> Option<String> {
    Some(match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        _ => return None,
    })
}

/// The parser's message and place without the values that it quotes, which may be secrets.
fn masked(error: &toml::de::Error, text: &str) -> String {
    let message = without_values(error.message());
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// A value of the wrong type is quoted: `invalid type: string "...", expected a map`, or ``integer `7` ``.
fn without_values(message: &str) -> String {
    let is_of_value = ["invalid type: ", "invalid value: "]
        .iter()
        .any(|start| message.starts_with(start));
    let quote = |c: char| c == '"' || is_of_value && c == '`';
    // What is expected may be quoted, too, and stays.
    let end = match is_of_value {
        true => message.rfind(", expected").unwrap_or(message.len()),
        false => message.len(),
    };
    let quoted = message.find(quote).zip(message[..end].rfind(quote));
    match quoted {
        Some((first, last)) if first < last => {
            format!("{}{}", message[..first].trim_end(), &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Config;

    #[test]
    fn connections_keep_the_order_of_the_file() {
        let text =
            "[connections.zeta]\nWorkspace = \"z\"\n[connections.alpha]\nWorkspace = \"a\"\n";
        let config = Config::parse(text, "bucketline.toml", Path::new("")).unwrap();
        let names: Vec<_> = config.connections.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["zeta", "alpha"]);
    }

    #[test]
    fn a_mistake_is_told_without_the_value_that_may_be_a_secret() {
        for text in [
            "connections = \"Workspace=a;Token=planted\"",
            "[connections]\nprod = \"Workspace=a;Token=\\\"planted\"",
            "[connections]\nprod = \"Token=planted",
            "[connections.prod]\nToken = planted",
            "[connections.prod]\nToken = [\"planted\"]",
            "[connections.prod]\nToken = \"a\"\nToken = \"planted\"",
            "destination = \"planted\"",
            "[destination]\npath = 7\nconnection = { planted = \"planted\" }",
            "connections = \"a\\\", expected planted\"",
        ] {
            let error = Config::parse(text, "bucketline.toml", Path::new("")).unwrap_err();
            let told = format!("{error} {error:?} {:?}", error.hint());
            assert!(!told.contains("planted"), "{text}: {told}");
            assert!(told.contains("bucketline.toml"), "{told}");
        }
    }

    #[test]
    fn a_number_that_may_be_a_secret_is_not_shown() {
        for text in [
            "connections = 918273645",
            "connections = 918273645.5",
            "[destination]\nurl = { a = 918273645 }",
            "[connections.prod]\nToken = 0918273645",
            "[connections.prod]\nToken = 91827364591827364591827364",
            "[connections.prod]\nToken = 918273645 7",
            "[connections.prod]\nToken = [918273645]",
        ] {
            let error = Config::parse(text, "bucketline.toml", Path::new("")).unwrap_err();
            let told = format!("{error} {error:?} {:?}", error.hint());
            assert!(!told.contains("918273645"), "{text}: {told}");
        }
    }
}

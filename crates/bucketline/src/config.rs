//! `bucketline.toml`: the destination, the connections and the options of statements.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{ConnectionProperties, Error, Result, StatementOptions};

/// What a configuration file says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The SQLite file that is written to.
    pub destination: Option<PathBuf>,
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
    destination: Option<DestinationTable>,
    #[serde(default)]
    connections: toml::Table,
    #[serde(default)]
    replicate: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationTable {
    path: Option<PathBuf>,
    connection: Option<String>,
}

impl Config {
    /// Reads a file. Relative paths of the destination and of connections are relative to the file's folder.
    ///
    /// # Errors
    /// If the file cannot be read, or says something wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            Error::configuration(format!("{} cannot be read: {error}", path.display()))
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
        let file: File = toml::from_str(text)
            .map_err(|error| Error::configuration(format!("{origin}: {}", masked(&error, text))))?;
        let mut config = Self::default();
        if let Some(destination) = file.destination {
            let path = match (destination.path, destination.connection) {
                (Some(path), None) => path,
                (None, Some(string)) => data_source(origin, &string)?,
                _ => {
                    return Err(Error::configuration(format!(
                        "{origin}: [destination] needs either path or connection"
                    )));
                }
            };
            config.destination = Some(folder.join(path));
        }
        for (name, value) in file.replicate {
            let value = scalar(value).ok_or_else(|| {
                Error::configuration(format!(
                    "{origin}, [replicate]: {name} must be a text, a number or a boolean"
                ))
            })?;
            config.options.set(origin, &name, &value)?;
        }
        for (name, value) in file.connections {
            let place = format!("{origin}, connection {name}");
            let properties = match value {
                toml::Value::String(text) => ConnectionProperties::parse(place.as_str(), &text)?,
                toml::Value::Table(table) => {
                    let pairs: BTreeMap<String, String> = table
                        .into_iter()
                        .map(|(key, value)| {
                            scalar(value).map(|value| (key.clone(), value)).ok_or(key)
                        })
                        .collect::<Result<_, String>>()
                        .map_err(|key| {
                            Error::configuration(format!(
                                "{place}: {key} must be a text, a number or a boolean"
                            ))
                        })?;
                    ConnectionProperties::new(place.as_str(), pairs)
                }
                _ => {
                    return Err(Error::configuration(format!(
                        "{place} must be a table of properties or a connection string"
                    )));
                }
            };
            let properties = properties.in_folder(folder);
            if properties.has_literal_secret() {
                config.notes.push(format!(
                    "{place}: the secret stands in the file; env:NAME or file:PATH would keep it out"
                ));
            }
            config.connections.push((name, properties));
        }
        Ok(config)
    }
}

fn data_source(origin: &str, text: &str) -> Result<PathBuf> {
    let string = bucketline_sql::ConnectionString::parse(text)?;
    string.get("Data Source").map(PathBuf::from).ok_or_else(|| {
        Error::configuration(format!(
            "{origin}: [destination] connection has no Data Source"
        ))
        .with_hint("connection = \"Data Source=copy.db\"")
    })
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

/// The parser's message and place without what stands there, which may hold a secret.
fn masked(error: &toml::de::Error, text: &str) -> String {
    // A value of the wrong type is quoted: `invalid type: string "...", expected a map`.
    let message = match error
        .message()
        .split_once(" \"")
        .zip(error.message().rsplit_once('"'))
    {
        Some(((before, _), (_, after))) => format!("{before}{after}"),
        None => error.message().to_owned(),
    };
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
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
        ] {
            let error = Config::parse(text, "bucketline.toml", Path::new("")).unwrap_err();
            let told = format!("{error} {error:?} {:?}", error.hint());
            assert!(!told.contains("planted"), "{text}: {told}");
            assert!(told.contains("bucketline.toml"), "{told}");
        }
    }
}

//! What the command line, the environment and the configuration file mean together. An option
//! counts before the environment, and that before the file.

use std::env::VarError;
use std::path::PathBuf;

use bucketline::sql::{ParameterValue, Parameters, is_sensitive};
use bucketline::{
    Access, Config, ConnectionProperties, DestinationSetting, Opener, Session, StatementOptions,
};

use crate::application;
use crate::arguments::Options;
use crate::error::{Error, Result};
use crate::trust;

const FILE: &str = "bucketline.toml";

/// The connection that the environment makes.
const FROM_ENVIRONMENT: &str = "bitbucket";

/// What surrounds the program.
pub(crate) struct Surroundings<'a> {
    /// A variable of the environment, as [`std::env::var`] gives it.
    pub(crate) variable: &'a dyn Fn(&str) -> Result<String, VarError>,
    /// All variables of the environment, for scripts; without a text those that are not UTF-8.
    pub(crate) variables: Vec<(String, Option<String>)>,
    /// The user's folder.
    pub(crate) home: Option<PathBuf>,
    /// The current folder; empty, so that its files are named as the user would.
    pub(crate) folder: PathBuf,
    /// Asks a person a question that is answered by yes or no; `None` if nobody can be asked.
    pub(crate) ask: &'a dyn Fn(&str) -> Option<bool>,
}

impl Surroundings<'_> {
    /// A variable that is set and not empty.
    fn variable(&self, name: &'static str) -> Result<Option<String>> {
        match (self.variable)(name) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(Error::Variable { name }),
        }
    }

    fn path(&self, variable: &'static str) -> Result<Option<PathBuf>> {
        Ok(self.variable(variable)?.map(PathBuf::from))
    }

    /// Our folder in the one that `variable` names, else in `fallback` of the user's.
    fn ours(&self, variable: &'static str, fallback: &str) -> Result<Option<PathBuf>> {
        let named = self.path(variable)?.filter(|path| path.is_absolute());
        let base = named.or_else(|| Some(self.home.as_ref()?.join(fallback)));
        Ok(base.map(|base| base.join("bucketline")))
    }
}

/// What a session is made from.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Connections by name; the first is the current one.
    pub(crate) connections: Vec<(String, ConnectionProperties)>,
    /// What is written to.
    pub(crate) destination: DestinationSetting,
    /// Where request budgets, tokens and the history are kept.
    pub(crate) state: Option<PathBuf>,
    /// Where the application's store is, if the environment says so.
    pub(crate) store: Option<String>,
    /// The options of all statements.
    pub(crate) options: StatementOptions,
    /// The values of the parameters of scripts.
    pub(crate) parameters: Parameters,
    /// The time zone of functions of dates.
    pub(crate) time_zone: Option<String>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
}

impl Settings {
    /// Reads the configuration file and puts everything together.
    pub(crate) fn resolve(options: &Options, surroundings: &Surroundings<'_>) -> Result<Self> {
        let found = configuration_file(options, surroundings)?;
        let file = match &found {
            Some(found) => Config::read(&found.path)?,
            None => Config::default(),
        };
        let mut connections: Vec<(String, ConnectionProperties)> = Vec::new();
        for option in &options.connections {
            let (name, properties) = connection_option(option)?;
            match position(&connections, &name) {
                Some(earlier) => connections[earlier].1 = properties,
                None => connections.push((name, properties)),
            }
        }
        let is_known = |name| {
            position(&connections, name).is_some() || position(&file.connections, name).is_some()
        };
        if !is_known(FROM_ENVIRONMENT) {
            let others = !connections.is_empty() || !file.connections.is_empty();
            let properties = environment_connection(surroundings, others)?;
            connections.extend(properties.map(|it| (FROM_ENVIRONMENT.to_owned(), it)));
        }
        let mut reached = Vec::new();
        for (name, properties) in file.connections {
            if position(&connections, &name).is_none() {
                reached.extend(properties.credential_hosts());
                connections.push((name, properties));
            }
        }
        let mut statement_options = file.options;
        let going_on = match (options.continue_on_error, options.stop_on_error) {
            (true, _) => Some(("--continue", "TRUE")),
            (_, true) => Some(("--stop-on-error", "FALSE")),
            (false, false) => None,
        };
        if let Some((option, value)) = going_on {
            statement_options.set(option, "ContinueOnError", value)?;
        }
        if options.fail_on_lost_values {
            statement_options.set("--fail-on-lost-values", "LostValues", "FAIL")?;
        }
        let mut notes = file.notes;
        notes.extend(
            connections
                .iter()
                .flat_map(|(_, properties)| properties.without_effect()),
        );
        let destination = match destination(options, surroundings, &connections)? {
            Some(named) => named,
            None => {
                let setting = file.destination;
                reached.extend(
                    setting
                        .iter()
                        .flat_map(DestinationSetting::credential_hosts),
                );
                setting.unwrap_or_else(|| DestinationSetting::file("the default", "bucketline.db"))
            }
        };
        let state = match surroundings.path("BUCKETLINE_STATE")? {
            Some(named) => Some(named),
            None => surroundings.ours("XDG_STATE_HOME", ".local/state")?,
        };
        if let Some(found) = found.filter(|found| found.is_here) {
            trust::check(&found.path, reached, state.as_deref(), surroundings.ask)?;
        }
        Ok(Self {
            connections,
            destination,
            state,
            store: surroundings.variable("BUCKETLINE_STORE")?,
            options: statement_options,
            parameters: parameters(options, surroundings)?,
            time_zone: options.time_zone.clone(),
            notes,
        })
    }

    /// Makes the session. No request is made and no file is written. Requests that find nobody signed in show the
    /// page for it with `opener`.
    pub(crate) fn open(&self, opener: Option<Opener>) -> Result<Session> {
        let mut builder = Session::builder()
            .write_to(self.destination.clone())
            .options(self.options.clone())
            .parameters(self.parameters.clone())
            .access(Access::all());
        if let Some(opener) = opener {
            builder = builder.opener(opener);
        }
        if let Some(zone) = &self.time_zone {
            builder = builder.time_zone(zone);
        }
        if let Some(state) = &self.state {
            builder = builder.state_dir(state);
        }
        for table in application::record_tables(self) {
            builder = builder.host_table(table);
        }
        for (name, properties) in &self.connections {
            builder = builder.connection(name, properties.clone());
        }
        Ok(builder.build()?)
    }
}

/// A configuration file.
struct Found {
    path: PathBuf,
    /// Whether it was found in the current folder, which may be somebody else's: nobody named it.
    is_here: bool,
}

/// The file that is named, or the first that is there: in the current folder, in the user's
/// configuration folder.
fn configuration_file(options: &Options, surroundings: &Surroundings<'_>) -> Result<Option<Found>> {
    let named = match &options.config {
        Some(named) => Some(named.clone()),
        None => surroundings.path("BUCKETLINE_CONFIG")?,
    };
    if let Some(path) = named {
        return Ok(Some(Found {
            path,
            is_here: false,
        }));
    }
    let here = Found {
        path: surroundings.folder.join(FILE),
        is_here: true,
    };
    let users = surroundings.ours("XDG_CONFIG_HOME", ".config")?;
    let users = users.map(|folder| Found {
        path: folder.join(FILE),
        is_here: false,
    });
    let mut files = [Some(here), users].into_iter().flatten();
    Ok(files.find(|found| found.path.exists()))
}

fn position(connections: &[(String, ConnectionProperties)], name: &str) -> Option<usize> {
    connections
        .iter()
        .position(|(other, _)| other.eq_ignore_ascii_case(name))
}

/// The connection of `BITBUCKET_*`. Its secret stays a reference. Beside `others` a part of the variables makes
/// none: they are what those refer to.
fn environment_connection(
    surroundings: &Surroundings<'_>,
    others: bool,
) -> Result<Option<ConnectionProperties>> {
    let mut pairs = vec![];
    match surroundings.variable("BITBUCKET_WORKSPACE")? {
        Some(workspace) => pairs.push(("Workspace", workspace)),
        None if others => return Ok(None),
        None => {}
    }
    if surroundings.variable("BITBUCKET_API_TOKEN")?.is_some() {
        pairs.push(("AuthScheme", "APIToken".to_owned()));
        match surroundings.variable("BITBUCKET_EMAIL")? {
            Some(email) => pairs.push(("User", email)),
            None if others => return Ok(None),
            None => return Err(Error::EmailMissing),
        }
        pairs.push(("Token", "env:BITBUCKET_API_TOKEN".to_owned()));
    } else if surroundings.variable("BITBUCKET_ACCESS_TOKEN")?.is_some() {
        pairs.push(("AuthScheme", "AccessToken".to_owned()));
        pairs.push(("Token", "env:BITBUCKET_ACCESS_TOKEN".to_owned()));
    } else {
        // A workspace alone is no wish for a connection: pipelines set it for other ends.
        return Ok(None);
    }
    Ok(Some(ConnectionProperties::new(
        "the environment's connection",
        pairs,
    )))
}

fn connection_option(option: &str) -> Result<(String, ConnectionProperties)> {
    let (name, properties) = option.split_once('=').ok_or(Error::ConnectionOption)?;
    let name = name.trim();
    // `--connection "Workspace=acme;Token=..."` forgot the name.
    if name.is_empty() || !properties.contains('=') {
        return Err(Error::ConnectionOption);
    }
    let properties = ConnectionProperties::parse(format!("--connection {name}"), properties)?;
    if properties.has_literal_secret() {
        return Err(Error::LiteralSecret {
            place: format!("--connection {name}"),
        });
    }
    Ok((name.to_owned(), properties))
}

/// What the command line or the environment names as what is written to.
fn destination(
    options: &Options,
    surroundings: &Surroundings<'_>,
    connections: &[(String, ConnectionProperties)],
) -> Result<Option<DestinationSetting>> {
    const OPTION: &str = "--destination";
    const VARIABLE: &str = "BUCKETLINE_DESTINATION";
    let is_connection = |name: &str| position(connections, name).is_some();
    if let Some(text) = &options.destination {
        let setting = DestinationSetting::parse(OPTION, text, is_connection)?;
        if setting.has_literal_secret() {
            return Err(Error::LiteralSecret {
                place: OPTION.to_owned(),
            });
        }
        return Ok(Some(setting));
    }
    let text = surroundings.variable(VARIABLE)?;
    let setting = text.map(|text| DestinationSetting::parse(VARIABLE, &text, is_connection));
    Ok(setting.transpose()?)
}

/// The parameters that `--param` binds. The variables of a script are those of the environment but for these.
fn parameters(options: &Options, surroundings: &Surroundings<'_>) -> Result<Parameters> {
    let mut parameters = Parameters::new();
    for (name, text) in &surroundings.variables {
        parameters = match text {
            Some(text) => parameters.variable(name, text),
            None => parameters.unreadable_variable(name),
        };
    }
    for option in &options.parameters {
        let (name, value) = option.split_once('=').ok_or(Error::ParameterOption)?;
        let name = name.trim().trim_start_matches('@');
        if name.is_empty() {
            return Err(Error::ParameterOption);
        }
        if is_sensitive(name) {
            return Err(Error::SecretParameter {
                name: name.to_owned(),
            });
        }
        parameters = match (name.strip_prefix("env:"), name.parse()) {
            (Some(variable), _) => parameters.variable(variable, value),
            (None, Ok(number)) => parameters.numbered(number, parameter(value)),
            (None, Err(_)) => parameters.named(name, parameter(value)),
        };
    }
    Ok(parameters)
}

/// A value as SQL would write it; what is none is a text.
fn parameter(value: &str) -> ParameterValue {
    let quoted = || value.strip_prefix('\'')?.strip_suffix('\'');
    if let Some(text) = quoted() {
        return text.replace("''", "'").into();
    }
    if let Ok(number) = value.parse::<i64>() {
        return number.into();
    }
    let numeric = value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
    match (value.to_ascii_uppercase().as_str(), value.parse::<f64>()) {
        ("NULL", _) => ParameterValue::Null,
        ("TRUE", _) => true.into(),
        ("FALSE", _) => false.into(),
        (_, Ok(number)) if numeric => number.into(),
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::env::VarError;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::{Settings, Surroundings, parameter};
    use bucketline::DestinationSetting;
    use bucketline::sql::ParameterValue;

    use crate::arguments::Options;
    use crate::error::{Error, Result};

    /// Stands for the value of a variable that is not UTF-8.
    const NOT_UTF_8: &str = "\u{fffd}";

    /// Settings in a folder whose configuration has this text.
    fn resolve(file: &str, variables: &[(&str, &str)], options: &Options) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        if !file.is_empty() {
            fs::write(folder.path().join("bucketline.toml"), file).unwrap();
        }
        let variable = |name: &str| {
            let found = variables.iter().find(|(it, _)| *it == name);
            match found {
                Some((_, NOT_UTF_8)) => Err(VarError::NotUnicode(NOT_UTF_8.into())),
                Some((_, value)) => Ok((*value).to_owned()),
                None => Err(VarError::NotPresent),
            }
        };
        Settings::resolve(
            options,
            &Surroundings {
                variable: &variable,
                variables: variables
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())))
                    .collect(),
                home: Some(PathBuf::from("/nowhere")),
                folder: folder.path().to_owned(),
                ask: &|_| None,
            },
        )
    }

    fn names(settings: &Settings) -> Vec<&str> {
        settings
            .connections
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    }

    fn with_connection(text: &str) -> Options {
        Options {
            connections: vec![text.to_owned()],
            ..Options::default()
        }
    }

    const FILE: &str =
        "[destination]\npath = \"file.db\"\n[connections.prod]\nWorkspace = \"acme\"\n";

    #[test]
    fn a_parameter_is_what_it_looks_like_in_sql() {
        let text = |text: &str| ParameterValue::Text(text.to_owned());
        for (value, expected) in [
            ("5", ParameterValue::Int(5)),
            ("-5", ParameterValue::Int(-5)),
            ("1.5e3", ParameterValue::Float(1500.0)),
            ("true", ParameterValue::Bool(true)),
            ("Null", ParameterValue::Null),
            ("'5'", text("5")),
            ("'it''s'", text("it's")),
            ("2026-08-10", text("2026-08-10")),
            ("inf", text("inf")),
            ("", text("")),
        ] {
            assert!(parameter(value) == expected, "{value}");
        }
    }

    #[test]
    fn without_anything_there_is_a_default() {
        let settings = resolve("", &[], &Options::default()).unwrap();
        assert!(format!("{:?}", settings.destination).contains("\"bucketline.db\""));
        assert_eq!(
            settings.state.unwrap(),
            Path::new("/nowhere/.local/state/bucketline")
        );
        assert!(settings.connections.is_empty());
    }

    #[test]
    fn an_option_beats_the_environment_and_that_beats_the_file() {
        let variable = [("BUCKETLINE_DESTINATION", "environment.db")];
        let option = Options {
            destination: Some("option.db".into()),
            ..Options::default()
        };
        let destination = |variables: &[(&str, &str)], options: &Options| {
            let settings = resolve(FILE, variables, options).unwrap();
            format!("{:?}", settings.destination)
        };
        assert!(destination(&[], &Options::default()).contains("\"file.db\""));
        assert!(destination(&variable, &Options::default()).contains("\"environment.db\""));
        assert!(destination(&variable, &option).contains("\"option.db\""));
    }

    #[test]
    fn a_variable_that_is_not_utf_8_is_refused_and_not_shown() {
        for name in [
            "BUCKETLINE_CONFIG",
            "BUCKETLINE_DESTINATION",
            "BUCKETLINE_STATE",
            "BITBUCKET_WORKSPACE",
            "BITBUCKET_API_TOKEN",
            "BITBUCKET_ACCESS_TOKEN",
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
        ] {
            let error = resolve("", &[(name, NOT_UTF_8)], &Options::default()).unwrap_err();
            assert_eq!(error.to_string(), format!("{name} is not UTF-8 text"));
        }
        let token = [("BITBUCKET_API_TOKEN", "t"), ("BITBUCKET_EMAIL", NOT_UTF_8)];
        let error = resolve("", &token, &Options::default()).unwrap_err();
        assert!(matches!(
            error,
            Error::Variable {
                name: "BITBUCKET_EMAIL"
            }
        ));
    }

    #[test]
    fn a_destination_can_be_a_connection_or_a_server() {
        let file = "[destination]\nurl = \"postgres://me:planted@localhost/copy\"\n\
                    [connections.copies]\nType = \"SQLite\"\nPath = \"copies.db\"\n";
        let settings = resolve(file, &[], &Options::default()).unwrap();
        let shown = format!("{:?} {:?}", settings.destination, settings.notes);
        assert!(shown.contains("postgres://me@localhost/copy") && !shown.contains("planted"));
        assert!(
            shown.contains("[destination]: the secret stands in the file"),
            "{shown}"
        );

        let given = |text: &str| Options {
            destination: Some(text.into()),
            ..Options::default()
        };
        let settings = resolve(file, &[], &given("Copies")).unwrap();
        assert!(
            matches!(&settings.destination, DestinationSetting::Connection(name) if name == "Copies")
        );
        let error = resolve("", &[], &given("postgres://me:planted@db/copy")).unwrap_err();
        assert!(matches!(error, Error::LiteralSecret { .. }));
        let url = [("BUCKETLINE_DESTINATION", "postgres://me:planted@db/copy")];
        let settings = resolve("", &url, &Options::default()).unwrap();
        assert!(!format!("{settings:?}").contains("planted"));
    }

    #[test]
    fn the_environment_adds_a_connection_unless_the_file_has_it() {
        let variables = [
            ("BITBUCKET_WORKSPACE", "acme"),
            ("BITBUCKET_ACCESS_TOKEN", "hidden"),
        ];
        let settings = resolve(FILE, &variables, &Options::default()).unwrap();
        assert_eq!(names(&settings), ["bitbucket", "prod"]);
        let debug = format!("{settings:?}");
        assert!(
            debug.contains("env:BITBUCKET_ACCESS_TOKEN") && !debug.contains("hidden"),
            "{debug}"
        );

        let configured = "[connections.BitBucket]\nWorkspace = \"other\"\n";
        let settings = resolve(configured, &variables, &Options::default()).unwrap();
        assert_eq!(names(&settings), ["BitBucket"]);
        assert!(format!("{settings:?}").contains("other"));

        let workspace_alone = resolve("", &variables[..1], &Options::default()).unwrap();
        assert!(workspace_alone.connections.is_empty());
    }

    #[test]
    fn an_api_token_needs_its_email() {
        let variables = [("BITBUCKET_API_TOKEN", "t")];
        let error = resolve("", &variables, &Options::default()).unwrap_err();
        assert!(matches!(error, Error::EmailMissing));
    }

    #[test]
    fn the_quick_start_of_the_readme_makes_its_one_connection() {
        let readme = include_str!("../../../README.md");
        let block = readme.split("```toml\n").nth(1).unwrap();
        let file = block.split("```").next().unwrap();
        let token = ("BITBUCKET_API_TOKEN", "t");
        let email = ("BITBUCKET_EMAIL", "you@example.com");
        for variables in [
            &[token][..],
            &[token, email],
            &[("BITBUCKET_WORKSPACE", "w"), token],
        ] {
            let settings = resolve(file, variables, &Options::default()).unwrap();
            assert_eq!(names(&settings), ["prod"], "{variables:?}");
        }
    }

    #[test]
    fn options_come_first_then_the_environment_then_the_file_in_its_order() {
        let file =
            "[connections.zeta]\nWorkspace = \"z\"\n[connections.alpha]\nWorkspace = \"a\"\n";
        let variables = [
            ("BITBUCKET_WORKSPACE", "acme"),
            ("BITBUCKET_ACCESS_TOKEN", "hidden"),
        ];
        let options = with_connection("mine=Workspace=globex");
        let settings = resolve(file, &variables, &options).unwrap();
        assert_eq!(names(&settings), ["mine", "bitbucket", "zeta", "alpha"]);
    }

    #[test]
    fn an_option_replaces_a_connection() {
        let settings = resolve(FILE, &[], &with_connection("PROD=Workspace=globex")).unwrap();
        assert_eq!(names(&settings), ["PROD"]);
        assert!(format!("{settings:?}").contains("globex"));
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_shown() {
        let error = resolve(
            "",
            &[],
            &with_connection("a=Workspace=w;Token=plain-secret"),
        )
        .unwrap_err();
        assert!(matches!(error, Error::LiteralSecret { .. }));
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("plain-secret"));
        resolve("", &[], &with_connection("a=Workspace=w;Token=env:T")).unwrap();
    }

    #[test]
    fn a_connection_without_a_name_or_properties_is_refused() {
        for text in ["prod", "=Workspace=w", "Workspace=w"] {
            let error = resolve("", &[], &with_connection(text)).unwrap_err();
            assert!(matches!(error, Error::ConnectionOption), "{text}");
        }
    }

    #[test]
    fn a_file_of_the_current_folder_sends_no_credential_to_a_stranger() {
        let stranger = "BaseURL = \"https://git.stranger.example/2.0\"\n";
        let token = "Token = \"env:TOKEN\"\n";
        for file in [
            format!("[connections.prod]\n{stranger}{token}"),
            format!("[connections.prod]\n{token}{stranger}User = \"me\"\n"),
            format!(
                "[connections.prod]\n{token}OAuthClientId = \"a\"\nAuthScheme = \"OAuth\"\nOAuthServer = \"https://x.stranger.example\"\n"
            ),
            format!("[connections.prod]\n{token}BaseURL = \"https://bitbucket.org.stranger.example\"\n"),
            "[connections.prod]\nProxyServer = \"x.stranger.example\"\nProxyUser = \"a\"\nProxyPassword = \"env:P\"\n"
                .to_owned(),
            "[connections.pg]\nType = \"PostgreSQL\"\nServer = \"db.stranger.example\"\n".to_owned(),
            "[destination]\nurl = \"postgres://me@db.stranger.example/copy\"\n".to_owned(),
            "[destination]\nurl = \"postgres://me@localhost,db.stranger.example/copy\"\n".to_owned(),
        ] {
            match resolve(&file, &[], &Options::default()) {
                Err(Error::UntrustedHosts { hosts, .. }) => {
                    assert!(hosts[0].contains("stranger.example"), "{file}: {hosts:?}");
                }
                other => panic!("{file}: {other:?}"),
            }
        }
        for file in [
            format!("[connections.prod]\n{token}"),
            format!("[connections.prod]\n{stranger}"),
            format!("[connections.prod]\nBaseURL = \"http://127.0.0.1:8/2.0\"\n{token}"),
            format!("[connections.prod]\nBaseURL = \"http://[::1]:8/2.0\"\n{token}"),
            format!("[connections.prod]\nBaseURL = \"https://api.bitbucket.org/2.0\"\n{token}"),
            "[destination]\nurl = \"postgres://me@localhost/copy\"\n".to_owned(),
            "[destination]\npath = \"copy.db\"\n".to_owned(),
        ] {
            assert!(resolve(&file, &[], &Options::default()).is_ok(), "{file}");
        }
        // What the command line says replaces what the file says.
        let file = format!("[connections.prod]\n{stranger}{token}");
        assert!(resolve(&file, &[], &with_connection("prod=Workspace=acme")).is_ok());
    }

    #[test]
    fn a_named_file_must_be_there_and_unknown_properties_are_noted() {
        let options = Options {
            config: Some("/nowhere/x.toml".into()),
            ..Options::default()
        };
        assert!(matches!(resolve("", &[], &options), Err(Error::Library(_))));
        let settings = resolve(
            "[connections.a]\nWorkspce = \"x\"\n",
            &[],
            &Options::default(),
        )
        .unwrap();
        assert!(
            settings.notes[0].contains("did you mean Workspace?"),
            "{:?}",
            settings.notes
        );
    }
}

//! Connections from their properties. What a kind of connection knows is in a module of its own.

mod account;
mod archive;
mod bitbucket;
mod destination;
mod mistaken;
mod postgres;
mod sqlite;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bucketline_core::code::session as code;
use bucketline_destination::Destination;
use bucketline_engine::{Connection as Registered, PropertyFact};
use bucketline_replicate::DestinationCatalog;
use bucketline_rest::{BudgetStore, Claimant, Opener, TokenStore};
use bucketline_secret::Reference;
use bucketline_source::Source;
use bucketline_sql::{ConnectionString, Statement, is_sensitive, mask_source, nearest};
use secrecy::SecretString;

pub(crate) use self::account::Account;
pub use self::destination::DestinationSetting;
use crate::{Access, Error, Result, secret};

/// A kind of connection. A later source is one more of them.
struct Kind {
    /// What `Type` may be, the canonical name first.
    names: &'static [&'static str],
    properties: &'static [Property],
    /// Properties of the dialect that change nothing here, so that pasted connection strings work.
    idle: &'static [Idle],
    connect: fn(&ConnectionProperties, &Surroundings<'_>) -> Result<Connection>,
    /// The hosts that get a credential, other than Bitbucket's and this machine.
    credential_hosts: fn(&ConnectionProperties) -> Vec<String>,
    /// The hosts that are asked, and the folders of sockets.
    hosts: fn(&ConnectionProperties) -> Vec<String>,
}

/// The first is meant where nothing else is said.
const KINDS: &[Kind] = &[bitbucket::KIND, archive::KIND, sqlite::KIND, postgres::KIND];

/// Stands for a secret.
const MASK: &str = "***";

/// Says which kind it is.
const TYPE: &str = "Type";

/// A property: its names, the first being the canonical one, and a line about it.
struct Property {
    names: &'static [&'static str],
    doc: &'static str,
    holds: Holds,
}

/// What a property's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A text that anybody may see.
    Plain,
    /// A secret, or a reference to one.
    Secret,
    /// Paths of files or folders, with a semicolon between them.
    Paths,
}

impl Property {
    const fn plain(names: &'static [&'static str], doc: &'static str) -> Self {
        Self {
            names,
            doc,
            holds: Holds::Plain,
        }
    }

    const fn secret(names: &'static [&'static str], doc: &'static str) -> Self {
        Self {
            names,
            doc,
            holds: Holds::Secret,
        }
    }

    const fn paths(names: &'static [&'static str], doc: &'static str) -> Self {
        Self {
            names,
            doc,
            holds: Holds::Paths,
        }
    }

    fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|known| same(known, name))
    }
}

/// Properties without effect, and why; without a reason what they ask for is what happens anyway.
struct Idle {
    names: &'static [&'static str],
    why: Option<&'static str>,
}

/// What a session lends to a connection.
pub(crate) struct Surroundings<'a> {
    /// The connection's name.
    pub(crate) name: &'a str,
    /// The folder for budgets and tokens.
    pub(crate) state_dir: Option<&'a Path>,
    /// Where budgets are kept in place of the folder.
    pub(crate) budgets: Option<&'a Arc<dyn BudgetStore>>,
    /// Who asks for requests of the budgets.
    pub(crate) claimant: Option<&'a Claimant>,
    /// Shows the page on which a user signs in.
    pub(crate) opener: Option<&'a Opener>,
}

/// A connection of a session.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its kind, as `Type` names it.
    pub(crate) kind: &'static str,
    pub(crate) ends: Ends,
    /// Who signs in at a service, if there is one.
    pub(crate) account: Option<Arc<Account>>,
    /// A few tables, to see whether it can be read; empty if only looking tells which there are.
    pub(crate) sample: &'static [&'static str],
}

/// What a connection is good for.
#[derive(Debug)]
pub(crate) enum Ends {
    /// Its tables are replicated.
    Source(Arc<dyn Source>),
    /// REPLICATE can write to it, and its tables can be read in a SELECT.
    Destination(Arc<dyn Destination>),
    /// Both.
    Both(Arc<dyn Source>, Arc<dyn Destination>),
}

impl Ends {
    pub(crate) fn source(&self) -> Option<&Arc<dyn Source>> {
        match self {
            Self::Source(source) | Self::Both(source, _) => Some(source),
            Self::Destination(_) => None,
        }
    }

    pub(crate) fn destination(&self) -> Option<&Arc<dyn Destination>> {
        match self {
            Self::Destination(destination) | Self::Both(_, destination) => Some(destination),
            Self::Source(_) => None,
        }
    }

    /// How queries read it.
    pub(crate) fn registered(&self) -> Registered {
        match self {
            Self::Source(source) | Self::Both(source, _) => Registered::Source(Arc::clone(source)),
            Self::Destination(destination) => catalog(destination),
        }
    }
}

/// The tables of a destination, to be read in queries.
pub(crate) fn catalog(destination: &Arc<dyn Destination>) -> Registered {
    Registered::Catalog(Arc::new(DestinationCatalog::new(Arc::clone(destination))))
}

/// The properties of one connection, as written, and where they stand.
#[derive(Clone)]
pub struct ConnectionProperties {
    origin: String,
    pairs: Vec<(String, String)>,
    folder: PathBuf,
    /// What is not said may come from variables of the environment.
    uses_environment: bool,
    /// Where the tokens of its sign-ins are kept, and how they are called there.
    tokens: Option<(Arc<dyn TokenStore>, String)>,
}

impl fmt::Debug for ConnectionProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| (name.clone(), self.shown(name, value));
        f.debug_map().entries(self.pairs.iter().map(shown)).finish()
    }
}

impl ConnectionProperties {
    /// Properties by name; `origin` says in errors where they come from (`bucketline.toml, connection prod`).
    pub fn new(
        origin: impl Into<String>,
        pairs: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        let mut pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        destination::part_url(&mut pairs);
        Self {
            origin: origin.into(),
            pairs,
            folder: PathBuf::new(),
            uses_environment: true,
            tokens: None,
        }
    }

    /// Properties from a connection string, `Workspace=acme;Token=env:TOKEN`.
    ///
    /// # Errors
    /// If the string is malformed.
    pub fn parse(origin: impl Into<String>, text: &str) -> Result<Self> {
        let origin = origin.into();
        let string =
            ConnectionString::parse(text).map_err(|error| error.context(&origin).without_span())?;
        Ok(Self::new(origin, string.iter()))
    }

    /// The same, the tokens of whose sign-ins are kept there rather than in files, each under a name that begins with
    /// `name`.
    #[must_use]
    pub fn with_tokens(mut self, store: Arc<dyn TokenStore>, name: impl Into<String>) -> Self {
        self.tokens = Some((store, name.into()));
        self
    }

    /// The same, its relative paths being relative to `folder`.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Whether a secret stands in it as it is, not as a reference.
    pub fn has_literal_secret(&self) -> bool {
        self.pairs
            .iter()
            .any(|(name, value)| self.is_literal_secret(name, value))
    }

    fn is_literal_secret(&self, name: &str, value: &str) -> bool {
        match self.holds(name) {
            Holds::Secret => !secret::is_reference(value),
            Holds::Plain | Holds::Paths => holds_account(name, value),
        }
    }

    /// A value for people: without secrets.
    fn shown(&self, name: &str, value: &str) -> String {
        match self.holds(name) {
            Holds::Secret if !secret::is_reference(value) => MASK.to_owned(),
            // A user's name alone.
            _ if same(name, destination::URL) && !holds_account(name, value) => value.to_owned(),
            Holds::Secret | Holds::Plain | Holds::Paths => mask_source(value),
        }
    }

    fn holds(&self, name: &str) -> Holds {
        match self.known().iter().find(|known| known.is_called(name)) {
            Some(known) => known.holds,
            // A name that is mistyped may be a secret's all the same.
            None if is_sensitive(name) => Holds::Secret,
            None => Holds::Plain,
        }
    }

    /// The same for whoever may reach no more than `access`.
    ///
    /// # Errors
    /// If a value names a variable of the environment or a file out of reach.
    pub fn within(mut self, access: &Access) -> Result<Self> {
        let held: Vec<Holds> = self
            .pairs
            .iter()
            .map(|(name, _)| self.holds(name))
            .collect();
        let mut pairs = std::mem::take(&mut self.pairs);
        for ((name, value), holds) in pairs.iter_mut().zip(held) {
            let refused = |what: &str| {
                let error = Error::new(
                    code::ACCESS,
                    format!(
                        "{}: {name} names {what}, which statements of this session may not read",
                        self.origin
                    ),
                );
                error.with_hint(
                    "the program that made the session can allow it, or make the connection itself",
                )
            };
            let file = |path: &str| {
                if path.trim() == sqlite::MEMORY {
                    return Ok(PathBuf::from(path));
                }
                let found = access.file(Path::new(path.trim()));
                found.ok_or_else(|| refused("a file"))
            };
            match (holds, Reference::of(value)) {
                (Holds::Secret, Reference::Variable(name)) if !access.has_variable(name) => {
                    return Err(refused("a variable of the environment"));
                }
                (Holds::Secret, Reference::Keyring) if !access.has_environment() => {
                    return Err(refused("the keyring of the system"));
                }
                (Holds::Secret, Reference::File(path)) => {
                    let found = access.secret_file(path);
                    let found = found.ok_or_else(|| refused("a file"))?;
                    *value = format!("file:{}", found.display());
                }
                (Holds::Plain, _)
                    if same(name, destination::URL)
                        && !access.has_all_files()
                        && bucketline_postgres::names_file(value) =>
                {
                    return Err(refused("a file"));
                }
                (Holds::Paths, _) => {
                    let paths = value.split(';').filter(|path| !path.trim().is_empty());
                    let paths = paths.map(|path| Ok(file(path)?.display().to_string()));
                    *value = paths.collect::<Result<Vec<_>>>()?.join(";");
                }
                (Holds::Secret | Holds::Plain, _) => {}
            }
        }
        self.pairs = pairs;
        self.uses_environment = access.has_environment();
        Ok(self)
    }

    /// The kind that is named, if there is such a kind.
    fn kind(&self) -> Option<&'static Kind> {
        match self.value_of(|name| same(name, TYPE)) {
            None => KINDS.first(),
            Some((_, named)) => KINDS
                .iter()
                .find(|kind| kind.names.iter().any(|name| same(name, named))),
        }
    }

    fn known(&self) -> &'static [Property] {
        self.kind().map_or(&[], |kind| kind.properties)
    }

    fn value_of(&self, is_meant: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
        self.pairs
            .iter()
            .find(|(name, _)| is_meant(name))
            .map(|(name, value)| (name.as_str(), value.trim()))
            .filter(|(_, value)| !value.is_empty())
    }

    /// A property under any of its names: the name that was used, and the value.
    fn get(&self, canonical: &str) -> Option<(&str, &str)> {
        let known = self.known().iter();
        let property = known.clone().find(|known| known.names[0] == canonical)?;
        self.value_of(|name| property.is_called(name))
    }

    fn text(&self, canonical: &str) -> Option<&str> {
        self.get(canonical).map(|(_, value)| value)
    }

    fn number<T: FromStr>(&self, canonical: &str) -> Result<Option<T>> {
        let Some((name, value)) = self.get(canonical) else {
            return Ok(None);
        };
        let number = value
            .parse()
            .map_err(|_| self.error(format!("{name} = {value} is not a whole number that fits")))?;
        Ok(Some(number))
    }

    fn flag(&self, canonical: &str) -> Result<Option<bool>> {
        let Some((name, value)) = self.get(canonical) else {
            return Ok(None);
        };
        match value.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(self.error(format!("{name} = {value} is neither TRUE nor FALSE"))),
        }
    }

    /// A secret, fetched from where its value points.
    fn secret(&self, canonical: &str) -> Result<Option<SecretString>> {
        self.get(canonical)
            .map(|(name, value)| secret::resolve(&format!("{}: {name}", self.origin), value))
            .transpose()
    }

    /// An error about these properties.
    fn error(&self, message: impl fmt::Display) -> Error {
        Error::new(code::CONNECTION, format!("{}: {message}", self.origin))
    }

    /// The name of its type, if there is such a type.
    pub fn type_name(&self) -> Option<&'static str> {
        self.kind().map(|kind| kind.names[0])
    }

    /// The properties as a person may see them: secrets that are no references are masked.
    pub fn masked(&self) -> impl Iterator<Item = (&str, String)> {
        let shown = |(name, value): &'_ (String, String)| self.shown(name, value);
        self.pairs
            .iter()
            .map(move |pair| (pair.0.as_str(), shown(pair)))
    }

    /// The properties that its kind has under no name: mistyped, most likely.
    pub fn unknown(&self) -> Vec<String> {
        let others = self.others().into_iter();
        let unknown = others.filter(|(_, idle)| idle.is_none());
        unknown.map(|(name, _)| name.to_owned()).collect()
    }

    /// The properties that change nothing here, each with what is known of it.
    fn others(&self) -> Vec<(&str, Option<&'static Idle>)> {
        let Some(kind) = self.kind() else {
            return Vec::new();
        };
        let names = self.pairs.iter().map(|(name, _)| name.as_str());
        let others = names.filter(|name| {
            !same(name, TYPE) && !kind.properties.iter().any(|known| known.is_called(name))
        });
        let idle = |name: &str| {
            let is_meant = |idle: &&Idle| idle.names.iter().any(|known| same(known, name));
            kind.idle.iter().find(is_meant)
        };
        others.map(|name| (name, idle(name))).collect()
    }

    /// The properties that change nothing here, each with the reason, or with the nearest that does.
    pub fn without_effect(&self) -> Vec<String> {
        let known = || {
            let names = self.known().iter().flat_map(|known| known.names);
            names.copied()
        };
        let told = self.others().into_iter().filter_map(|(name, idle)| {
            match (idle, nearest(name, known())) {
                (Some(idle), _) => idle
                    .why
                    .map(|why| format!("{name} changes nothing here: {why}")),
                (None, Some(near)) => Some(format!("{name} is not known; did you mean {near}?")),
                (None, None) => Some(format!("{name} is not known and changes nothing")),
            }
        });
        told.map(|told| format!("{}: the property {told}", self.origin))
            .collect()
    }

    /// The properties of its kind with their values, secrets masked, for the system tables.
    pub(crate) fn facts(&self) -> Vec<PropertyFact> {
        let fact = |property: &Property| {
            let given = self.value_of(|name| property.is_called(name));
            PropertyFact {
                name: property.names[0].to_owned(),
                doc: property.doc.to_owned(),
                value: given.map(|(name, value)| self.shown(name, value)),
                is_secret: property.holds == Holds::Secret,
            }
        };
        self.known().iter().map(fact).collect()
    }

    /// Makes the connection. No request is made and no secret is looked for.
    ///
    /// # Errors
    /// If a property is wrong.
    pub(crate) fn connect(&self, surroundings: &Surroundings<'_>) -> Result<Connection> {
        let kind = self.kind().ok_or_else(|| {
            let named = self.value_of(|name| same(name, TYPE));
            let (_, named) = named.unwrap_or_default();
            let names: Vec<_> = KINDS.iter().map(|kind| kind.names[0]).collect();
            self.error(format!("there is no Type = {named}"))
                .with_hint(format!("the types are {}", names.join(", ")))
        })?;
        (kind.connect)(self, surroundings)
    }

    /// The hosts that would get a credential of this connection, other than Bitbucket's and this machine. Wrong
    /// properties name none: [`ConnectionProperties::connect`] refuses them.
    pub fn credential_hosts(&self) -> Vec<String> {
        let Some(kind) = self.kind() else {
            return Vec::new();
        };
        let mut hosts = (kind.credential_hosts)(self);
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// The hosts that this connection asks, each a name or an address, and the folders of sockets. Wrong properties name none.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts = self.kind().map_or_else(Vec::new, |kind| (kind.hosts)(self));
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// Whether an address has user information. The user's name in PostgreSQL's URL is no secret.
fn holds_account(name: &str, value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else {
        return false;
    };
    match rest.rsplit_once('@') {
        Some((account, _)) if same(name, destination::URL) => account.contains(':'),
        Some(_) => true,
        None => false,
    }
}

/// Whether a statement holds a secret as it is, where a reference would do: in CREATE CONNECTION, EXEC or SET.
pub fn has_literal_secret(statement: &Statement) -> bool {
    match statement {
        Statement::CreateConnection(create) => {
            let kind = create.kind.iter().map(|kind| (TYPE, kind.text.clone()));
            let pairs = kind.chain(create.settings.pairs());
            ConnectionProperties::new("", pairs).has_literal_secret()
        }
        Statement::Execute(execute) => execute
            .arguments
            .iter()
            .any(|argument| is_sensitive(&argument.name.text) && argument.value.has_literal()),
        Statement::Set(set) => is_sensitive(&set.name.last().text),
        Statement::SetParameter(set) => is_sensitive(&set.name.text),
        Statement::Explain(explain) => has_literal_secret(&explain.statement),
        _ => false,
    }
}

/// The properties of each kind of connection and a line about each, for the help.
pub fn connection_properties() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    KINDS.iter().flat_map(|kind| {
        let properties = kind.properties.iter();
        properties.map(|property| (kind.names[0], property.names[0], property.doc))
    })
}

/// Names of properties are compared without regard to case, blanks and underscores.
fn same(one: &str, other: &str) -> bool {
    fn plain(name: &str) -> impl Iterator<Item = char> {
        name.chars()
            .filter(|c| !matches!(c, ' ' | '_' | '-'))
            .map(|c| c.to_ascii_lowercase())
    }
    plain(one).eq(plain(other))
}

#[cfg(test)]
mod tests;

//! What the published specification says of the calls that the tables are read with.
//!
//! `facts.json` holds it, reduced to what is compared, so that the comparison needs nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The reduced specification.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// By path, with the specification's names of its places.
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) schemas: BTreeMap<String, Schema>,
}

/// A call by GET.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Operation {
    /// The scopes of an API token.
    pub(super) token: Vec<String>,
    /// The scopes of an OAuth consumer.
    pub(super) oauth: Vec<String>,
    /// The parameters after the path, each with its values if they are few.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) parameters: BTreeMap<String, Vec<String>>,
    /// The largest `pagelen`, where it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page_size: Option<u64>,
    /// The schema of the answer, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Schema {
    /// The schemas made from this one: an object of this one is an object of one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) kinds: Vec<String>,
    /// Members by their path within the object, those of unnamed objects included: the type of a
    /// scalar, `object` or `list`, or `#name` and `list of #name`, which lead to a schema.
    pub(super) members: BTreeMap<String, String>,
}

impl Facts {
    /// The file that they are kept in.
    pub(super) fn file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/published/facts.json")
    }

    /// Reads what is kept.
    pub(super) fn read() -> Self {
        let text = std::fs::read_to_string(Self::file()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(super) fn write(&self) {
        let text = serde_json::to_string_pretty(self).unwrap();
        std::fs::write(Self::file(), text + "\n").unwrap();
    }

    /// Reduces the specification to the calls of these paths, whose places are not compared by name.
    pub(super) fn reduce(specification: &Value, paths: &[String]) -> Self {
        let definitions = Definitions(&specification["definitions"]);
        let mut facts = Self::default();
        let published = specification["paths"].as_object().unwrap();
        for path in paths.iter().filter_map(|path| best(path, published.keys())) {
            let item = &published[path];
            let operation = Operation::reduce(item);
            if let Some(answer) = &operation.answer {
                facts.take_in(answer, &definitions);
            }
            facts.operations.insert(path.clone(), operation);
        }
        // Answers of their own kind, of which the specification has the schema and not the call.
        for (_, schemas) in super::ROWS {
            for schema in *schemas {
                facts.take_in(schema, &definitions);
            }
        }
        facts
    }

    /// Takes in a schema and all that it leads to.
    fn take_in(&mut self, name: &str, definitions: &Definitions<'_>) {
        if self.schemas.contains_key(name) {
            return;
        }
        let mut schema = Schema {
            kinds: definitions.kinds(name),
            members: BTreeMap::new(),
        };
        definitions.members(&definitions.0[name], "", &mut schema.members);
        let led_to: Vec<String> = schema
            .members
            .values()
            .filter_map(|kind| kind.split_once('#').map(|(_, name)| name.to_owned()))
            .chain(schema.kinds.iter().cloned())
            .collect();
        self.schemas.insert(name.to_owned(), schema);
        for name in led_to {
            self.take_in(&name, definitions);
        }
    }

    /// The call of a path.
    pub(super) fn operation(&self, path: &str) -> Option<(&String, &Operation)> {
        let path = best(path, self.operations.keys())?;
        self.operations.get_key_value(path)
    }

    /// The schema of a call's rows: that of the list's elements, or of the answer itself.
    pub(super) fn row(&self, operation: &Operation, rows: &str) -> Option<String> {
        let answer = operation.answer.as_deref()?;
        if rows.is_empty() {
            return Some(answer.to_owned());
        }
        let of = self.schemas[answer].members[rows].strip_prefix("list of #")?;
        Some(of.to_owned())
    }

    /// The members of a schema and of its kinds.
    pub(super) fn members(&self, schema: &str) -> BTreeMap<&str, &str> {
        let schema = &self.schemas[schema];
        let own = schema.members.iter().map(|(path, kind)| (&**path, &**kind));
        let mut all: BTreeMap<&str, &str> = schema
            .kinds
            .iter()
            .flat_map(|kind| self.members(kind))
            .collect();
        all.extend(own);
        all
    }

    /// The type at a path within a schema's objects.
    pub(super) fn kind(&self, schema: &str, path: &str) -> Option<String> {
        let members = self.members(schema);
        if let Some(kind) = members.get(path) {
            return Some((*kind).to_owned());
        }
        if members.keys().any(|member| is_within(member, path)) {
            return Some("object".to_owned());
        }
        members.iter().find_map(|(member, kind)| {
            let rest = path.strip_prefix(member)?.strip_prefix('.')?;
            self.kind(kind.strip_prefix('#')?, rest)
        })
    }
}

impl Operation {
    fn reduce(item: &Value) -> Self {
        let get = &item["get"];
        let both = [&get["parameters"], &item["parameters"]];
        let parameters = both
            .into_iter()
            .flat_map(|list| list.as_array().into_iter().flatten())
            .filter(|parameter| parameter["in"] == "query");
        let mut operation = Self::default();
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            operation
                .parameters
                .insert(name.to_owned(), texts(&parameter["enum"]));
            if name == "pagelen" {
                operation.page_size = parameter["maximum"].as_u64();
            }
        }
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for scheme in list(&get["x-atlassian-oauth2-scopes"]) {
            operation.token.extend(texts(&scheme["scopes"]));
        }
        for way in list(&get["security"]) {
            operation.oauth.extend(texts(&way["oauth2"]));
        }
        let answer = &get["responses"]["200"]["schema"];
        operation.answer = name_of(answer).map(str::to_owned);
        operation
    }
}

/// The schemas of the specification.
struct Definitions<'a>(&'a Value);

impl Definitions<'_> {
    /// The schemas made from another one, but for what everything is made from.
    fn kinds(&self, name: &str) -> Vec<String> {
        if name == "object" {
            return Vec::new();
        }
        let made_from = |schema: &Value| {
            let parts = schema["allOf"].as_array().into_iter().flatten();
            parts.filter_map(name_of).any(|part| part == name)
        };
        let all = self.0.as_object().unwrap().iter();
        all.filter(|(_, schema)| made_from(schema))
            .map(|(kind, _)| kind.clone())
            .collect()
    }

    /// Adds the members of a schema below `at`.
    fn members(&self, schema: &Value, at: &str, members: &mut BTreeMap<String, String>) {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = name_of(part).map_or(part, |name| &self.0[name]);
            self.members(part, at, members);
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let path = if at.is_empty() {
                name.clone()
            } else {
                format!("{at}.{name}")
            };
            let inline = member["properties"]
                .as_object()
                .is_some_and(|it| !it.is_empty());
            if inline || member["allOf"].is_array() {
                self.members(member, &path, members);
            } else {
                members.insert(path, self.kind(member));
            }
        }
    }

    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = name_of(schema) {
            let target = &self.0[name];
            let is_object = target["allOf"].is_array() || target["properties"].is_object();
            return if is_object {
                format!("#{name}")
            } else {
                self.kind(target)
            };
        }
        match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("array"), _) => {
                let of = name_of(&schema["items"]);
                of.map_or("list".to_owned(), |name| format!("list of #{name}"))
            }
            (Some("string"), Some("date-time")) => "date-time".to_owned(),
            (kind, _) => kind.unwrap_or("object").to_owned(),
        }
    }
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether `path` leads to something inside of what `of` leads to.
pub(super) fn is_within(path: &str, of: &str) -> bool {
    path.strip_prefix(of)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// The one of the published paths that a path is: `pullrequests/activity` is no pull request.
fn best<'p>(path: &str, published: impl Iterator<Item = &'p String>) -> Option<&'p String> {
    let found = published.filter(|known| is_same(path, known));
    found.min_by_key(|known| known.matches('{').count())
}

/// Whether a path is one of those that the specification writes so. A place takes any name of one
/// place, and the last one may be empty, as for the top folder in `src/{commit}/{path}`. The slash that
/// some paths end in is not compared.
fn is_same(path: &str, published: &str) -> bool {
    let is_place = |word: &str| word.starts_with('{');
    let words = |path: &str| -> Vec<String> {
        let path = path.trim_end_matches('/');
        path.split('/').skip(1).map(str::to_owned).collect()
    };
    let (given, mut known) = (words(path), words(published));
    if path.ends_with('/')
        && known.len() == given.len() + 1
        && known.last().is_some_and(|word| is_place(word))
    {
        known.pop();
    }
    given.len() == known.len()
        && given
            .iter()
            .zip(&known)
            .all(|(given, known)| is_place(known) || given == known)
}

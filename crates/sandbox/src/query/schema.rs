//! What a resource lets one filter and sort by: data, one table per resource.

/// The fields of one kind of object.
pub(crate) type Schema = &'static [Field];

/// One member of an object's JSON.
#[derive(Debug)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) Kind);

/// How a member compares.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Integers.
    Number,
    /// Strings.
    Text,
    /// Strings that sort with the numbers in them read as numbers.
    Natural,
    /// `true` and `false`.
    Bool,
    /// Timestamps.
    Time,
    /// Strings with an order of their own, lowest first.
    Ranked(&'static [&'static str]),
    /// An object (or an array of objects) with members; itself it compares with `null` only.
    Object(Schema),
    /// An object that may be compared by its `name`, as in `component = "UI"`.
    Named(Schema),
    /// Present in the JSON, but not filterable.
    Unfilterable,
}

/// The kind of the member that `path` leads to.
pub(crate) fn resolve(schema: Schema, path: &[String]) -> Option<Kind> {
    let (first, rest) = path.split_first()?;
    let Field(_, kind) = schema.iter().find(|Field(name, _)| name == first)?;
    if rest.is_empty() {
        return Some(*kind);
    }
    match kind {
        Kind::Object(schema) | Kind::Named(schema) => resolve(schema, rest),
        _ => None,
    }
}

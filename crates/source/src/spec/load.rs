//! Reading table files.
//!
//! A file holds `[[table]]` entries. What each attribute means is said at [`TableSpec`] and
//! [`ColumnSpec`]; the file's own spellings are these:
//!
//! ```toml
//! [[table]]
//! name = "Things"
//! doc = "The things of a repository."
//! path = "/repositories/{workspace}/{repository}/things"
//! rows = "values"                          # "" if an answer is one row
//! slice = "repository"                     # account | workspace | repository
//! key = ["RepositoryUUID", "Id"]
//! cursor = { column = "UpdatedOn", tie = "Id", look_back = "10m" }   # nullable = true
//! walk = { column = "Id", unique = true }  # or { pages = true, sort = "name" }, stable = true, numbered = true
//! page_size = 100
//! parameters = { role = "member" }         # fields = false: whole objects alone
//! absent = { statuses = [404], why = "has no things" }
//! deleted = "Deleted"                      # the column that says of a listed row that it is deleted
//! scopes = { token = "read:things", oauth = "things" }
//! columns = [
//!   { name = "Id", type = "int", at = "id", required = true, immutable = true, sort = true, exact = "range", doc = "..." },
//!   { name = "Title", type = "text", at = "title", narrowing = "text", doc = "..." },
//!   { name = "UpdatedOn", type = "timestamp", at = "updated_on", required = true, sort = true, exact = "range", doc = "..." },
//! ]
//! ```
//!
//! `parent` is explained in the module of that name, `feed` and `heads` likewise.
//!
//! The columns that come from the slice are not written: `slice` says which they are.
//! An entry of `columns` may stand for several, see [`super::group`].
//! `at` may list several places, of which the first that has a value counts; `member = [..]` instead of it
//! makes a column of the name of the member that a row has; `up = ".."` takes a column of the parent table.
//! `exact` and `narrowing` name operators in SQL's spelling or the sets of [`SETS`], one or a list.
//! `field` is the name the service filters by where it is not `at`, and `null_field` that for the
//! null tests. `values` lists those that the service knows, where it refuses any other.

use std::collections::HashSet;
use std::sync::Arc;

use super::entry::{Entry, Mistakes};
use super::group::Groups;
use super::{
    Absent, BoundParameter, ChildRows, ColumnKind, Cursor, Filter, Origin, Parent, ParentTable,
    Removal, Scopes, SliceKind, Walk, feed, parent,
};
use crate::{ColumnSpec, Error, Operator, Result, TableSpec, code};
use Operator::{Contains, Eq, Gt, GtEq, In, IsNotNull, IsNull, Lt, LtEq, NotEq, NotIn};

const OPERATORS: [Operator; 11] = [
    Eq, NotEq, Lt, LtEq, Gt, GtEq, In, NotIn, IsNull, IsNotNull, Contains,
];

/// The named sets of operators.
const SETS: [(&str, &[Operator]); 4] = [
    ("equality", &[Eq, NotEq, In, NotIn]),
    ("range", &[Eq, NotEq, In, NotIn, Lt, LtEq, Gt, GtEq]),
    // `<>` and `NOT IN` would lose rows where the service's equality is wider than SQL's.
    ("text", &[Eq, In, Contains]),
    ("null", &[IsNull, IsNotNull]),
];

const KINDS: [(&str, ColumnKind); 6] = [
    ("bool", ColumnKind::Bool),
    ("int", ColumnKind::Int),
    ("float", ColumnKind::Float),
    ("text", ColumnKind::Text),
    ("timestamp", ColumnKind::Timestamp),
    ("json", ColumnKind::Json),
];

const SLICES: [(&str, SliceKind); 3] = [
    ("account", SliceKind::Account),
    ("workspace", SliceKind::Workspace),
    ("repository", SliceKind::Repository),
];

/// Reads the tables of some table files, each with its name for errors. Groups of columns are known
/// to all of them.
///
/// # Errors
/// One error (BL2001) that lists every mistake in the files, each with its table and column. A file
/// that is not TOML has one mistake, with its line.
pub fn load(files: &[(&str, &str)]) -> Result<Vec<TableSpec>> {
    let mut wrong = Vec::new();
    let mut roots = Vec::new();
    for (origin, text) in files {
        match text.parse::<toml::Table>() {
            Ok(root) => roots.push((*origin, root, Mistakes::default())),
            Err(error) => wrong.push(mistaken(origin, &format!(" {error}"))),
        }
    }
    let mut groups = Groups::default();
    let mut entries = Vec::new();
    for (_, root, mistakes) in &roots {
        let mut file = Entry::new(root, "file".into(), mistakes);
        groups.read(&mut file);
        entries.push(file);
    }
    let mut names = HashSet::new();
    // A table can only name one before it, so that none is its own ancestor.
    let mut tables: Vec<Arc<TableSpec>> = Vec::new();
    for mut file in entries {
        for entry in file.entries("table") {
            let name = entry.peek("name").unwrap_or("?").to_owned();
            let entry = entry.at(format!("table {name}"));
            if !names.insert(name.to_lowercase()) {
                entry.mistake("its name is taken by an earlier table");
            }
            let read = table(entry, &groups, &tables);
            tables.extend(read.map(Arc::new));
        }
        file.finish();
    }
    for (origin, _, mistakes) in &roots {
        let lines = mistakes.lines();
        if !lines.is_empty() {
            let lines: String = lines.iter().map(|line| format!("\n  {line}")).collect();
            wrong.push(mistaken(origin, &lines));
        }
    }
    if wrong.is_empty() {
        Ok(tables.into_iter().map(Arc::unwrap_or_clone).collect())
    } else {
        Err(Error::new(code::TABLE_FILE, wrong.join("\n")))
    }
}

fn mistaken(origin: &str, lines: &str) -> String {
    format!("the table file {origin} is wrong:{lines}")
}

/// Reads one table; `None` if what is missing leaves nothing to build.
fn table(mut entry: Entry<'_>, groups: &Groups<'_>, known: &[Arc<TableSpec>]) -> Option<TableSpec> {
    let name = entry.required_text("name");
    let doc = entry.required_text("doc");
    let above = entry
        .entry("parent")
        .and_then(|above| parent::parent(above, known));
    let nested = above
        .as_ref()
        .filter(|above| matches!(above.rows, ChildRows::Nested { .. }));
    let path = match nested {
        Some(above) => Some(above.table.path.clone()),
        None => entry.required_text("path"),
    };
    let rows = entry.text("rows").unwrap_or_else(|| "values".to_owned());
    let slice = entry.required_choice("slice", &SLICES);
    let mut columns = parents(slice.unwrap_or(SliceKind::Account));
    for entry in entry.entries("columns") {
        match groups.expand(&entry) {
            Some(members) => {
                let members = members.iter();
                columns.extend(
                    members.filter_map(|member| column(&entry.instead(member), above.as_ref())),
                );
            }
            None => columns.extend(column(&entry, above.as_ref())),
        }
    }
    check_columns(&entry, &columns);

    let find = |entry: &Entry<'_>, attribute: &str, column: &str| {
        let found = columns.iter().position(|known| known.name == column);
        if found.is_none() {
            entry.mistake(&format!("{attribute}: there is no column `{column}`"));
        }
        found
    };
    let key = key(&mut entry, &columns, find);
    let cursor = entry
        .entry("cursor")
        .and_then(|cursor| self::cursor(cursor, &columns, &key, find));
    // A single object and a member of another one have no pages.
    let paged = !rows.is_empty() && nested.is_none();
    let walk = match entry.entry("walk") {
        Some(walk) => self::walk(walk, &columns, find),
        None if paged => {
            entry.mistake("`walk` is missing: { column = .., unique = .. } or { pages = true }");
            None
        }
        None => Some(Walk::Pages {
            sort: None,
            stable: true,
            numbered: false,
        }),
    };
    let feed = entry
        .entry("feed")
        .and_then(|feed| feed::feed(feed, &columns, find));
    let heads = entry
        .entry("heads")
        .and_then(|heads| feed::heads(heads, known));
    let parameter = entry
        .entry("parameter")
        .and_then(|bound| parameter(bound, &columns, find));
    if let Some(path) = &path {
        check_path(&entry, path, slice);
        if nested.is_none() {
            parent::check_placeholders(&entry, path, above.as_ref());
        }
    }
    let page_size = match entry.integer("page_size") {
        Some(size @ 1..) => usize::try_from(size).ok(),
        Some(_) => {
            entry.mistake("`page_size` must be at least 1");
            None
        }
        None if paged => {
            entry.mistake("`page_size` is missing");
            None
        }
        None => Some(nested.map_or(1, |above| above.table.page_size)),
    };
    let scopes = match entry.entry("scopes") {
        Some(mut scopes) => {
            let read = Scopes {
                token: scopes.required_text("token").unwrap_or_default(),
                oauth: scopes.required_text("oauth").unwrap_or_default(),
            };
            scopes.finish();
            read
        }
        None => {
            entry.mistake("`scopes` is missing: { token = .., oauth = .. }");
            Scopes::default()
        }
    };
    let removed = entry.entry("removed").and_then(removal);
    let parameters = entry
        .entry("parameters")
        .map_or_else(Vec::new, static_parameters);
    let whole_objects = !entry.flag_or("fields", true);
    let deleted = entry.text("deleted").and_then(|name| {
        let column = columns.iter().position(|column| column.name == name);
        let fits = column.filter(|index| {
            columns[*index].kind == ColumnKind::Bool && columns[*index].origin.is_own()
        });
        if fits.is_none() {
            entry.mistake(&format!(
                "`deleted`: `{name}` is no column of its own of true and false"
            ));
        }
        fits
    });
    let absent = entry.entry("absent").and_then(absent);
    let unchanged_by_proof = entry.flag("unchanged_by_proof");
    let blind_spots = entry.texts("blind_spots").unwrap_or_default();
    let reader = entry.text("reader");
    entry.finish();
    let found_by = cursor.as_ref().map(|cursor| cursor.column);
    for (index, column) in columns.iter_mut().enumerate() {
        let is_needed = key.contains(&index) || found_by == Some(index);
        column.nullable |= column.origin.is_own() && !is_needed;
    }
    let table = TableSpec {
        name: name?,
        doc: doc?,
        path: path?,
        rows,
        slice: slice?,
        key,
        cursor,
        parent: above,
        feed,
        heads,
        walk: walk?,
        page_size: page_size?,
        parameter,
        parameters,
        whole_objects,
        deleted,
        absent,
        scopes,
        removed,
        unchanged_by_proof,
        blind_spots,
        reader,
        columns,
    };
    if let Some(above) = &table.parent {
        parent::check(&entry, above, &table);
    }
    Some(table)
}

fn static_parameters(entry: Entry<'_>) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for (name, value) in entry.members() {
        match value.as_str() {
            Some(value) => parameters.push((name.clone(), value.to_owned())),
            None => entry.mistake(&format!("`{name}` must be a text")),
        }
    }
    parameters
}

fn absent(mut entry: Entry<'_>) -> Option<Absent> {
    let statuses = parent::statuses(&mut entry, "statuses");
    let why = entry.required_text("why");
    entry.finish();
    if statuses.is_empty() {
        entry.mistake("`statuses` must list HTTP statuses");
    }
    Some(Absent {
        statuses,
        why: why?,
    })
}

/// The columns that a slice gives to its rows.
fn parents(slice: SliceKind) -> Vec<ColumnSpec> {
    let column = |name: &str, doc: &str, parent, nullable, immutable| ColumnSpec {
        name: name.to_owned(),
        doc: doc.to_owned(),
        kind: ColumnKind::Text,
        origin: Origin::Parent(parent),
        nullable,
        required: !nullable,
        immutable,
        filter: Filter::default(),
        sort: false,
        extra: false,
        otherwise: None,
        aliases: Vec::new(),
        hidden: false,
    };
    let workspace = column(
        "Workspace",
        "The workspace's slug; it can change.",
        Parent::Workspace,
        true,
        false,
    );
    match slice {
        SliceKind::Account => Vec::new(),
        SliceKind::Workspace => vec![workspace],
        SliceKind::Repository => vec![
            workspace,
            column(
                "Repository",
                "The repository's slug; it can change.",
                Parent::Repository,
                true,
                false,
            ),
            column(
                "RepositoryUUID",
                "The repository's UUID in braces; it never changes.",
                Parent::RepositoryUuid,
                false,
                true,
            ),
        ],
    }
}

fn column(entry: &Entry<'_>, above: Option<&ParentTable>) -> Option<ColumnSpec> {
    let place = format!("column {}", entry.peek("name").unwrap_or("?"));
    let mut entry = entry.within(&place);
    if let Some(column) = entry.text("up") {
        return parent::up(&mut entry, &column, above);
    }
    let name = entry.required_text("name");
    let doc = entry.required_text("doc");
    let kind = entry.required_choice("type", &KINDS);
    let origin = origin(&mut entry);
    let at = match &origin {
        Origin::Row(path) => Some(path.join(".")),
        _ => None,
    };
    let exact = operators(&mut entry, "exact");
    let narrowing = operators(&mut entry, "narrowing");
    for operator in exact.iter().filter(|operator| narrowing.contains(operator)) {
        entry.mistake(&format!("`{operator}` is both exact and narrowing"));
    }
    if let Some(kind) = kind {
        for operator in exact.iter().chain(&narrowing) {
            if !operator.fits(kind) {
                entry.mistake(&format!(
                    "`{operator}` means nothing for a column of this type"
                ));
            }
        }
    }
    let (required, immutable) = (entry.flag("required"), entry.flag("immutable"));
    if immutable && !required {
        entry.mistake("`immutable` needs `required`: what may become NULL changes");
    }
    let field = entry.text("field").or_else(|| at.clone());
    let null_field = entry.text("null_field").or_else(|| field.clone());
    let values = entry.texts("values").unwrap_or_default();
    if !values.is_empty() && kind.is_some_and(|kind| kind != ColumnKind::Text) {
        entry.mistake("`values` are those of a text");
    }
    let otherwise = entry.text("otherwise");
    if otherwise.is_some() && (!required || kind.is_some_and(|kind| kind != ColumnKind::Text)) {
        entry.mistake("`otherwise` is for a text that is `required`");
    }
    let column = ColumnSpec {
        nullable: !required,
        required,
        immutable,
        sort: entry.flag("sort"),
        extra: entry.flag("extra"),
        otherwise,
        aliases: entry.texts("alias").unwrap_or_default(),
        hidden: false,
        filter: Filter {
            field: field.unwrap_or_default(),
            null_field: null_field.unwrap_or_default(),
            exact,
            narrowing,
            values,
        },
        origin,
        name: name.clone().unwrap_or_default(),
        doc: doc.unwrap_or_default(),
        kind: kind.unwrap_or(ColumnKind::Text),
    };
    entry.finish();
    // A column whose type is wrong still exists for those who name it.
    name.map(|_| column)
}

/// Where a column's value is in the row.
fn origin(entry: &mut Entry<'_>) -> Origin {
    if let Some(members) = entry.texts("member") {
        return Origin::Member(members);
    }
    let places = entry.texts("at").unwrap_or_else(|| {
        entry.required_text("at");
        Vec::new()
    });
    let mut paths: Vec<Vec<String>> = places
        .iter()
        .map(|place| place.split('.').map(str::to_owned).collect())
        .collect();
    if paths.iter().flatten().any(String::is_empty) {
        entry.mistake("`at` must be member names joined by dots");
    }
    match paths.len() {
        0 => Origin::Row(Vec::new()),
        1 => Origin::Row(paths.remove(0)),
        _ => Origin::First(paths),
    }
}

fn operators(entry: &mut Entry<'_>, attribute: &'static str) -> Vec<Operator> {
    let mut found = Vec::new();
    for word in entry.texts(attribute).unwrap_or_default() {
        let set = SETS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, operators)| *operators);
        let one = OPERATORS
            .iter()
            .find(|operator| operator.to_string() == word);
        match (set, one) {
            (Some(set), _) => found.extend_from_slice(set),
            (None, Some(one)) => found.push(*one),
            (None, None) => {
                let sets = SETS.iter().map(|(name, _)| (*name).to_owned());
                let allowed: Vec<_> = sets
                    .chain(OPERATORS.iter().map(Operator::to_string))
                    .collect();
                entry.mistake(&format!(
                    "`{attribute}`: `{word}` is no operator; allowed: {}",
                    allowed.join(", ")
                ));
            }
        }
    }
    let mut once = HashSet::new();
    found.retain(|operator| once.insert(*operator));
    found
}

impl Operator {
    /// Whether the comparison can be made with values of this kind.
    fn fits(self, kind: ColumnKind) -> bool {
        match self {
            IsNull | IsNotNull => true,
            Contains => kind == ColumnKind::Text,
            Lt | LtEq | Gt | GtEq => !matches!(kind, ColumnKind::Json | ColumnKind::Bool),
            Eq | NotEq | In | NotIn => kind != ColumnKind::Json,
        }
    }
}

fn check_columns(entry: &Entry<'_>, columns: &[ColumnSpec]) {
    let mut names = HashSet::new();
    for column in columns {
        if !names.insert(column.name.to_lowercase()) {
            entry.mistake(&format!(
                "column {}: its name is taken by an earlier column",
                column.name
            ));
        }
    }
    for column in columns {
        for alias in &column.aliases {
            if !names.insert(alias.to_lowercase()) {
                entry.mistake(&format!(
                    "column {}: its alias {alias} is the name of another column",
                    column.name
                ));
            }
        }
    }
    if columns
        .iter()
        .all(|column| matches!(column.origin, Origin::Parent(_)))
    {
        entry.mistake("it has no columns");
    }
}

fn key(
    entry: &mut Entry<'_>,
    columns: &[ColumnSpec],
    find: impl Fn(&Entry<'_>, &str, &str) -> Option<usize>,
) -> Vec<usize> {
    let names = entry.texts("key").unwrap_or_default();
    if names.is_empty() {
        entry.mistake("`key` is missing: the names of its key columns");
    }
    let mut key = Vec::new();
    for name in &names {
        let Some(index) = find(entry, "key", name) else {
            continue;
        };
        let column = &columns[index];
        if key.contains(&index) {
            entry.mistake(&format!("key: `{name}` is named twice"));
        }
        if column.nullable {
            entry.mistake(&format!("key: `{name}` must be `required`"));
        }
        if !matches!(
            column.kind,
            ColumnKind::Int | ColumnKind::Text | ColumnKind::Timestamp
        ) {
            entry.mistake(&format!(
                "key: `{name}` must be an int, a text or a timestamp"
            ));
        }
        key.push(index);
    }
    key
}

fn cursor(
    mut entry: Entry<'_>,
    columns: &[ColumnSpec],
    key: &[usize],
    find: impl Fn(&Entry<'_>, &str, &str) -> Option<usize>,
) -> Option<Cursor> {
    let column = entry
        .required_text("column")
        .and_then(|name| find(&entry, "cursor", &name));
    let tie = entry
        .required_text("tie")
        .and_then(|name| find(&entry, "tie", &name));
    let look_back = entry.duration("look_back");
    let nullable = entry.flag("nullable");
    entry.finish();
    let (column, tie) = (column?, tie?);
    let spec = &columns[column];
    if spec.kind != ColumnKind::Timestamp {
        entry.mistake(&format!("`{}` must be a timestamp", spec.name));
    }
    if spec.nullable != nullable {
        entry.mistake(&format!(
            "`{}` must be `required`, or the cursor `nullable = true`",
            spec.name
        ));
    }
    check_walkable(&entry, spec, &[Eq, Gt, GtEq]);
    if nullable && !spec.filter.exact.contains(&IsNull) {
        entry.mistake(&format!("`{}` needs the exact operator IS NULL", spec.name));
    }
    let spec = &columns[tie];
    if spec.kind != ColumnKind::Int || !key.contains(&tie) {
        entry.mistake(&format!("tie: `{}` must be an int of the key", spec.name));
    }
    check_walkable(&entry, spec, &[Gt]);
    Some(Cursor {
        column,
        look_back: look_back?,
        nullable,
        tie,
    })
}

fn walk(
    mut entry: Entry<'_>,
    columns: &[ColumnSpec],
    find: impl Fn(&Entry<'_>, &str, &str) -> Option<usize>,
) -> Option<Walk> {
    let pages = entry.flag("pages");
    let column = entry.text("column");
    let unique = entry.flag("unique");
    let sort = entry.text("sort");
    let stable = entry.flag("stable");
    let numbered = entry.flag("numbered");
    entry.finish();
    match (pages, column) {
        (true, None) => Some(Walk::Pages {
            sort,
            stable,
            numbered,
        }),
        (false, Some(name)) => {
            if sort.is_some() {
                entry.mistake("`sort` goes with `pages`; a walk by a column is sorted by it");
            }
            if stable || numbered {
                entry.mistake("`stable` and `numbered` go with `pages`");
            }
            let column = find(&entry, "walk", &name)?;
            let spec = &columns[column];
            if !spec.immutable {
                entry.mistake(&format!("`{name}` must be `immutable`"));
            }
            if !matches!(spec.kind, ColumnKind::Int | ColumnKind::Timestamp) {
                entry.mistake(&format!("`{name}` must be an int or a timestamp"));
            }
            check_walkable(&entry, spec, if unique { &[Gt] } else { &[Gt, GtEq] });
            Some(Walk::Keyset { column, unique })
        }
        _ => {
            entry.mistake("either `column` or `pages = true`");
            None
        }
    }
}

/// A walk needs the column sorted and these conditions answered exactly.
fn check_walkable(entry: &Entry<'_>, column: &ColumnSpec, needed: &[Operator]) {
    if !column.sort {
        entry.mistake(&format!("`{}` must have `sort = true`", column.name));
    }
    for operator in needed
        .iter()
        .filter(|operator| !column.filter.exact.contains(operator))
    {
        entry.mistake(&format!(
            "`{}` needs the exact operator {operator}",
            column.name
        ));
    }
}

fn parameter(
    mut entry: Entry<'_>,
    columns: &[ColumnSpec],
    find: impl Fn(&Entry<'_>, &str, &str) -> Option<usize>,
) -> Option<BoundParameter> {
    let name = entry.required_text("name");
    let column = entry
        .required_text("column")
        .and_then(|name| find(&entry, "parameter", &name));
    let split = entry.flag("split");
    entry.finish();
    let column = column?;
    let spec = &columns[column];
    if spec.filter.values.is_empty() {
        entry.mistake(&format!("`{}` must list its `values`", spec.name));
    }
    if split && !spec.filter.exact.contains(&Eq) {
        entry.mistake(&format!(
            "`{}` needs the exact operator = to be split by",
            spec.name
        ));
    }
    Some(BoundParameter {
        name: name?,
        column,
        values: spec.filter.values.clone(),
        split,
    })
}

fn removal(mut entry: Entry<'_>) -> Option<Removal> {
    let since = entry.required_text("since");
    let change = entry.required_text("change");
    let instead = entry.required_text("instead");
    entry.finish();
    if since
        .as_deref()
        .is_some_and(|day| day.parse::<chrono::NaiveDate>().is_err())
    {
        entry.mistake("`since` must be a day, such as \"2026-08-20\"");
    }
    Some(Removal {
        since: since?,
        change: change?,
        instead: instead?,
    })
}

fn check_path(entry: &Entry<'_>, path: &str, slice: Option<SliceKind>) {
    if !path.starts_with('/') {
        entry.mistake("`path` must start with a slash");
    }
    let Some(slice) = slice else { return };
    for (placeholder, wanted) in [
        ("{workspace}", slice != SliceKind::Account),
        ("{repository}", slice == SliceKind::Repository),
    ] {
        if path.contains(placeholder) != wanted {
            let must = if wanted { "must" } else { "must not" };
            entry.mistake(&format!(
                "`path` of such a slice {must} contain {placeholder}"
            ));
        }
    }
}

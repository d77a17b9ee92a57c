#![allow(clippy::unwrap_used)]

use super::*;

const SOUND: &str = r#"
[[table]]
name = "Things"
doc = "The things."
path = "/repositories/{workspace}/{repository}/things"
slice = "repository"
key = ["RepositoryUUID", "Id"]
cursor = { column = "UpdatedOn", tie = "Id", look_back = "10m" }
walk = { column = "Id", unique = true }
page_size = 100
parameter = { name = "state", column = "State", split = true }
scopes = { token = "read:things", oauth = "things" }
removed = { since = "2026-08-20", change = "CHANGE-1", instead = "Nothing." }
columns = [
  { name = "Id", type = "int", at = "id", required = true, immutable = true, sort = true, exact = "range", doc = "Its number." },
  { name = "State", type = "text", at = "state", exact = ["equality", "IS NULL"], values = ["A", "B"], doc = "Its state." },
  { name = "OwnerUUID", type = "text", at = "owner.uuid", exact = "null", narrowing = "text", null_field = "owner", doc = "Its owner." },
  { name = "UpdatedOn", type = "timestamp", at = "updated_on", required = true, sort = true, exact = "range", doc = "Its change." },
]
"#;

#[test]
fn a_sound_file() {
    let tables = load(&[("things.toml", SOUND)]).unwrap_or_else(|error| panic!("{error}"));
    let [table] = &tables[..] else {
        panic!("{tables:?}")
    };
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let all = [
        "Workspace",
        "Repository",
        "RepositoryUUID",
        "Id",
        "State",
        "OwnerUUID",
        "UpdatedOn",
    ];
    assert_eq!(names, all);
    assert_eq!(table.parents().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(table.key, [2, 3]);
    assert_eq!(
        table.walk,
        Walk::Keyset {
            column: 3,
            unique: true
        }
    );
    let cursor = table.cursor.as_ref().unwrap();
    assert_eq!(
        (cursor.column, cursor.tie, cursor.look_back.as_secs()),
        (6, 3, 600)
    );
    let owner = &table.columns[5];
    assert_eq!(
        owner.origin,
        Origin::Row(vec!["owner".into(), "uuid".into()])
    );
    assert_eq!(
        owner.filter,
        Filter {
            field: "owner.uuid".into(),
            null_field: "owner".into(),
            exact: vec![Operator::IsNull, Operator::IsNotNull],
            narrowing: vec![Operator::Eq, Operator::In, Operator::Contains],
            values: vec![],
        }
    );
    assert_eq!(table.parameter.as_ref().unwrap().values, ["A", "B"]);
    assert!(owner.nullable && !owner.immutable && !owner.sort && !owner.extra);
    assert_eq!(table.rows, "values");
    assert!(table.is_incremental() && table.removed.is_some());
}

/// One change to the sound file, and what must be said about it.
#[test]
fn every_mistake_is_named() {
    let cases = [
        ("name = \"Things\"\n", "", "table ?: `name` is missing"),
        (
            "doc = \"The things.\"",
            "doc = \"\"",
            "table Things: `doc` is empty",
        ),
        (
            "doc = \"Its state.\"",
            "doc = \" \"",
            "table Things, column State: `doc` is empty",
        ),
        (
            "slice = \"repository\"",
            "slice = \"team\"",
            "`team` is not allowed; allowed: account, workspace, repository",
        ),
        (
            "{repository}/things",
            "things",
            "`path` of such a slice must contain {repository}",
        ),
        (
            "\"/repositories",
            "\"repositories",
            "`path` must start with a slash",
        ),
        (
            "\"RepositoryUUID\", \"Id\"",
            "\"Id\", \"Key\"",
            "key: there is no column `Key`",
        ),
        (
            "\"RepositoryUUID\", \"Id\"",
            "\"Id\", \"Id\"",
            "key: `Id` is named twice",
        ),
        (
            "\"RepositoryUUID\", \"Id\"",
            "\"State\"",
            "key: `State` must be `required`",
        ),
        (
            "type = \"int\"",
            "type = \"float\"",
            "key: `Id` must be an int, a text or a timestamp",
        ),
        ("key = [\"RepositoryUUID\", \"Id\"]", "", "`key` is missing"),
        (
            "column = \"UpdatedOn\"",
            "column = \"State\"",
            "table Things, cursor: `State` must be a timestamp",
        ),
        (
            "column = \"UpdatedOn\"",
            "column = \"State\"",
            "cursor: `State` must have `sort = true`",
        ),
        (
            "column = \"UpdatedOn\"",
            "column = \"State\"",
            "cursor: `State` needs the exact operator >",
        ),
        (
            "tie = \"Id\"",
            "tie = \"State\"",
            "tie: `State` must be an int of the key",
        ),
        (
            "\"10m\"",
            "\"ten\"",
            "`look_back` must be a whole number and s, m, h or d",
        ),
        (
            "look_back = \"10m\"",
            "look_back = \"10m\", nullable = true",
            "`UpdatedOn` must be `required`, or the cursor",
        ),
        (
            "walk = { column = \"Id\", unique = true }",
            "",
            "`walk` is missing",
        ),
        (
            "walk = { column = \"Id\", unique = true }",
            "walk = { unique = true }",
            "either `column` or `pages = true`",
        ),
        (
            "walk = { column = \"Id\"",
            "walk = { column = \"UpdatedOn\"",
            "walk: `UpdatedOn` must be `immutable`",
        ),
        (
            "at = \"state\", exact",
            "at = \"state\", immutable = true, exact",
            "column State: `immutable` needs `required`: what may become NULL changes",
        ),
        (
            "page_size = 100",
            "page_size = 0",
            "`page_size` must be at least 1",
        ),
        (
            "page_size = 100",
            "page_size = \"many\"",
            "`page_size` must be a whole number, not a text",
        ),
        (
            "column = \"State\", split",
            "column = \"Status\", split",
            "parameter: there is no column `Status`",
        ),
        (
            "values = [\"A\", \"B\"]",
            "values = []",
            "parameter: `State` must list its `values`",
        ),
        (
            "type = \"int\"",
            "type = \"int\", values = [\"1\"]",
            "column Id: `values` are those of a text",
        ),
        (
            "token = \"read:things\", ",
            "",
            "scopes: `token` is missing",
        ),
        ("2026-08-20", "last year", "removed: `since` must be a day"),
        (
            "type = \"int\"",
            "type = \"number\"",
            "column Id: `type`: `number` is not allowed; allowed: bool, int, float, text, timestamp, json",
        ),
        (
            "at = \"owner.uuid\"",
            "at = \"owner..uuid\"",
            "`at` must be member names joined by dots",
        ),
        (
            "\"equality\", \"IS NULL\"",
            "\"LIKE\"",
            "`exact`: `LIKE` is no operator; allowed: equality, range, text, null, =",
        ),
        (
            "narrowing = \"text\"",
            "narrowing = \"null\"",
            "`IS NULL` is both exact and narrowing",
        ),
        (
            "at = \"updated_on\"",
            "at = \"updated_on\", narrowing = \"CONTAINS\"",
            "`CONTAINS` means nothing for a column of this type",
        ),
        (
            "sort = true, exact = \"range\", doc = \"Its ch",
            "sorted = true, exact = \"range\", doc = \"Its ch",
            "`sorted` is unknown; allowed: alias, at, doc, exact",
        ),
        (
            "name = \"State\"",
            "name = \"ID\"",
            "column ID: its name is taken by an earlier column",
        ),
        (
            "name = \"State\"",
            "name = \"repository\"",
            "column repository: its name is taken",
        ),
        (
            "[[table]]",
            "tables = 1\n[[table]]",
            "file: `tables` is unknown; allowed: group, table",
        ),
        (
            "[[table]]",
            "[[table]",
            "the table file things.toml is wrong",
        ),
    ];
    for (old, new, expected) in cases {
        assert!(SOUND.contains(old), "{old}");
        let error = load(&[("things.toml", &SOUND.replacen(old, new, 1))]).unwrap_err();
        assert_eq!(error.code(), "BL2001");
        assert!(
            error.to_string().contains(expected),
            "{old} -> {new}: {error}"
        );
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let text = SOUND
        .replace("doc = \"The things.\"", "")
        .replace("tie = \"Id\"", "tie = \"Number\"")
        .replace("page_size = 100", "page_size = 0")
        .replace("type = \"timestamp\"", "type = \"time\"");
    let text = format!("{text}\n[[table]]\nname = \"THINGS\"\n");
    let error = load(&[("things.toml", &text)]).unwrap_err().to_string();
    for part in [
        "table Things: `doc` is missing",
        "there is no column `Number`",
        "page_size",
        "column UpdatedOn: `type`",
        "table THINGS: its name is taken by an earlier table",
        "table THINGS: `path` is missing",
        "table THINGS: it has no columns",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

const GROUPS: &str = r#"
[[group]]
name = "account"
columns = [
  { name = "UUID", type = "text", at = "uuid", doc = "UUID of {of}." },
  { name = "Username", type = "text", at = "username", doc = "User name of {of}." },
]
"#;

const GROUPED: &str = r#"{ group = "account", prefix = "Author", at = "work.author", of = "the author", with = { UUID = { exact = "=" } }, without = ["Username"] },
  { links = ["self", "request-changes"] },
  { links = ["html"], prefix = "Author", at = "work.author", of = "the author" },
  { name = "State""#;

fn grouped(old: &str, new: &str) -> Result<Vec<TableSpec>, crate::Error> {
    let text = SOUND.replacen("{ name = \"State\"", GROUPED, 1);
    assert!(text.contains(old) || GROUPS.contains(old), "{old}");
    let (text, groups) = (text.replacen(old, new, 1), GROUPS.replacen(old, new, 1));
    // The groups may come after those who use them.
    load(&[("things.toml", &text), ("groups.toml", &groups)])
}

#[test]
fn groups_stand_for_their_columns() {
    let tables = grouped("", "").unwrap_or_else(|error| panic!("{error}"));
    let shown: Vec<_> = tables[0].columns[4..8]
        .iter()
        .map(|column| match &column.origin {
            Origin::Row(path) => format!("{} {}: {}", column.name, path.join("."), column.doc),
            _ => unreachable!(),
        })
        .collect();
    let expected = [
        "AuthorUUID work.author.uuid: UUID of the author.",
        "LinksSelfHref links.self.href: API address.",
        "LinksRequestChangesHref links.request-changes.href: API address of: request-changes.",
        "AuthorLinksHtmlHref work.author.links.html.href: Web page of the author.",
    ];
    assert_eq!(shown, expected);
    assert_eq!(tables[0].columns[4].filter.exact, [Operator::Eq]);
}

#[test]
fn mistakes_of_groups_are_named() {
    let cases = [
        (
            "group = \"account\"",
            "group = \"team\"",
            "table Things, group team: there is no such group",
        ),
        (
            "prefix = \"Author\", ",
            "",
            "group account: `prefix` is missing",
        ),
        (
            "with = { UUID",
            "with = { Uuid",
            "group account: it has no column `Uuid`",
        ),
        (
            "exact = \"=\"",
            "exact = \"~\"",
            "column AuthorUUID: `exact`: `~` is no operator",
        ),
        (
            "links = [\"html\"]",
            "links = [\"html\"], who = 1",
            "links: `who` is unknown",
        ),
        (
            "links = [\"html\"], prefix = \"Author\"",
            "links = [\"self\"]",
            "column LinksSelfHref: its name is taken",
        ),
        (
            "[[group]]",
            "[[group]]\nname = \"account\"\ncolumns = []\n[[group]]",
            "group account: its name is taken",
        ),
        (
            "[[group]]",
            "[[group]]\nname = \"empty\"\n[[group]]",
            "the table file groups.toml is wrong:\n  group empty: it has no columns",
        ),
    ];
    for (old, new, expected) in cases {
        let error = grouped(old, new).unwrap_err().to_string();
        assert!(error.contains(expected), "{old} -> {new}: {error}");
    }
}

/// A table that hangs on the sound one, and one of its members.
const CHILDREN: &str = r#"
[[table]]
name = "Notes"
doc = "The notes on things."
path = "/repositories/{workspace}/{repository}/things/{thing}/notes"
slice = "repository"
parent = { table = "Things", bind = { thing = "Id" }, absent = [404], unreadable = [555], also = { column = "State", values = ["A"], within = "7d" } }
key = ["RepositoryUUID", "ThingId", "Id"]
walk = { pages = true, stable = true }
page_size = 50
parameters = { role = "any" }
fields = false
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "ThingId", up = "Id" },
  { name = "ThingState", up = "State", doc = "State of the thing." },
  { name = "Id", type = "int", at = "id", required = true, doc = "Its id." },
  { name = "At", type = "timestamp", at = ["note.at", "mark.at"], doc = "When." },
  { name = "Kind", type = "text", member = ["note", "mark"], doc = "Which." },
  { name = "By", type = "text", at = "by.uuid", required = true, otherwise = "", doc = "Who." },
]

[[table]]
name = "Tags"
doc = "The tags of things."
slice = "repository"
parent = { table = "Things", nested = "tags" }
key = ["RepositoryUUID", "ThingId", "Name"]
scopes = { token = "t", oauth = "o" }
columns = [
  { name = "ThingId", up = "Id" },
  { name = "Name", type = "text", at = "name", required = true, doc = "Its name." },
]

[[table]]
name = "Model"
doc = "The model of a repository."
path = "/repositories/{workspace}/{repository}/model"
rows = ""
slice = "repository"
key = ["RepositoryUUID"]
scopes = { token = "t", oauth = "o" }
absent = { statuses = [404], why = "has no model" }
columns = [{ name = "Name", type = "text", at = "name", doc = "Its name." }]
"#;

fn with_children(old: &str, new: &str) -> Result<Vec<TableSpec>, crate::Error> {
    let tags = r#"  { name = "Tags", type = "json", at = "tags", extra = true, doc = "Its tags." },
]"#;
    let things = SOUND.trim_end().strip_suffix(']').unwrap().to_owned() + tags;
    assert!(CHILDREN.contains(old), "{old}");
    let children = CHILDREN.replacen(old, new, 1);
    load(&[("things.toml", &things), ("children.toml", &children)])
}

#[test]
fn tables_hang_on_others() {
    let tables = with_children("", "").unwrap_or_else(|error| panic!("{error}"));
    let [things, notes, tags, model] = &tables[..] else {
        panic!("{tables:?}")
    };
    let parent = notes.parent.as_ref().unwrap();
    assert_eq!(*parent.table, *things);
    let bind = vec![("thing".to_owned(), 3)];
    assert_eq!(parent.rows, ChildRows::Listed { bind });
    assert_eq!(parent.owner(notes), [(3, 3)]);
    assert_eq!(notes.columns[3].doc, "Its number.");
    assert_eq!(notes.columns[3].kind, ColumnKind::Int);
    assert!(!notes.columns[3].nullable && notes.columns[4].nullable);
    assert!(matches!(notes.strategy(), Strategy::Parent(_)));
    let paths: Vec<_> = notes.columns[6].origin.paths();
    assert_eq!(paths, [["note", "at"], ["mark", "at"]]);

    let parent = tags.parent.as_ref().unwrap();
    assert_eq!(parent.rows, ChildRows::Nested { column: 7 });
    assert_eq!(
        (&tags.path, tags.page_size),
        (&things.path, things.page_size)
    );
    assert!(model.is_single() && !model.is_incremental());
}

#[test]
fn mistakes_of_children_are_named() {
    let cases = [
        (
            "table = \"Things\", bind",
            "table = \"Ghosts\", bind",
            "parent: there is no table `Ghosts` before it",
        ),
        (
            "table = \"Things\", bind",
            "table = \"Tags\", bind",
            "parent: there is no table `Tags` before it",
        ),
        (
            "thing = \"Id\"",
            "thing = \"Number\"",
            "parent, bind: `thing` must name a column of Things",
        ),
        (
            "thing = \"Id\"",
            "thing = \"State\"",
            "State may be NULL, so it cannot stand in an address",
        ),
        (
            "{thing}/notes",
            "{item}/notes",
            "`path`: nothing is bound to {item}",
        ),
        ("{thing}/notes", "notes", "`path` must contain {thing}"),
        (
            "absent = [404]",
            "moved_by = \"Id\"",
            "parent, moved_by: `Id` must be a timestamp, and Things must have a cursor",
        ),
        (
            "absent = [404]",
            "absent = [200]",
            "`absent` must list HTTP statuses from 400 to 599",
        ),
        (
            "nested = \"tags\"",
            "nested = \"owner\"",
            "nested: Things has no json column at `owner`",
        ),
        (
            "nested = \"tags\"",
            "bounded = true",
            "either `bind` or `nested`",
        ),
        (
            "column = \"State\", values",
            "column = \"Status\", values",
            "also: Things has no column `Status`",
        ),
        (
            "values = [\"A\"]",
            "values = []",
            "also: `values` must list the column's values",
        ),
        (
            "up = \"Id\" }",
            "up = \"Number\" }",
            "column ThingId: `up`: Things has no column `Number`",
        ),
        (
            "up = \"Id\" }",
            "up = \"Repository\" }",
            "`up`: the slice gives `Repository` already",
        ),
        (
            "\"ThingId\", \"Id\"]",
            "\"Id\"]",
            "key: it must contain the parent's key column Id (`up`)",
        ),
        (
            "slice = \"repository\"\nparent",
            "slice = \"workspace\"\nparent",
            "`slice` must be that of Things",
        ),
        (
            "otherwise = \"\", ",
            "otherwise = \"\", type_of = 1, ",
            "`type_of` is unknown",
        ),
        (
            "required = true, otherwise",
            "otherwise",
            "`otherwise` is for a text that is `required`",
        ),
        (
            "role = \"any\"",
            "role = 1",
            "parameters: `role` must be a text",
        ),
        (
            "why = \"has no model\"",
            "why = \"\"",
            "absent: `why` is empty",
        ),
        (
            "at = \"name\", doc",
            "up = \"Name\", doc",
            "`up`: the table has no parent",
        ),
        ("rows = \"\"\n", "", "`walk` is missing"),
    ];
    for (old, new, expected) in cases {
        let error = with_children(old, new).unwrap_err().to_string();
        assert!(error.contains(expected), "{old} -> {new}: {error}");
    }
}

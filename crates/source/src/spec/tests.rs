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
            "\"RepositoryUUID\", \"Id\"",
            "\"Id\", \"UpdatedOn\"",
            "key: `UpdatedOn` must be an int or a text",
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
            "`sorted` is unknown; allowed: at, doc, exact",
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
        assert_eq!(
            (error.kind(), error.code()),
            (crate::ErrorKind::Spec, "BL2001")
        );
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
            Origin::Parent(_) => unreachable!(),
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

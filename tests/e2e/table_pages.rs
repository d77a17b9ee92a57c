//! `docs/tables/`: a page a table, written from what the tables say of themselves. `UPDATE_DOCS=1` writes them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bucketline_bitbucket::tables;
use bucketline_source::TableSpec;
use bucketline_source::spec::{
    ChildRows, ColumnKind, ColumnSpec, ParentTable, SliceKind, Strategy, Walk,
};

use crate::world::{World, small};

const INDEX: &str = "README.md";
const WRITTEN: &str = "<!-- Written by `cargo x docs`. -->";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tables")
}

/// A statement that reads a few columns of a table as cheaply as can be.
fn example(table: &TableSpec) -> String {
    let columns: Vec<_> = table
        .key
        .iter()
        .map(|key| &table.columns[*key].name)
        .collect();
    let columns: Vec<_> = columns.into_iter().map(String::as_str).collect();
    let mut conditions = Vec::new();
    if table.slice == SliceKind::Repository {
        conditions.push("Repository = 'api'");
    }
    if is_bounded(table) {
        conditions.push("CommitHash = '0123456789abcdef0123456789abcdef01234567'");
    }
    let conditions = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    format!(
        "SELECT {} FROM {}{conditions};",
        columns.join(", "),
        table.name
    )
}

fn is_bounded(table: &TableSpec) -> bool {
    table.parent.as_ref().is_some_and(|parent| parent.bounded)
}

fn kind(column: &ColumnSpec) -> &'static str {
    match column.kind {
        ColumnKind::Bool => "BOOLEAN",
        ColumnKind::Int => "BIGINT",
        ColumnKind::Float => "DOUBLE",
        ColumnKind::Text => "VARCHAR",
        ColumnKind::Timestamp => "TIMESTAMP",
        ColumnKind::Json => "JSON",
        ColumnKind::Plain(_) => unreachable!("no table file names it"),
    }
}

/// What the service does with a column.
fn pushed(column: &ColumnSpec) -> String {
    let operators = |operators: &[bucketline_source::Operator]| {
        let names: Vec<_> = operators.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let mut parts = Vec::new();
    if !column.filter.exact.is_empty() {
        parts.push(format!("filters by {}", operators(&column.filter.exact)));
    }
    if !column.filter.narrowing.is_empty() {
        parts.push(format!(
            "narrows by {}",
            operators(&column.filter.narrowing)
        ));
    }
    if column.sort {
        parts.push("sorts".to_owned());
    }
    parts.join("; ").replace('|', "\\|")
}

fn slice(table: &TableSpec) -> &'static str {
    match table.slice {
        SliceKind::Account => "account",
        SliceKind::Workspace => "workspace",
        SliceKind::Repository => "repository",
    }
}

fn cost(table: &TableSpec) -> String {
    let page = table.page_size;
    let slice = slice(table);
    match &table.parent {
        Some(ParentTable {
            table: above,
            rows: ChildRows::Nested { .. },
            ..
        }) => format!(
            "None of its own: the rows come with those of [{0}]({0}.md).",
            above.name
        ),
        Some(ParentTable { table: above, .. }) => format!(
            "One request for each {page} rows of a row of [{0}]({0}.md) that is visited, at least one each{1}, and what \
             that list itself costs.",
            above.name,
            match table.walk {
                Walk::Pages { stable: false, .. } => "; REPLICATE reads several pages twice",
                _ => "",
            }
        ),
        None if table.is_single() => format!("One request a {slice}."),
        None => format!("One request for each {page} rows of a {slice}, at least one each."),
    }
}

fn changes(table: &TableSpec) -> String {
    let name = |column: usize| &table.columns[column].name;
    match table.strategy() {
        Strategy::Cursor(cursor) => format!(
            "Rows whose `{}` moved since the last run are read, from {} minutes before it on.",
            name(cursor.column),
            cursor.look_back.as_secs() / 60
        ),
        Strategy::Parent(parent) => format!(
            "All rows of those rows of [{0}]({0}.md) that changed since the last run are read again.",
            parent.table.name
        ),
        Strategy::Feed(feed) => format!(
            "The list comes newest first by `{}` and is read back to {} minutes before what is known.{}",
            name(feed.column),
            feed.look_back.as_secs() / 60,
            if feed.unfinished.is_some() {
                " Rows that will still change are read again."
            } else {
                ""
            }
        ),
        Strategy::Heads(heads) => format!(
            "What the heads of [{0}]({0}.md) reach and those of the last run did not is read.",
            heads.table.name
        ),
        Strategy::Whole if is_bounded(table) => {
            "None: what a statement names is read whole on each run.".to_owned()
        }
        Strategy::Whole if table.unchanged_by_proof => {
            "A repository is read whole when its own UpdatedOn moved, and else costs no request."
                .to_owned()
        }
        Strategy::Whole => "None: the list is read whole on each run.".to_owned(),
    }
}

/// What a run costs that finds nothing new.
fn unchanged(table: &TableSpec) -> String {
    let slice = slice(table);
    let listed = match table.slice {
        SliceKind::Repository => "the list of the repositories",
        SliceKind::Workspace | SliceKind::Account => "a look at the workspace",
    };
    let more = match table.strategy() {
        _ if table.unchanged_by_proof => {
            return format!("{listed} alone, which tells that nothing changed.");
        }
        Strategy::Parent(parent) => {
            let lists = format!("what that of [{0}]({0}.md) costs", parent.table.name);
            let each = "as much for each of its rows that is read again as on the first run";
            match (&parent.rows, &parent.also) {
                (ChildRows::Nested { .. }, _) => return format!("{lists}."),
                (ChildRows::Listed { .. }, None) => return format!("{lists}, and {each}."),
                (ChildRows::Listed { .. }, Some(also)) => {
                    let column = &parent.table.columns[also.column].name;
                    return format!(
                        "{lists}, a request a {slice} for those whose {column} is {}, and {each}: those and what \
                         moved in the last {} days.",
                        also.values.join(" or "),
                        also.within.as_secs() / (24 * 60 * 60)
                    );
                }
            }
        }
        Strategy::Whole => "as much as the first run".to_owned(),
        Strategy::Cursor(_) | Strategy::Feed(_) | Strategy::Heads(_) => {
            format!("a request a {slice}, more if what is read again takes several pages")
        }
    };
    format!("{listed} and {more}.")
}

fn deletes(table: &TableSpec) -> String {
    let listed = table.deleted.map(|column| {
        format!(
            " One that is deleted and still listed counts as gone, unless the connection's IncludeDeleted or a condition \
             on `{}` asks for it.",
            table.columns[column].name
        )
    });
    format!("{}{}", gone(table), listed.unwrap_or_default())
}

fn gone(table: &TableSpec) -> &'static str {
    match table.strategy() {
        Strategy::Cursor(_) => {
            "Not seen with the changes; the copy follows when keys are compared."
        }
        Strategy::Parent(parent) if parent.empty_is_unknown => {
            "A row that is gone leaves the copy when its parent is visited, unless its list is empty. The rows of a \
             parent that is gone stay."
        }
        Strategy::Parent(_) => {
            "A row that is gone leaves the copy when its parent is visited. The rows of a parent that is gone stay."
        }
        Strategy::Feed(_) | Strategy::Heads(_) => "Rows that are gone stay in the copy.",
        Strategy::Whole if is_bounded(table) => {
            "A row that is gone leaves the copy when its commit is visited."
        }
        Strategy::Whole => {
            "A row that is gone from the list leaves the copy. A list that is empty where rows were is not believed."
        }
    }
}

fn page(table: &TableSpec) -> String {
    let mut page = format!("# {}\n\n{WRITTEN}\n\n{}\n", table.name, table.doc);
    if let Some(removed) = &table.removed {
        let _ = write!(
            page,
            "\nBitbucket Cloud removed it on {} ({}). {}\n",
            removed.since, removed.change, removed.instead
        );
    }
    let _ = write!(page, "\n```sql\n{}\n```\n", example(table));
    let _ = write!(page, "\n- Read from: `GET {}`", table.path);
    let _ = write!(page, "\n- Cost: {}", cost(table));
    let _ = write!(page, "\n- Incremental: {}", changes(table));
    let _ = write!(page, "\n- Nothing new: {}", unchanged(table));
    let _ = write!(page, "\n- Deletes: {}", deletes(table));
    let _ = write!(
        page,
        "\n- Scopes: `{}` for API tokens, `{}` for OAuth and access tokens",
        table.scopes.token, table.scopes.oauth
    );
    if let Some(absent) = &table.absent {
        let _ = write!(page, "\n- No rows: a {} that {}", slice(table), absent.why);
    }
    if let Walk::Pages { stable: false, .. } = table.walk {
        page.push_str("\n- Order: the list may shift while it is read");
    }
    page.push_str("\n\n## What it does not see\n\n");
    for blind_spot in &table.blind_spots {
        let _ = writeln!(page, "- {blind_spot}");
    }
    page.push_str("\n## Columns\n\n| Column | Type | NULL | Key | The API | |\n| --- | --- | --- | --- | --- | --- |\n");
    for (index, column) in table.columns.iter().enumerate() {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            column.name,
            kind(column),
            if column.nullable { "yes" } else { "" },
            if table.key.contains(&index) {
                "yes"
            } else {
                ""
            },
            pushed(column),
            described(column)
        );
    }
    page
}

fn described(column: &ColumnSpec) -> String {
    let doc = column.doc.replace('|', "\\|");
    match column.aliases.as_slice() {
        [] => doc,
        aliases => format!("{doc} Also called {}.", aliases.join(", ")),
    }
}

/// What the copies of all tables need not show, held by `blind_spots.rs`.
const RENAMED: &str = "When a workspace or repository is renamed, the next run writes the new name into the columns \
`Workspace` and `Repository`\nof all its rows. Names and addresses elsewhere in a row (`RepositoryName`, \
`DestinationRepositoryFullName`, `LinksHtmlHref`)\nstay as they were read until the row itself changes; \
`REPLICATE ... WITH TruncateTable` reads them all anew.";

fn index() -> String {
    let mut index =
        format!("# Tables\n\n{WRITTEN}\n\nWhat can be read from Bitbucket Cloud.\n\n{RENAMED}\n\n");
    let sorted: BTreeMap<_, _> = tables().iter().map(|table| (&table.name, table)).collect();
    for (name, table) in sorted {
        let _ = writeln!(index, "- [{name}]({name}.md): {}", table.doc);
    }
    index
}

#[test]
fn the_pages_of_the_tables_are_up_to_date() {
    let folder = folder();
    let mut pages = BTreeMap::from([(INDEX.to_owned(), index())]);
    pages.extend(
        tables()
            .iter()
            .map(|table| (format!("{}.md", table.name), page(table))),
    );
    let found = |folder: &Path| -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    };
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for name in found(&folder)
            .keys()
            .filter(|name| !pages.contains_key(*name))
        {
            std::fs::remove_file(folder.join(name)).unwrap();
        }
        for (name, text) in &pages {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let present = found(&folder);
    let stale: Vec<_> = pages
        .iter()
        .filter(|(name, text)| present.get(*name) != Some(text))
        .map(|(name, _)| name)
        .collect();
    assert!(stale.is_empty(), "run `cargo x docs`: {stale:?}");
    assert_eq!(
        present.len(),
        pages.len(),
        "a page of no table; run `cargo x docs`"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_each_table_is_explained() {
    let world = World::start(small()).await;
    for table in tables() {
        let mut statements = vec![format!("EXPLAIN {}", example(table))];
        if !is_bounded(table) {
            statements.push(format!("EXPLAIN REPLICATE {};", table.name));
        }
        for statement in statements {
            let outcome = world.run(&statement).await;
            assert!(
                outcome.errors.is_empty(),
                "{statement}: {:?}",
                outcome.errors
            );
            assert!(
                outcome.requests <= 4,
                "{statement}: {} requests",
                outcome.requests
            );
        }
    }
}

//! Issues are read from the service or from an archive, by the same names.

use bucketline_source::TableSpec;

/// What only archives tell. The history of an issue stands in them field by field, and is one JSON column of a change
/// of the service's.
const OF_ARCHIVES: [&str; 12] = [
    "Issues.Voters",
    "Issues.Watchers",
    "Issues.ContentUpdatedOn",
    "IssueChanges.CommentId",
    "IssueChanges.Field",
    "IssueChanges.ChangedFrom",
    "IssueChanges.ChangedTo",
    "IssueAttachments.Id",
    "IssueAttachments.Path",
    "IssueAttachments.UserDisplayName",
    "IssueAttachments.UserNickname",
    "IssueAttachments.UserAccountId",
];

/// Tables whose keys differ: an archive does not tell the issue of every comment, change and attachment, and has no ids
/// of milestones, versions and components.
const OTHER_KEYS: [&str; 6] = [
    "IssueComments",
    "IssueChanges",
    "IssueAttachments",
    "Milestones",
    "Versions",
    "Components",
];

fn key(table: &TableSpec) -> Vec<&str> {
    let names = table.key.iter().map(|key| &table.columns[*key].name);
    names.map(String::as_str).collect()
}

#[test]
fn an_archive_has_the_columns_of_the_service_as_far_as_it_goes() {
    let (mut columns, mut keys) = (Vec::new(), Vec::new());
    for archived in bucketline_archive::tables() {
        let mut tables = bucketline_bitbucket::tables().iter();
        let table = tables.find(|table| table.name == archived.name).unwrap();
        for column in &archived.columns {
            let place = format!("{}.{}", archived.name, column.name);
            match table.column(&column.name) {
                Some(same) => assert_eq!(table.columns[same].kind, column.kind, "{place}"),
                None => columns.push(place),
            }
        }
        if key(archived) != key(table) {
            keys.push(&archived.name);
        }
    }
    assert_eq!(columns, OF_ARCHIVES);
    assert_eq!(keys, OTHER_KEYS);
}

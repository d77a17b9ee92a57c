//! Columns are read by name in other people's statements.

use std::path::Path;

use bucketline_bitbucket::tables;
use bucketline_source::spec::Origin;

/// None goes, moves or is renamed unnoticed.
/// `UPDATE_COLUMNS=1` writes the list anew.
#[test]
fn the_columns_are_those_of_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/columns.txt");
    let mut list = String::new();
    for table in tables() {
        for column in &table.columns {
            let origin = match &column.origin {
                Origin::Parent(_) => "the slice".to_owned(),
                Origin::Up(above) => match &table.parent {
                    Some(parent) => {
                        let above = &parent.table.columns[*above].name;
                        format!("{} of {}", above, parent.table.name)
                    }
                    None => unreachable!("{} hangs on no table", table.name),
                },
                own => {
                    let paths = own.paths();
                    let paths: Vec<_> = paths.iter().map(|path| path.join(".")).collect();
                    paths.join(" or ")
                }
            };
            list += &format!("{}.{}: {origin}\n", table.name, column.name);
        }
    }
    if std::env::var_os("UPDATE_COLUMNS").is_some() {
        std::fs::write(&path, &list).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), list);
}

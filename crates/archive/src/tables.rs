//! The tables, as their file in `specs/` says.

use std::sync::{Arc, LazyLock};

use bucketline_source::{TableSpec, spec};

static TABLES: LazyLock<Vec<Arc<TableSpec>>> = LazyLock::new(|| {
    match spec::load(&[("issues.toml", include_str!("../specs/issues.toml"))]) {
        Ok(tables) => tables.into_iter().map(Arc::new).collect(),
        // The file is part of the program, and a test reads it.
        Err(error) => unreachable!("{error}"),
    }
});

/// The tables of an archive, without any connection.
pub fn tables() -> &'static [Arc<TableSpec>] {
    &TABLES
}

#[cfg(test)]
mod tests {
    use super::tables;

    #[test]
    fn the_table_file_is_sound() {
        let names: Vec<_> = tables().iter().map(|table| table.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Issues",
                "IssueComments",
                "IssueChanges",
                "IssueAttachments",
                "Milestones",
                "Versions",
                "Components"
            ]
        );
    }
}

//! SQLite keeps the contract, in a file and in memory.
#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use bucketline_destination::conformance::{Deed, Store};
use bucketline_destination::{Destination, TableName, conformance};
use bucketline_sqlite::SqliteDestination;
use rusqlite::Connection;
use tempfile::TempDir;

/// A database in a folder whose name needs care.
struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("it's #1 ?%20 é")
                .tempdir()
                .unwrap(),
        )
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("a copy.db")
    }

    fn other_program(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection
            .busy_timeout(std::time::Duration::from_secs(10))
            .unwrap();
        connection
    }
}

#[async_trait]
impl Store for File {
    fn open(&self) -> Box<dyn Destination> {
        Box::new(SqliteDestination::open_file(self.path()))
    }

    async fn user(&self, deed: Deed, table: &TableName) -> bool {
        let sql = match deed {
            Deed::MakeTable => r#"CREATE TABLE "{}" (Note TEXT); INSERT INTO "{}" VALUES ('mine')"#,
            Deed::MakeThings => {
                r#"CREATE TABLE "{}" (id INTEGER NOT NULL, mine TEXT, title TEXT, Kind TEXT NOT NULL, Size INTEGER,
                    PRIMARY KEY (Kind, id));
                INSERT INTO "{}" VALUES (1, 'kept, too', 'old', 'a', 1), (9, 'kept, too', 'old', 'a', 9);"#
            }
            Deed::MakeView => r#"CREATE VIEW "{}" AS SELECT 1 AS One"#,
            Deed::AddView => r#"CREATE VIEW "seen" AS SELECT Id, Title FROM "{}""#,
            Deed::AddIndex => r#"CREATE INDEX "by size" ON "{}" (Size, Id DESC) WHERE Id > 0"#,
            Deed::AddTrigger => {
                r#"CREATE TABLE writes (what);
                CREATE TRIGGER i BEFORE INSERT ON "{}" BEGIN INSERT INTO writes VALUES ('i'); END;
                CREATE TRIGGER u AFTER UPDATE ON "{}" BEGIN INSERT INTO writes VALUES ('u'); END;
                CREATE TRIGGER d AFTER DELETE ON "{}" BEGIN INSERT INTO writes VALUES ('d'); END;"#
            }
            Deed::AddColumn => {
                r#"ALTER TABLE "{}" ADD COLUMN Mine TEXT DEFAULT 'kept, too' CHECK (Mine <> ')')"#
            }
            Deed::DropTable => r#"DROP TABLE "{}""#,
            Deed::EmptyTable => r#"DELETE FROM "{}""#,
            Deed::TakeLease => {
                let mut folder = self.path().into_os_string();
                folder.push("-bucketline");
                std::fs::remove_dir_all(folder).unwrap();
                return true;
            }
        };
        self.other_program()
            .execute_batch(&sql.replace("{}", &table.name))
            .unwrap();
        true
    }

    async fn survives(&self, deed: Deed, table: &TableName) -> bool {
        let there = |name: &str| {
            format!("SELECT count(*) = 1 FROM sqlite_master WHERE name = '{name}' AND sql <> ''")
        };
        let sql = match deed {
            Deed::AddView => String::from("SELECT count(*) = 2 FROM seen"),
            Deed::AddIndex => there("by size"),
            Deed::AddTrigger => there("i"),
            _ => format!(
                r#"SELECT count(*) = 2 FROM "{}" WHERE Mine = 'kept, too'"#,
                table.name
            ),
        };
        self.other_program()
            .query_row(&sql, [], |row| row.get(0))
            .unwrap()
    }

    async fn writes(&self, _: &TableName) -> u64 {
        let sql = "SELECT count(*) FROM writes";
        self.other_program()
            .query_row(sql, [], |row| row.get::<_, u32>(0))
            .unwrap()
            .into()
    }
}

conformance!(Some(File::new()));

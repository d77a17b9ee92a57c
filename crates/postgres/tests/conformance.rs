//! PostgreSQL keeps the contract.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use async_trait::async_trait;
use bucketline_destination::conformance::{Deed, Store};
use bucketline_destination::{Destination, TableName, conformance};

use self::support::Database;

#[async_trait]
impl Store for Database {
    fn open(&self) -> Box<dyn Destination> {
        Box::new(self.destination())
    }

    async fn user(&self, deed: Deed, table: &TableName) -> bool {
        let sql = match deed {
            Deed::MakeTable => "CREATE TABLE {} (note text); INSERT INTO {} VALUES ('mine')",
            Deed::MakeThings => {
                "CREATE TABLE {} (id bigint NOT NULL, mine text, title text, kind text NOT NULL, size bigint,
                    PRIMARY KEY (kind, id));
                INSERT INTO {} VALUES (1, 'kept, too', 'old', 'a', 1), (9, 'kept, too', 'old', 'a', 9);"
            }
            Deed::MakeView => "CREATE VIEW {} AS SELECT 1 AS one",
            Deed::AddView => "CREATE VIEW seen AS SELECT id, title FROM {}",
            Deed::AddIndex => "CREATE INDEX \"by size\" ON {} (size, id DESC) WHERE id > 0",
            Deed::AddTrigger => {
                "CREATE TABLE writes (what text);
                CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
                  $$ BEGIN INSERT INTO public.writes VALUES (TG_OP);
                     RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END $$;
                CREATE TRIGGER i BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION noted();"
            }
            Deed::AddColumn => {
                "ALTER TABLE {} ADD COLUMN mine text DEFAULT 'kept, too' CHECK (mine <> ')')"
            }
            Deed::DropTable => "DROP TABLE {}",
            Deed::EmptyTable => "DELETE FROM {}",
            Deed::TakeLease => {
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            }
        };
        self.execute(&sql.replace("{}", &located(table)));
        true
    }

    async fn survives(&self, deed: Deed, table: &TableName) -> bool {
        let sql = match deed {
            Deed::AddView => String::from("SELECT count(*) = 2 FROM seen"),
            Deed::AddIndex => {
                String::from("SELECT count(*) = 1 FROM pg_indexes WHERE indexname = 'by size'")
            }
            Deed::AddTrigger => {
                String::from("SELECT count(*) = 1 FROM pg_trigger WHERE tgname = 'i'")
            }
            _ => format!(
                "SELECT count(*) = 2 FROM {} WHERE mine = 'kept, too'",
                located(table)
            ),
        };
        self.execute(&sql) == "t"
    }

    async fn writes(&self, _: &TableName) -> u64 {
        self.execute("SELECT count(*) FROM writes").parse().unwrap()
    }
}

/// A table as another program names it.
fn located(table: &TableName) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.to_lowercase().replace('"', "\"\""));
    let schema = table.schema.as_deref().unwrap_or("public");
    format!("{}.{}", quoted(schema), quoted(&table.name))
}

conformance!(Database::new());

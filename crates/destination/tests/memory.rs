//! The memory destination keeps the contract.

use std::sync::Arc;

use async_trait::async_trait;
use bucketline_destination::conformance::{Deed, Store};
use bucketline_destination::memory::MemoryDestination;
use bucketline_destination::{Destination, TableName, conformance};

struct Memory(MemoryDestination);

#[async_trait]
impl Store for Memory {
    fn open(&self) -> Box<dyn Destination> {
        Box::new(self.0.clone())
    }

    async fn user(&self, deed: Deed, table: &TableName) -> bool {
        use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
        match deed {
            Deed::MakeTable => {
                let note: ArrayRef = Arc::new(StringArray::from(vec!["mine"]));
                let rows = RecordBatch::try_from_iter([("Note", note)]);
                rows.is_ok_and(|rows| self.0.put(table, &rows, &[]).is_ok())
            }
            Deed::MakeThings => {
                let texts = |text| -> ArrayRef { Arc::new(StringArray::from(vec![text; 2])) };
                let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 9]));
                let rows = RecordBatch::try_from_iter([
                    ("id", Arc::clone(&numbers)),
                    ("title", texts("old")),
                    ("Kind", texts("a")),
                    ("Size", numbers),
                ]);
                rows.is_ok_and(|rows| self.0.put(table, &rows, &["Kind", "id"]).is_ok())
            }
            Deed::DropTable => self.0.drop_table(table),
            Deed::EmptyTable => self.0.empty_table(table),
            Deed::TakeLease => {
                self.0.revoke(table);
                true
            }
            _ => false,
        }
    }

    async fn survives(&self, _: Deed, _: &TableName) -> bool {
        true
    }

    async fn writes(&self, _: &TableName) -> u64 {
        0
    }
}

conformance!(Some(Memory(MemoryDestination::new())));

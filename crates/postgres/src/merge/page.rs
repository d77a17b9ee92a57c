//! Rows on their way, in a temporary table.

use arrow::array::RecordBatch;
use bucketline_destination::{ColumnType, Error, Result, describe_row};
use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use tokio_postgres::{Client, Statement};

use super::Merge;
use crate::connection::{Doing, failed};
use crate::encode::{self, Rows, sql_type};

/// Bytes that go to the server at a time.
const CHUNK: usize = 256 * 1024;

/// A page of rows, each with its number in the column `row`.
pub(super) struct Page {
    /// The temporary table.
    pub(super) name: String,
    /// The places of its columns in the layout.
    pub(super) places: Vec<usize>,
}

impl Page {
    /// The name of the column that has the values of a place.
    pub(super) fn column(&self, place: usize) -> String {
        let index = self.places.iter().position(|other| *other == place);
        format!("c{}", index.unwrap_or_default())
    }

    /// The columns at some places.
    pub(super) fn columns(&self, places: &[usize]) -> String {
        let columns = places
            .iter()
            .map(|place| format!("page.{}", self.column(*place)));
        columns.collect::<Vec<_>>().join(", ")
    }
}

impl Merge<'_> {
    /// Sends rows whose columns are those at the places.
    pub(super) async fn page(&mut self, places: &[usize], batch: &RecordBatch) -> Result<Page> {
        let doing = format!("sending rows to {}", self.table);
        let types = self.types(places);
        let columns: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(index, column_type)| format!("c{index} {}", sql_type(*column_type)))
            .collect();
        let columns = format!("row integer, {}", columns.join(", "));
        let name = self.at.temporary(&columns, &doing).await?;
        let is_key = |index: &usize| self.layout.key.contains(&places[*index]);
        let key: Vec<usize> = (0..places.len()).filter(is_key).collect();
        self.copy(&name, batch, (&types, &key), &doing).await?;
        Ok(Page {
            name,
            places: places.to_vec(),
        })
    }

    async fn copy(
        &mut self,
        name: &str,
        batch: &RecordBatch,
        columns: (&[ColumnType], &[usize]),
        doing: &str,
    ) -> Result<()> {
        let sql = format!("COPY {name} FROM STDIN (FORMAT binary)");
        let statement = self.at.prepared(&sql, doing).await?;
        send(&self.at.client, &statement, batch, columns, doing).await
    }
}

/// Sends rows, each with its number before it, to a COPY. The columns are given by their types, and by the indices of
/// those that are the key, which names a row in an error.
pub(crate) async fn send(
    client: &Client,
    copy: &Statement,
    batch: &RecordBatch,
    (types, key): (&[ColumnType], &[usize]),
    doing: &str,
) -> Result<()> {
    let sink = client.copy_in::<_, Bytes>(copy).await.doing(doing)?;
    let mut sink = std::pin::pin!(sink);
    let rows = Rows::new(batch, types);
    let mut out = BytesMut::with_capacity(CHUNK + CHUNK / 4);
    encode::head(&mut out);
    for row in 0..batch.num_rows() {
        rows.put(row, &mut out).map_err(|error| {
            let named = batch.project(key).ok().filter(|_| !key.is_empty());
            let named = match named {
                Some(key) => describe_row(&key, row),
                None => (row + 1).to_string(),
            };
            let told = Error::new(error.code(), format!("row {named}, {error}"));
            match error.hint() {
                Some(hint) => told.with_hint(hint),
                None => told,
            }
        })?;
        if out.len() >= CHUNK {
            sink.feed(out.split().freeze()).await.doing(doing)?;
        }
    }
    encode::tail(&mut out);
    sink.feed(out.freeze()).await.doing(doing)?;
    let finished = sink.as_mut().finish().await;
    finished.map_err(|error| refused(error, batch, doing))?;
    Ok(())
}

/// A refusal of a COPY, whose server knows the page's columns only, in the names of the batch.
fn refused(error: tokio_postgres::Error, batch: &RecordBatch, doing: &str) -> Error {
    let place = error.as_db_error().and_then(|told| {
        let (_, rest) = told.where_()?.rsplit_once("column c")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<usize>().ok()
    });
    let schema = batch.schema();
    match place.and_then(|place| schema.fields().get(place)) {
        Some(field) => failed(&format!("{doing}: column `{}`", field.name()), error),
        None => failed(doing, error),
    }
}

//! Values of every type come back as they were.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
    DurationMicrosecondArray, Float64Array, Int64Array, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::{concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::i256;
use bucketline_destination::{
    Change, Column, ColumnType, Counts, Destination, LoadPlan, Query, TableName, Target,
};
use fastrand::Rng;
use futures::TryStreamExt;

use self::support::{Database, open, plan};

const ROWS: usize = 300;

const TYPES: &[ColumnType] = &[
    ColumnType::Boolean,
    ColumnType::Int,
    ColumnType::Float,
    ColumnType::Decimal {
        precision: 7,
        scale: 3,
    },
    ColumnType::Decimal {
        precision: 38,
        scale: 0,
    },
    ColumnType::Decimal {
        precision: 38,
        scale: 38,
    },
    ColumnType::Decimal {
        precision: 76,
        scale: 11,
    },
    ColumnType::Text,
    ColumnType::Json,
    ColumnType::Binary,
    ColumnType::Date,
    ColumnType::Time,
    ColumnType::Instant,
    ColumnType::LocalTime,
    ColumnType::Duration,
];

/// One of the numbers that are special, or any.
fn number(random: &mut Rng, special: &[i64], any: impl Fn(&mut Rng) -> i64) -> i64 {
    match random.u8(..4) {
        0 => *random.choice(special).unwrap(),
        _ => any(random),
    }
}

/// Digits of a decimal number, few or all that the precision has.
fn digits(random: &mut Rng, precision: u8) -> String {
    let count = random.u8(1..=precision);
    let sign = if random.bool() { "-" } else { "" };
    let digit = |random: &mut Rng| char::from(b'0' + *random.choice(&[0, 0, 0, 1, 9]).unwrap());
    let digits: String = (0..count).map(|_| digit(random)).collect();
    format!("{sign}{digits}")
}

fn text(random: &mut Rng) -> String {
    let characters = ['a', 'é', '名', '\'', '"', '\\', '\n', '\u{1}', '🎉', ' '];
    let length = random.usize(..30);
    (0..length)
        .map(|_| *random.choice(characters.iter()).unwrap())
        .collect()
}

fn values(column_type: ColumnType, random: &mut Rng) -> ArrayRef {
    /// Microseconds of PostgreSQL's first and last moments, and about its zero.
    const MOMENTS: [i64; 6] = [
        -210_866_803_200_000_000,
        i64::MAX,
        946_684_800_000_000,
        946_684_799_999_999,
        0,
        -1,
    ];
    const DAY: i64 = 86_400_000_000;
    let present: Vec<bool> = (0..ROWS).map(|_| random.u8(..8) > 0).collect();
    let mut longs = |special: &[i64], any: fn(&mut Rng) -> i64| -> Vec<Option<i64>> {
        let value = |present: &bool| present.then(|| number(random, special, any));
        present.iter().map(value).collect()
    };
    match column_type {
        ColumnType::Boolean => {
            let values = longs(&[0], |random| i64::from(random.bool()));
            let values = values.into_iter().map(|value| value.map(|value| value > 0));
            Arc::new(values.collect::<BooleanArray>())
        }
        ColumnType::Int => Arc::new(Int64Array::from(longs(
            &[i64::MIN, i64::MAX, 0],
            |random| random.i64(..) >> random.u8(..64),
        ))),
        ColumnType::Float => {
            let special = [
                0.0,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::MIN_POSITIVE,
                5e-324,
            ];
            let special = special.map(|value| i64::from_be_bytes(value.to_be_bytes()));
            let values = longs(&special, |random| {
                let value = f64::from_bits(random.u64(..));
                let value = if value.is_nan() { f64::NAN } else { value };
                i64::from_be_bytes(value.to_be_bytes())
            });
            let float = |bits: i64| f64::from_be_bytes(bits.to_be_bytes());
            Arc::new(
                values
                    .into_iter()
                    .map(|value| value.map(float))
                    .collect::<Float64Array>(),
            )
        }
        ColumnType::Decimal { precision, scale } if precision <= 38 => {
            let value =
                |present: &bool| present.then(|| digits(random, precision).parse().unwrap());
            let array: Decimal128Array = present.iter().map(value).collect();
            Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
        }
        ColumnType::Decimal { precision, scale } => {
            let value = |present: &bool| {
                present.then(|| i256::from_string(&digits(random, precision)).unwrap())
            };
            let array: Decimal256Array = present.iter().map(value).collect();
            Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
        }
        ColumnType::Text => {
            let value = |present: &bool| present.then(|| text(random));
            Arc::new(present.iter().map(value).collect::<StringArray>())
        }
        ColumnType::Json => {
            // In the spelling of `jsonb`.
            let value = |present: &bool| {
                present.then(|| format!("[{}, true, null]", serde_json::json!(text(random))))
            };
            let texts: Vec<Option<String>> = present.iter().map(value).collect();
            Arc::new(StringArray::from(texts))
        }
        ColumnType::Binary => {
            let value = |present: &bool| {
                let length = random.usize(..20);
                let bytes = std::iter::repeat_with(|| random.u8(..))
                    .take(length)
                    .collect();
                present.then_some(bytes)
            };
            let values: Vec<Option<Vec<u8>>> = present.iter().map(value).collect();
            Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>())
        }
        ColumnType::Date => {
            // 4713 BC and 5874897 AD.
            let values = longs(&[-2_440_588, 2_145_031_948, 10_957, 0], |random| {
                random.i64(-2_440_588..2_145_031_948) >> random.u8(..32)
            });
            let day = |day: i64| i32::try_from(day).unwrap();
            Arc::new(
                values
                    .into_iter()
                    .map(|value| value.map(day))
                    .collect::<Date32Array>(),
            )
        }
        ColumnType::Time => Arc::new(Time64MicrosecondArray::from(longs(
            &[0, DAY - 1],
            |random| random.i64(0..DAY),
        ))),
        ColumnType::Instant | ColumnType::LocalTime => {
            let values = longs(&MOMENTS, |random| random.i64(MOMENTS[0]..MOMENTS[1]));
            let array = TimestampMicrosecondArray::from(values);
            Arc::new(array.with_data_type(column_type.data_type()))
        }
        ColumnType::Duration => Arc::new(DurationMicrosecondArray::from(longs(
            &[0, -1, i64::MAX, i64::MIN],
            |random| random.i64(..),
        ))),
    }
}

#[tokio::test]
async fn values_of_every_type_come_back() {
    let Some(database) = Database::new() else {
        return;
    };
    let destination = database.destination();
    let names: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(n, _)| format!("C{n}"))
        .collect();
    let mut columns = vec![plan(Target::Table).columns.remove(0)];
    columns.extend(TYPES.iter().zip(&names).map(|(column_type, name)| Column {
        field: column_type.field(name, true),
        doc: None,
    }));
    let plan = LoadPlan {
        columns,
        batch_size: Some(128),
        ..plan(Target::Table)
    };
    for seed in 0..8 {
        let mut random = Rng::with_seed(seed);
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS as i64));
        let mut given = vec![("Id", ids)];
        for (column_type, name) in TYPES.iter().zip(&names) {
            given.push((name, values(*column_type, &mut random)));
        }
        let given = RecordBatch::try_from_iter(given).unwrap();
        let load = open(&destination).await.unwrap();
        load.begin(plan.clone()).await.unwrap();
        for round in 0..2 {
            load.write("s", Change::Upsert(given.clone()))
                .await
                .unwrap();
            let counts = load.commit("s", None).await.unwrap();
            if round > 0 {
                let unchanged = Counts {
                    unchanged: ROWS as u64,
                    ..Counts::default()
                };
                assert_eq!(counts, unchanged, "seed {seed}");
            }
        }
        load.finish(None).await.unwrap();
        let query = Query {
            table: TableName::bare("Things"),
            columns: given
                .schema()
                .fields()
                .iter()
                .map(|it| it.name().clone())
                .collect(),
            conditions: Vec::new(),
            limit: None,
        };
        let stream = destination.read(&query).await.unwrap();
        let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
        let read = concat_batches(&batches[0].schema(), &batches).unwrap();
        let order = sort_to_indices(read.column(0), None, None).unwrap();
        let read = take_record_batch(&read, &order).unwrap();
        for (index, column_type) in TYPES.iter().enumerate() {
            let (given, read) = (given.column(index + 1), read.column(index + 1));
            assert_eq!(read.data_type(), &column_type.data_type());
            for row in 0..ROWS {
                assert_eq!(
                    &read.slice(row, 1),
                    &given.slice(row, 1),
                    "seed {seed}, row {row}, {column_type}"
                );
            }
        }
    }
}

/// The server names an index and no row.
#[tokio::test]
async fn a_value_too_large_for_an_index_is_named_by_row_and_column() {
    let Some(database) = Database::new() else {
        return;
    };
    let destination = database.destination();
    let mut random = Rng::with_seed(7);
    let large: String = std::iter::repeat_with(|| random.alphanumeric())
        .take(20_000)
        .collect();
    let rows = || {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..500));
        let texts = (0..500).map(|id| if id == 321 { large.as_str() } else { "small" });
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        RecordBatch::try_from_iter([("Id", ids), ("Text", texts)]).unwrap()
    };
    let load = open(&destination).await.unwrap();
    load.begin(plan(Target::Table)).await.unwrap();
    database.execute("CREATE INDEX ON things (text)");
    load.write("s", Change::Upsert(rows())).await.unwrap();
    let error = load.commit("s", None).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("it is the value of `Text` in the row {Id: 321}, which has 20000 bytes"),
        "{told}"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("LEFT(Text")));
    drop(load);

    // Of rows that INSERT gives, the number is said.
    database.execute("CREATE TABLE notes (id bigint, text text); CREATE INDEX ON notes (text)");
    let appended = destination
        .append(&TableName::bare("notes"), &[rows()])
        .await;
    let told = appended.unwrap_err().to_string();
    assert!(told.starts_with("row 322: "), "{told}");
    assert_eq!(database.execute("SELECT count(*) FROM notes"), "0");
}

#[tokio::test]
async fn a_text_that_the_server_has_no_place_for_is_named_by_its_row() {
    let Some(database) = Database::new() else {
        return;
    };
    let destination = database.destination();
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b\0"]));
    let rows = RecordBatch::try_from_iter([("Id", ids), ("Text", texts)]).unwrap();
    let load = open(&destination).await.unwrap();
    load.begin(plan(Target::Table)).await.unwrap();
    load.write("s", Change::Upsert(rows)).await.unwrap();
    let told = load.commit("s", None).await.unwrap_err().to_string();
    assert!(told.starts_with("row {Id: 2}, column `Text`"), "{told}");
}

#[tokio::test]
async fn a_column_that_every_table_has_is_refused_before_the_first_row() {
    let Some(database) = Database::new() else {
        return;
    };
    let destination = database.destination();
    let mut columns = plan(Target::Table).columns;
    columns[1].field.set_name("XMin".to_owned());
    let load = open(&destination).await.unwrap();
    let begun = load.begin(LoadPlan {
        columns,
        ..plan(Target::Table)
    });
    let error = begun.await.unwrap_err();
    assert_eq!(error.code(), "BL6008");
    assert!(error.to_string().contains("`XMin`"), "{error}");
    assert_eq!(
        database.execute("SELECT count(*) FROM pg_class WHERE relname = 'things'"),
        "0"
    );
}

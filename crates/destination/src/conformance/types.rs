//! Every Arrow type that an engine can emit.

use std::sync::Arc;

use arrow::array::types::{IntervalDayTime, IntervalMonthDayNano};
use arrow::array::*;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::*;
use half::f16;

use super::fixture::{Bench, batch, column, counts, error, plan, record, texts};
use crate::{Change, ColumnType, LoadPlan, Replacement, code};

/// Arrays of three rows, a NULL among them, and the texts that they are read as.
fn cases() -> Vec<(ArrayRef, [&'static str; 3])> {
    let mut cases: Vec<(ArrayRef, [&'static str; 3])> = Vec::new();
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), None, Some(100)]));
    for to in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ] {
        cases.push((cast(&whole, &to).unwrap(), ["0", "-", "100"]));
    }
    let float: ArrayRef = Arc::new(Float64Array::from(vec![Some(-0.5), None, Some(2.0)]));
    for to in [DataType::Float32, DataType::Float64] {
        cases.push((cast(&float, &to).unwrap(), ["-0.5", "-", "2.0"]));
    }
    let halves = [Some(f16::from_f32(-0.5)), None, Some(f16::from_f32(2.0))];
    cases.push((
        Arc::new(Float16Array::from_iter(halves)),
        ["-0.5", "-", "2.0"],
    ));
    let decimal: ArrayRef = Arc::new(StringArray::from(vec![
        Some("-1.50"),
        None,
        Some("12345.67"),
    ]));
    for to in [
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 2),
        DataType::Decimal128(10, 2),
        DataType::Decimal128(38, 2),
        DataType::Decimal256(76, 2),
    ] {
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let array = cast_with_options(&decimal, &to, &strict).unwrap();
        cases.push((array, ["-1.50", "-", "12345.67"]));
    }
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("é 'q' \"d\""), None, Some("")]));
    for to in [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::LargeUtf8)),
    ] {
        cases.push((cast(&text, &to).unwrap(), ["é 'q' \"d\"", "-", ""]));
    }
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![
        Some(&[0_u8, 255][..]),
        None,
        Some(&[1, 2]),
    ]));
    for to in [
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(2),
    ] {
        cases.push((cast(&bytes, &to).unwrap(), ["00ff", "-", "0102"]));
    }
    cases.push((
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ["true", "-", "false"],
    ));
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None, Some(20_733)]));
    cases.push((
        cast(&dates, &DataType::Date64).unwrap(),
        ["1970-01-01", "-", "2026-10-07"],
    ));
    cases.push((dates, ["1970-01-01", "-", "2026-10-07"]));
    let noon: ArrayRef = Arc::new(Time32SecondArray::from(vec![Some(0), None, Some(43_200)]));
    for to in [
        DataType::Time32(TimeUnit::Second),
        DataType::Time32(TimeUnit::Millisecond),
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Time64(TimeUnit::Nanosecond),
    ] {
        cases.push((cast(&noon, &to).unwrap(), ["00:00:00", "-", "12:00:00"]));
    }
    let moments: ArrayRef = Arc::new(TimestampSecondArray::from(vec![
        Some(-1),
        None,
        Some(1_791_398_395),
    ]));
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        let local = cast(&moments, &DataType::Timestamp(unit, None)).unwrap();
        cases.push((local, ["1969-12-31T23:59:59", "-", "2026-10-07T18:39:55"]));
        for zone in ["+00:00", "UTC", "+02:00"] {
            let utc = cast(&moments, &DataType::Timestamp(unit, Some("+00:00".into()))).unwrap();
            let data = utc.to_data().into_builder();
            let zoned = data
                .data_type(DataType::Timestamp(unit, Some(zone.into())))
                .build()
                .unwrap();
            cases.push((
                make_array(zoned),
                ["1969-12-31T23:59:59Z", "-", "2026-10-07T18:39:55Z"],
            ));
        }
    }
    let fine =
        TimestampNanosecondArray::from(vec![Some(-1), None, Some(1_791_398_395_551_762_999)]);
    cases.push((
        Arc::new(fine),
        [
            "1969-12-31T23:59:59.999999",
            "-",
            "2026-10-07T18:39:55.551762",
        ],
    ));
    let spans: ArrayRef = Arc::new(DurationSecondArray::from(vec![Some(0), None, Some(3_661)]));
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        cases.push((
            cast(&spans, &DataType::Duration(unit)).unwrap(),
            ["P0D", "-", "PT3661S"],
        ));
    }
    let months = IntervalYearMonthArray::from(vec![Some(0), None, Some(14)]);
    cases.push((Arc::new(months), ["PT0S", "-", "P1Y2M"]));
    let days = [
        Some(IntervalDayTime::new(0, 0)),
        None,
        Some(IntervalDayTime::new(1, 500)),
    ];
    cases.push((
        Arc::new(IntervalDayTimeArray::from(days.to_vec())),
        ["PT0S", "-", "P1DT0.5S"],
    ));
    let nanos = [
        Some(IntervalMonthDayNano::new(0, 0, 0)),
        None,
        Some(IntervalMonthDayNano::new(1, 2, 3_000_000_000)),
    ];
    cases.push((
        Arc::new(IntervalMonthDayNanoArray::from(nanos.to_vec())),
        ["PT0S", "-", "P1M2DT3S"],
    ));
    cases.extend(nested());
    cases.push((Arc::new(NullArray::new(3)), ["-", "-", "-"]));
    cases
}

fn nested() -> Vec<(ArrayRef, [&'static str; 3])> {
    let mut cases: Vec<(ArrayRef, [&'static str; 3])> = Vec::new();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let list: ArrayRef = Arc::new(list);
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    cases.push((
        cast(&list, &DataType::LargeList(Arc::clone(&item))).unwrap(),
        ["[1,null]", "-", "[]"],
    ));
    cases.push((list, ["[1,null]", "-", "[]"]));
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        [Some(vec![Some(1)]), None, Some(vec![None])],
        1,
    );
    cases.push((Arc::new(fixed), ["[1]", "-", "[null]"]));
    let fields = Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("deep", DataType::List(Arc::clone(&item)), true),
    ]);
    let inner =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, None]);
    let names = StringArray::from(vec![Some("é\"\n"), None, None]);
    let arrays: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(inner)];
    let nulls = arrow::buffer::NullBuffer::from(vec![true, false, true]);
    cases.push((
        Arc::new(StructArray::new(fields, arrays, Some(nulls))),
        [
            r#"{"name":"é\"\n","deep":[1]}"#,
            "-",
            r#"{"name":null,"deep":null}"#,
        ],
    ));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("k");
    map.values().append_value(1);
    map.append(true).unwrap();
    map.append(false).unwrap();
    map.append(true).unwrap();
    cases.push((Arc::new(map.finish()), [r#"{"k":1}"#, "-", "{}"]));
    let runs = Int32Array::from(vec![1, 2, 3]);
    let values = StringArray::from(vec![Some("x"), None, Some("y")]);
    let run_ends = RunArray::<Int32Type>::try_new(&runs, &values).unwrap();
    cases.push((Arc::new(run_ends), ["x", "-", "y"]));
    cases
}

/// Values of every type come back as the type that [`ColumnType`] documents, equal rows of them are found
/// equal, and a NULL stays NULL. JSON is the same value, in whatever spelling and order of members.
pub async fn every_arrow_type(bench: Bench) {
    let (arrays, expected): (Vec<ArrayRef>, Vec<[&str; 3]>) = cases().into_iter().unzip();
    let names: Vec<String> = (0..arrays.len())
        .map(|number| format!("C{number}"))
        .collect();
    let mut columns = vec![column("Id", DataType::Int64)];
    let mut values: Vec<(&str, ArrayRef)> = vec![("Id", Arc::new(Int64Array::from(vec![0, 1, 2])))];
    for (name, array) in names.iter().zip(&arrays) {
        columns.push(column(name, array.data_type().clone()));
        values.push((name, Arc::clone(array)));
    }
    let rows = batch(values);
    let plan = LoadPlan {
        columns,
        key: vec!["Id".into()],
        ..plan()
    };
    let load = bench.load(plan.clone()).await;
    for counted in [counts(3, 0, 0, 0), counts(0, 0, 3, 0)] {
        load.write("s", Change::Upsert(rows.clone())).await.unwrap();
        assert_eq!(load.commit("s", None).await.unwrap(), counted);
    }
    load.finish(None).await.unwrap();
    for ((name, array), expected) in names.iter().zip(&arrays).zip(expected) {
        let what = format!("{name}, a {}", array.data_type());
        let batches = bench.batches(&["Id", name], &[], None).await.unwrap();
        let mut found: Vec<String> = batches.iter().flat_map(texts).collect();
        found.sort();
        let mut wanted: Vec<String> = (0..3)
            .map(|row| format!("{row} {}", expected[row]))
            .collect();
        let field = batches[0].schema().field(1).clone();
        let stored = ColumnType::of(&Field::new(name, array.data_type().clone(), true));
        if stored == ColumnType::Json {
            for text in found.iter_mut().chain(&mut wanted) {
                *text = plain_json(text);
            }
        }
        assert_eq!(found, wanted, "{what}");
        assert_eq!(field.data_type(), &stored.data_type(), "{what}");
        assert_eq!(ColumnType::of(&field), stored, "{what}");
    }
    let staged = LoadPlan {
        target: crate::Target::Staging,
        record: serde_json::json!(2),
        ..plan
    };
    let load = bench.load(staged).await;
    load.write("s", Change::Upsert(rows)).await.unwrap();
    load.commit("s", None).await.unwrap();
    assert_eq!(
        load.apply(Replacement::Rows, record(2)).await.unwrap(),
        counts(0, 0, 3, 0)
    );
}

/// `0 {"a": 1}` with the JSON in one spelling.
fn plain_json(row: &str) -> String {
    let (id, json) = row.split_once(' ').unwrap();
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(mut value) => {
            value.sort_all_objects();
            format!("{id} {value}")
        }
        Err(_) => row.to_owned(),
    }
}

/// The largest and smallest values are kept, or refused; none is changed in silence.
pub async fn extreme_values(bench: Bench) {
    let columns = vec![
        column("Id", DataType::Int64),
        column("Real", DataType::Float64),
        column("Text", DataType::Utf8),
        column("Unsigned", DataType::UInt64),
    ];
    let plan = LoadPlan {
        columns,
        key: vec!["Id".into()],
        ..plan()
    };
    let load = bench.load(plan).await;
    let long = "long ".repeat(100_000);
    let rows = |ids: Vec<i64>, reals: Vec<f64>, texts: Vec<&str>, unsigned: Vec<u64>| {
        Change::Upsert(batch(vec![
            ("Id", Arc::new(Int64Array::from(ids)) as ArrayRef),
            ("Real", Arc::new(Float64Array::from(reals))),
            ("Text", Arc::new(StringArray::from(texts))),
            ("Unsigned", Arc::new(UInt64Array::from(unsigned))),
        ]))
    };
    let ids = vec![i64::MIN, -1, 9_007_199_254_740_993, i64::MAX];
    let reals = vec![f64::MIN, f64::INFINITY, 5e-324, 0.1];
    let texts = vec!["1e5", "007", "1\u{1}\u{7f}\u{10ffff}", &long];
    let unsigned = vec![0, 1, 2, i64::MAX as u64];
    let all = || rows(ids.clone(), reals.clone(), texts.clone(), unsigned.clone());
    for counted in [counts(4, 0, 0, 0), counts(0, 0, 4, 0)] {
        load.write("s", all()).await.unwrap();
        assert_eq!(load.commit("s", None).await.unwrap(), counted);
    }
    let read = bench
        .batches(&["Id", "Real", "Text"], &[], None)
        .await
        .unwrap();
    let found: Vec<RecordBatch> = read;
    let mut seen = 0;
    for batch in &found {
        let (read_ids, read_reals) = (
            batch.column(0).as_primitive::<Int64Type>(),
            batch.column(1).as_primitive::<Float64Type>(),
        );
        for row in 0..batch.num_rows() {
            let at = ids
                .iter()
                .position(|id| *id == read_ids.value(row))
                .unwrap();
            assert_eq!(read_reals.value(row).to_bits(), reals[at].to_bits());
            assert_eq!(batch.column(2).as_string::<i32>().value(row), texts[at]);
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
    let nul = rows(vec![6], vec![0.0], vec!["null\u{0}inside"], vec![0]);
    load.write("s", nul).await.unwrap();
    match load.commit("s", None).await {
        Ok(_) => {
            let only = [("Id", "=", crate::Scalar::Int(6))];
            assert_eq!(
                bench.read(&["Text"], &only, None).await,
                ["null\u{0}inside"]
            );
        }
        Err(refused) => {
            assert_eq!(refused.code(), code::BAD_VALUE);
            assert!(refused.to_string().contains("Text"), "{refused}");
            load.discard("s").await.unwrap();
        }
    }
    let too_large = rows(vec![5], vec![0.0], vec![""], vec![u64::MAX]);
    let refused = match load.write("s", too_large).await {
        Ok(()) => error(load.commit("s", None).await),
        Err(error) => error,
    };
    assert_eq!(refused.code(), code::BAD_VALUE);
    assert!(refused.to_string().contains("Unsigned"), "{refused}");
}

/// The names under which types are kept in a state are understood again.
pub async fn type_names_come_back(_bench: Bench) {
    for (array, _) in cases() {
        let stored = ColumnType::of(&Field::new("c", array.data_type().clone(), true));
        assert_eq!(stored.to_string().parse::<ColumnType>().unwrap(), stored);
        assert_eq!(ColumnType::of(&stored.field("c", true)), stored);
        assert_eq!(stored.widen(stored), Some(stored));
    }
}

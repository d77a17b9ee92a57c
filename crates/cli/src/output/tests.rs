use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::Output;
use crate::arguments::Format;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn sample() -> RecordBatch {
    let json = Field::new("Labels", DataType::Utf8, true).with_metadata(HashMap::from([(
        "bucketline.type".to_owned(),
        "json".to_owned(),
    )]));
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("Id", DataType::Int64, false),
        Field::new("Title", DataType::Utf8, true),
        Field::new("Score", DataType::Float64, true),
        Field::new("UpdatedOn", time, true),
        json,
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![7, 1200])),
        Arc::new(StringArray::from(vec![
            Some("a \"b\",\n\u{1b}[1m\u{9b}\u{202e}"),
            Some(""),
        ])),
        Arc::new(Float64Array::from(vec![Some(1.5), None])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![Some(1_786_352_400_250_000), None])
                .with_timezone("UTC"),
        ),
        Arc::new(StringArray::from(vec![Some("{\"a\": [1,\n2]}"), None])),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn printed(format: Format, page: Option<usize>, batches: &[RecordBatch], whole: bool) -> String {
    let sink = Sink::default();
    let mut output = Output::new(Box::new(sink.clone()), format, page);
    output.begin(&sample().schema()).unwrap();
    for batch in batches {
        output.rows(batch).unwrap();
    }
    output.end(whole).unwrap();
    sink.text()
}

#[test]
fn a_table_aligns_numbers_and_shows_null_and_control_characters() {
    let expected = [
        "   Id | Title                         | Score | UpdatedOn                | Labels",
        "------+-------------------------------+-------+--------------------------+----------------",
        "    7 | a \"b\",\\n\\u001b[1m\\u009b\\u202e |   1.5 | 2026-08-10T09:00:00.250Z | {\"a\": [1,\\n2]}",
        " 1200 |                               |  NULL | NULL                     | NULL",
        "",
    ];
    assert_eq!(
        printed(Format::Table, Some(120), &[sample()], true),
        expected.join("\n")
    );
}

#[test]
fn csv_quotes_and_tells_null_from_an_empty_text() {
    let expected = "Id,Title,Score,UpdatedOn,Labels\r\n\
        7,\"a \"\"b\"\",\n\u{1b}[1m\u{9b}\u{202e}\",1.5,2026-08-10T09:00:00.250Z,\"{\"\"a\"\": [1,\n2]}\"\r\n\
        1200,\"\",,,\r\n";
    assert_eq!(printed(Format::Csv, None, &[sample()], true), expected);
    assert!(
        printed(Format::Csv, Some(120), &[sample()], true).contains("\n\\u001b[1m\\u009b\\u202e")
    );
}

#[test]
fn json_is_one_array_with_json_embedded() {
    let text = printed(Format::Json, Some(120), &[sample(), sample()], true);
    assert!(
        text.contains("\\u009b\\u202e") && !text.contains(['\u{9b}', '\u{202e}']),
        "{text}"
    );
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value.as_array().unwrap().len(), 4);
    assert_eq!(value[0]["Title"], "a \"b\",\n\u{1b}[1m\u{9b}\u{202e}");
    assert_eq!(value[0]["UpdatedOn"], "2026-08-10T09:00:00.250Z");
    assert_eq!(value[0]["Labels"]["a"][1], 2);
    assert!(value[1]["Labels"].is_null() && value[1].get("Score").is_some());
    assert_eq!(printed(Format::Json, None, &[], true), "[]\n");
}

#[test]
fn json_that_is_not_whole_does_not_parse() {
    let text = printed(Format::Json, None, &[sample()], false);
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
}

#[test]
fn results_without_rows_have_a_header() {
    assert_eq!(
        printed(Format::Csv, None, &[], true),
        "Id,Title,Score,UpdatedOn,Labels\r\n"
    );
    assert!(printed(Format::Table, None, &[], true).starts_with(" Id | Title"));
}

#[test]
fn a_long_table_goes_on_behind_the_held_rows() {
    let many: Vec<RecordBatch> = (0..800).map(|_| sample()).collect();
    assert_eq!(
        printed(Format::Table, None, &many, true).lines().count(),
        1602
    );
}

#[test]
fn what_is_wider_than_the_terminal_is_shown_record_by_record() {
    let text = printed(Format::Table, Some(40), &[sample(), sample()], true);
    let second = "\
-[ 2 ]---------
 Id        | 1200
 Title     |
 Score     | NULL
 UpdatedOn | NULL
 Labels    | NULL
-[ 3 ]---------
";
    assert!(text.replace("| \n", "|\n").contains(second), "{text}");
}

#[test]
fn vertical_is_a_line_for_each_column_and_cuts_nothing() {
    let text = printed(Format::Vertical, None, &[sample()], true);
    assert!(
        text.starts_with("-[ 1 ]---------\n Id        | 7\n Title     | a \"b\""),
        "{text}"
    );
    assert!(text.contains("\n Score     | NULL\n"), "{text}");
    assert_eq!(printed(Format::Vertical, Some(120), &[], true), "");
}

#[test]
fn ndjson_is_an_object_a_line() {
    let text = printed(Format::Ndjson, None, &[sample(), sample()], true);
    let rows: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0]["Labels"]["a"][1], 2);
    assert_eq!(printed(Format::Ndjson, None, &[], true), "");
}

#[test]
fn markdown_keeps_each_row_on_its_line() {
    let text = printed(Format::Markdown, None, &[sample()], true);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "| Id | Title | Score | UpdatedOn | Labels |");
    assert_eq!(lines[1], "| ---: | --- | ---: | --- | --- |");
    assert!(
        lines[2].starts_with("| 7 | a \"b\",<br>\\u001b[1m"),
        "{text}"
    );
    assert_eq!(lines[3], "| 1200 |  | NULL | NULL | NULL |");
    assert_eq!(lines.len(), 4);
}

#[test]
fn an_object_has_each_key_once() {
    let names = ["a", "a_1", "a", "A", "a"];
    let fields = names.map(|name| Field::new(name, DataType::Int64, false));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let batch = RecordBatch::try_new(schema, vec![column; 5]).unwrap();
    let sink = Sink::default();
    let mut output = Output::new(Box::new(sink.clone()), Format::Ndjson, None);
    output.begin(&batch.schema()).unwrap();
    output.rows(&batch).unwrap();
    output.end(true).unwrap();
    let expected = "{\"a\":1,\"a_1\":1,\"a_2\":1,\"A\":1,\"a_3\":1}\n";
    assert_eq!(sink.text(), expected);
}

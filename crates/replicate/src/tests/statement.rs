//! Reading the parsed statement.

use arrow::datatypes::DataType;
use bucketline_destination::TableName;
use bucketline_sql as sql;

use crate::statement::Statement;
use crate::{Error, code};

fn read(text: &str) -> Result<Statement, Error> {
    match sql::parse_statement(text).unwrap().statement {
        sql::Statement::Replicate(statement) => Statement::read(&statement),
        other => panic!("{other:?} is no REPLICATE"),
    }
}

#[test]
fn target_columns_and_options() {
    let statement = read(
        "REPLICATE PROD.Issues (Id int, Title varchar(255), At datetime, PRIMARY KEY (Id)) \
         WITH DropTable, BatchSize = 500, ReplicateStartDate = '2024-02-03', DropMissingRepositories \
         SELECT Id, Title, UpdatedOn FROM api.Issues",
    )
    .unwrap();
    assert_eq!(statement.table, TableName::qualified("PROD", "Issues"));
    let declared = statement.declared.unwrap();
    assert!(!declared.by_name);
    assert_eq!(declared.key, ["Id"]);
    let columns = declared.columns.iter();
    let columns: Vec<_> = columns
        .map(|column| {
            (
                column.name.as_str(),
                column.data_type.clone(),
                column.rule.length,
            )
        })
        .collect();
    assert_eq!(columns[0], ("Id", Some(DataType::Int64), None));
    assert_eq!(columns[1], ("Title", Some(DataType::Utf8), Some(255)));
    let options = statement.options;
    assert!(options.drop_table && options.drop_missing && options.alter_schema);
    assert!(!options.truncate_table);
    assert_eq!(options.batch_size, Some(500));
    assert_eq!(
        options.start.unwrap().to_rfc3339(),
        "2024-02-03T00:00:00+00:00"
    );
}

#[test]
fn an_alias_and_columns_by_name() {
    let statement =
        read("REPLICATE Issues (Id int) WITH TruncateTableData, AlterSchema = false").unwrap();
    assert!(statement.options.truncate_table && !statement.options.alter_schema);
    assert!(statement.declared.unwrap().by_name);
}

#[test]
fn what_cannot_be_carried_out_is_refused_and_what_changes_nothing_is_not() {
    for option in ["ReplicateStartDate = 17", "UseGmtDateTime = false"] {
        let error = read(&format!("REPLICATE Issues WITH {option}")).unwrap_err();
        assert_eq!(error.code(), "BL7006", "{option}");
        assert!(error.span().is_some() && error.hint().is_some());
    }
    let number = read("REPLICATE Issues WITH ReplicateStartDate = 17").unwrap_err();
    assert!(number.to_string().contains("names no moment"));
    for option in [
        "AutoTruncateStrings",
        "IncrementalCheckColumns = 'UpdatedOn'",
        "ReplicateInterval = 30, ReplicateIntervalUnit = days",
        "EnableHistoryMode = false",
        "DeleteOption = HardDelete",
        "UseGmtDateTime",
        "ContinueOnError",
        "LostValues = FAIL",
        "CommandTimeout = 5",
    ] {
        read(&format!("REPLICATE Issues WITH {option}")).unwrap();
    }
}

#[test]
fn a_prefix_and_a_schema_choose_the_table() {
    let table = |text: &str| read(text).unwrap().table;
    let both = "WITH TableNamePrefix = 'X_', CacheSchema = 'PROD'";
    assert_eq!(
        table(&format!("REPLICATE Issues {both}")),
        TableName::qualified("PROD", "X_Issues")
    );
    assert_eq!(
        table(&format!("REPLICATE TEST.Issues {both}")),
        TableName::qualified("TEST", "X_Issues")
    );
}

#[test]
fn an_unknown_type_is_refused() {
    let error = read("REPLICATE Issues (Id geometry)").unwrap_err();
    assert_eq!(error.code(), code::COLUMNS);
}

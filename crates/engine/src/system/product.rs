//! What the program can do and is.

use datafusion::execution::TaskContext;

use super::{Cell, text};

/// The dialect's functions of each kind, of which those are listed that there are.
const STRINGS: &[&str] = &[
    "ASCII",
    "CHAR",
    "CHARINDEX",
    "CHAR_LENGTH",
    "CONCAT",
    "CONTAINS",
    "ENDSWITH",
    "FORMAT",
    "FROM_UNIXTIME",
    "HASHBYTES",
    "INDEXOF",
    "ISNULL",
    "JSON_AVG",
    "JSON_COUNT",
    "JSON_EXTRACT",
    "JSON_MAX",
    "JSON_MIN",
    "JSON_SUM",
    "LEFT",
    "LEN",
    "LOCATE",
    "LOWER",
    "LTRIM",
    "MASK",
    "NCHAR",
    "OCTET_LENGTH",
    "PATINDEX",
    "QUOTENAME",
    "REPLACE",
    "REPLICATE",
    "REVERSE",
    "RIGHT",
    "RTRIM",
    "SOUNDEX",
    "SPACE",
    "SPLIT",
    "STARTSWITH",
    "STR",
    "STUFF",
    "SUBSTRING",
    "TOSTRING",
    "TRIM",
    "UNICODE",
    "UPPER",
    "XML_EXTRACT",
];
const NUMBERS: &[&str] = &[
    "ABS", "ACOS", "ASIN", "ATAN", "ATN2", "CEIL", "CEILING", "COS", "COT", "DEGREES", "EXP",
    "EXPR", "FLOOR", "GREATEST", "HEX", "LEAST", "LOG", "LOG10", "MOD", "NEGATE", "PI", "POWER",
    "RADIANS", "RAND", "ROUND", "SIGN", "SIN", "SQRT", "SQUARE", "TAN", "TRUNC",
];
const TIMES: &[&str] = &[
    "CURRENT_DATE",
    "CURRENT_TIMESTAMP",
    "DATEADD",
    "DATEDIFF",
    "DATEFROMPARTS",
    "DATENAME",
    "DATEPART",
    "DATETIMEFROMPARTS",
    "DATE_TRUNC",
    "DATE_TRUNC2",
    "DAY",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "EOMONTH",
    "FDMONTH",
    "FDQUARTER",
    "FDWEEK",
    "FROM_DAYS",
    "GETDATE",
    "GETUTCDATE",
    "HOUR",
    "ISDATE",
    "LAST_DAY",
    "LAST_MONTH",
    "LAST_WEEK",
    "LAST_YEAR",
    "LDMONTH",
    "LDQUARTER",
    "LDWEEK",
    "MAKEDATE",
    "MINUTE",
    "MONTH",
    "QUARTER",
    "SECOND",
    "STRTODATE",
    "SYSDATETIME",
    "SYSUTCDATETIME",
    "TIMEFROMPARTS",
    "TO_DAYS",
    "WEEK",
    "YEAR",
];
const AGGREGATES: &[&str] = &[
    "AVG", "COUNT", "MAX", "MEDIAN", "MIN", "STDEV", "STDEVP", "SUM", "VAR", "VARP",
];

/// Rows of `sys_sqlinfo`. `change_columns` are those by which changes are found.
pub(super) fn abilities(context: &TaskContext, change_columns: &str) -> Vec<Vec<Cell>> {
    let there = |names: &[&str], is_there: &dyn Fn(&str) -> bool| {
        let names = names.iter().filter(|name| is_there(&name.to_lowercase()));
        names.copied().collect::<Vec<_>>().join(",")
    };
    let scalars =
        |names: &[&str]| there(names, &|name| context.scalar_functions().contains_key(name));
    let aggregates = there(AGGREGATES, &|name| {
        context.aggregate_functions().contains_key(name)
    });
    let operators = "=,>,<,>=,<=,<>,!=,LIKE,NOT LIKE,IN,NOT IN,IS NULL,IS NOT NULL,BETWEEN,AND,OR";
    let rows = [
        ("AGGREGATE_FUNCTIONS", aggregates),
        ("COUNT", "YES".to_owned()),
        ("IDENTIFIER_QUOTE_OPEN_CHAR", "[".to_owned()),
        ("IDENTIFIER_QUOTE_CLOSE_CHAR", "]".to_owned()),
        ("SUPPORTED_OPERATORS", operators.to_owned()),
        ("GROUP_BY", "NO_RELATION".to_owned()),
        ("OJ_CAPABILITIES", "LEFT,RIGHT,FULL".to_owned()),
        ("OUTER_JOINS", "YES".to_owned()),
        (
            "SUBQUERIES",
            "COMPARISON,EXISTS,IN,CORRELATED_SUBQUERIES".to_owned(),
        ),
        ("STRING_FUNCTIONS", scalars(STRINGS)),
        ("NUMERIC_FUNCTIONS", scalars(NUMBERS)),
        ("TIMEDATE_FUNCTIONS", scalars(TIMES)),
        ("REPLICATION_SKIP_TABLES", String::new()),
        ("REPLICATION_TIMECHECK_COLUMNS", change_columns.to_owned()),
    ];
    rows.map(|(name, value)| vec![text(name), text(&value)])
        .into()
}

/// The row of `sys_information` for a connection.
pub(super) fn information(connection: &str) -> Vec<Cell> {
    let known = ["Bucketline", env!("CARGO_PKG_VERSION"), connection].map(text);
    known
        .into_iter()
        .chain([Cell::Null, Cell::Null, Cell::Null, Cell::Null])
        .collect()
}

//! Types that the dialect has and DataFusion does not know by name.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ObjectName};

/// The type of every moment, that of the sources' columns.
pub(crate) fn moment_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

/// Reads the types of CAST.
#[derive(Debug)]
pub(crate) struct DialectTypes;

impl TypePlanner for DialectTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>, DataFusionError> {
        let known = match sql_type {
            SqlType::Datetime(_) => Some(moment_type()),
            SqlType::Nvarchar(_) | SqlType::Clob(_) | SqlType::Uuid | SqlType::JSON => {
                Some(DataType::Utf8)
            }
            SqlType::Bit(_) => Some(DataType::Boolean),
            SqlType::Custom(name, _) => custom(name),
            _ => None,
        };
        Ok(known.map(|known| Arc::new(Field::new("", known, true))))
    }
}

fn custom(name: &ObjectName) -> Option<DataType> {
    match name.to_string().to_ascii_lowercase().as_str() {
        "datetime2" | "smalldatetime" | "datetimeoffset" => Some(moment_type()),
        "nchar" | "ntext" | "xml" => Some(DataType::Utf8),
        "money" => Some(DataType::Float64),
        _ => None,
    }
}

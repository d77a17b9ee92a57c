//! The SQL dialect of Bucketline: scripts, statements, positions, connection strings.
//!
//! Text goes in, [`Statement`]s come out, each with its exact place; an error in one statement
//! does not hide the others. The grammar is in `grammar/bucketline.ebnf`.
//!
//! ```
//! use bucketline_sql::{Statement, parse_script};
//!
//! let script = parse_script("REPLICATE Issues; SELECT Id FORM Issues;");
//! assert!(matches!(&script[0], Ok(located) if located.statement.verb() == "REPLICATE"));
//! let error = script[1].as_ref().unwrap_err();
//! assert_eq!(error.code(), "BL1002");
//! assert_eq!(error.span().unwrap().start.column, 34);
//! assert_eq!(error.hint().unwrap(), "`FORM` was read as an alias; did you mean `FROM`?");
//! ```

mod alias;
mod connection_string;
mod dialect;
mod error;
mod expression;
mod lexer;
mod mask;
mod name;
mod nearest;
mod nesting;
mod option;
mod outline;
mod parameter;
mod parse;
mod piece;
mod print;
mod query;
mod relation;
mod rewrite;
mod script;
mod secret;
mod select_list;
mod special_form;
mod statement;
mod table_function;
mod target;

pub use bucketline_core::code::sql as code;
pub use bucketline_core::{Error, Position, Span};
pub use connection_string::ConnectionString;
pub use dialect::BucketlineDialect;
pub use mask::mask_source;
pub use name::{Ident, Name};
pub use nearest::nearest;
pub use option::{
    OptionName, OptionSpec, OptionValue, Options, REPLICATE_OPTIONS, ReplicateOption, ValueKind,
};
pub use outline::{Outline, OutlineItem};
pub use parameter::{ParameterValue, Parameters};
pub use parse::{is_unfinished, parse_script, parse_script_with, parse_statement};
pub use query::{DataType, Expression, Query};
pub use script::Script;
pub use secret::is_sensitive;
pub use sqlparser;
pub use statement::{
    Against, Argument, Cache, CacheMode, CheckCache, Column, ColumnList, ConnectionSettings,
    CreateConnection, CreateTable, CreateView, Delete, DropConnection, DropOwn, Execute, Explain,
    GetDeleted, Given, Insert, Located, OwnKind, Property, Replicate, Set, SetParameter, Show,
    ShowKind, SkipCheck, Source, Statement, TableContent, Update, Use, Value,
};
pub use target::CsvTarget;

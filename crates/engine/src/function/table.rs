//! Functions that stand in FROM: `t CROSS APPLY STRING_SPLIT(t.Tags, ',') AS X`.
//!
//! Each row of what stands before APPLY gets a list of rows, which is then taken apart. Alone in FROM, a function
//! is applied to one row without columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use bucketline_core::json::mend;
use bucketline_sql::BucketlineDialect;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListBuilder, StringBuilder, StructBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Column, DFSchema, DataFusionError, TableReference, UnnestOptions};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions::unicode::expr_fn::left;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility, cast, lit,
};
use datafusion::sql::sqlparser::ast::{
    CastKind, Expr as Syntax, FunctionArg, FunctionArgExpr, JoinOperator, ObjectName, TableFactor,
    Value as Literal,
};
use datafusion::sql::sqlparser::parser::Parser;
use roxmltree::Node;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Carry;
use crate::types::cast_length;

use super::call::Complaint;
use super::declaration::{self, Argument, Body, Function, text};
use super::document::{compact, parse_xml, text_of};
use super::json_path::{JsonPath, Take};
use super::size::{LONGEST, Sizes};
use super::xpath::{Found, XPath};

/// The name of the one column of a function that is given none by WITH.
pub(crate) const VALUE: &str = "Value";

/// The column that holds the rows while they are taken apart.
const ROWS: &str = "rows of the function";

/// Which function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TableFunction {
    StringSplit,
    JsonTable,
    XmlTable,
}

const fn table(
    name: &'static str,
    arguments: &'static [Argument],
    function: TableFunction,
    description: &'static str,
) -> Function {
    declaration::function(name, arguments, Body::Table(function), description)
}

pub(super) const FUNCTIONS: &[Function] = &[
    table(
        "string_split",
        &[text("text"), text("separator")],
        TableFunction::StringSplit,
        "A row for each part of the text; its column is `Value`.",
    ),
    table(
        "jsontable",
        &[text("json"), text("path").optional(), text("WITH (name type, ...)").behind()],
        TableFunction::JsonTable,
        "A row for each value, or element of an array, that the path leads to; its columns are those of WITH.",
    )
    .noting("A column is the member of that name, case apart. Without WITH there is one column, `Value`, of JSON text."),
    table(
        "xmltable",
        &[text("xml"), text("xpath"), text("WITH (name type, ...)").behind()],
        TableFunction::XmlTable,
        "A row for each element that the path leads to; its columns are those of WITH.",
    )
    .noting("A column is the child element or else the attribute of that name, case apart. Without WITH there is one column, `Value`, of text."),
];

/// Plans the functions in FROM.
#[derive(Debug)]
pub(crate) struct TableFunctions;

impl RelationPlanner for TableFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning, DataFusionError> {
        let (plan, applied, outer) = match relation {
            TableFactor::NestedJoin {
                mut table_with_joins,
                alias: None,
            } if is_apply(
                table_with_joins
                    .joins
                    .last()
                    .map(|join| &join.join_operator),
            ) =>
            {
                let Some(join) = table_with_joins.joins.pop() else {
                    return Ok(RelationPlanning::Original(Box::new(
                        TableFactor::NestedJoin {
                            table_with_joins,
                            alias: None,
                        },
                    )));
                };
                let outer = matches!(join.join_operator, JoinOperator::OuterApply);
                (
                    context.plan(table_with_joins.relation)?,
                    join.relation,
                    outer,
                )
            }
            applied @ TableFactor::Table { args: Some(_), .. } => {
                (LogicalPlanBuilder::empty(true).build()?, applied, false)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        match apply(plan, &applied, outer, context)? {
            Some(plan) => Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                plan, None,
            )))),
            None => Ok(RelationPlanning::Original(Box::new(applied))),
        }
    }
}

fn is_apply(operator: Option<&JoinOperator>) -> bool {
    matches!(
        operator,
        Some(JoinOperator::CrossApply | JoinOperator::OuterApply)
    )
}

/// The rows of `plan`, each with the columns of the rows that the function gives for it.
fn apply(
    plan: LogicalPlan,
    applied: &TableFactor,
    outer: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<Option<LogicalPlan>, DataFusionError> {
    let TableFactor::Table {
        name,
        alias,
        args: Some(args),
        ..
    } = applied
    else {
        return Ok(None);
    };
    let Some((declared, function)) = table_function(name) else {
        return Ok(None);
    };
    let mut given = Vec::new();
    for argument in &args.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => given.push(argument),
            _ => return Err(Complaint::new("an argument is no expression").of(declared)),
        }
    }
    let with = match function {
        TableFunction::StringSplit => None,
        TableFunction::JsonTable | TableFunction::XmlTable if given.len() == 3 => given.pop(),
        TableFunction::JsonTable | TableFunction::XmlTable => None,
    };
    let columns = columns(declared, with, context)?;
    let schema = Arc::clone(plan.schema());
    let arguments = given
        .into_iter()
        .map(|argument| {
            Ok(cast(
                context.sql_to_expr(argument.clone(), &schema)?,
                DataType::Utf8,
            ))
        })
        .collect::<Result<Vec<_>, DataFusionError>>()?;
    let rows = TableRows {
        declared,
        function,
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        signature: Signature::any(arguments.len(), Volatility::Immutable),
    };
    let rows = Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(rows.into()), arguments));

    let own: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let listed = own.iter().cloned().chain([rows.alias(ROWS)]);
    let options = UnnestOptions::new().with_preserve_nulls(outer);
    let row = || Expr::Column(Column::new_unqualified(ROWS));
    let relation = alias
        .as_ref()
        .map(|alias| TableReference::bare(context.normalize_ident(alias.name.clone())));
    let renamed = alias
        .iter()
        .flat_map(|alias| &alias.columns)
        .map(|column| column.name.value.clone());
    let mut renamed = renamed.collect::<Vec<_>>().into_iter();
    let taken = columns.into_iter().map(|column| {
        let WithColumn { name, kind, length } = column;
        let mut column = cast(get_field(row(), name.as_str()), kind);
        if let Some(length) = length {
            column = left(column, lit(length));
        }
        column.alias_qualified(relation.clone(), renamed.next().unwrap_or(name))
    });
    let plan = LogicalPlanBuilder::from(plan)
        .project(listed)?
        .unnest_column_with_options(Column::new_unqualified(ROWS), options)?
        .project(own.into_iter().chain(taken).collect::<Vec<_>>())?
        .build()?;
    Ok(Some(plan))
}

fn table_function(name: &ObjectName) -> Option<(&'static Function, TableFunction)> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    let name = &part.as_ident()?.value;
    let declared = FUNCTIONS.iter().find(|function| function.is_named(name))?;
    match declared.body {
        Body::Table(function) => Some((declared, function)),
        _ => None,
    }
}

/// A column that WITH declares.
struct WithColumn {
    name: String,
    kind: DataType,
    /// The most characters of a text, which is cut as CAST does it.
    length: Option<i64>,
}

/// The columns that WITH declares, a text by now.
fn columns(
    declared: &'static Function,
    with: Option<&Syntax>,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<WithColumn>, DataFusionError> {
    let Some(with) = with else {
        return Ok(vec![WithColumn {
            name: VALUE.to_owned(),
            kind: DataType::Utf8,
            length: None,
        }]);
    };
    let text = match with {
        Syntax::Value(value) => match &value.value {
            Literal::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let failed = || {
        Complaint::new("the columns cannot be read")
            .with_hint("write them as WITH (name type, ...)")
            .of(declared)
    };
    let text = text.ok_or_else(failed)?;
    let parsed = Parser::new(&BucketlineDialect::for_tokens(text.len()))
        .try_with_sql(&format!("({text})"))
        .and_then(|mut parser| parser.parse_columns());
    let (columns, _) = parsed.map_err(|_| failed())?;
    let empty = DFSchema::empty();
    columns
        .into_iter()
        .map(|column| {
            let length = cast_length(&column.data_type).and_then(|it| i64::try_from(it).ok());
            let null = Syntax::Value(Literal::Null.into());
            let typed = Syntax::Cast {
                kind: CastKind::Cast,
                expr: Box::new(null),
                data_type: column.data_type,
                format: None,
                array: false,
            };
            let kind = context.sql_to_expr(typed, &empty)?.get_type(&empty)?;
            Ok(WithColumn {
                name: context.normalize_ident(column.name),
                kind,
                length,
            })
        })
        .collect()
}

/// The rows of one call, as a list of structures of texts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TableRows {
    declared: &'static Function,
    function: TableFunction,
    columns: Vec<String>,
    signature: Signature,
}

/// A row: a text or NULL for each column.
type Row = Vec<Option<String>>;

/// The rows of a call, which together are bounded as a text is.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Row>,
    bytes: usize,
}

impl Rows {
    fn push(&mut self, row: Row) -> Result<(), Complaint> {
        // What a cell takes beside its text.
        const CELL: usize = 32;
        self.bytes += row
            .iter()
            .map(|cell| CELL + cell.as_ref().map_or(0, String::len))
            .sum::<usize>();
        if self.bytes > LONGEST {
            return Err(Complaint::too_long());
        }
        self.rows.push(row);
        Ok(())
    }
}

impl TableRows {
    fn fields(&self) -> Fields {
        self.columns
            .iter()
            .map(|name| Field::new(name, DataType::Utf8, true))
            .collect()
    }

    fn rows(&self, given: &[&str]) -> Result<Rows, Complaint> {
        let mut rows = Rows::default();
        let first = given.first().copied().unwrap_or_default();
        match (self.function, given.get(1)) {
            (TableFunction::StringSplit, separator) => {
                let separator = separator.copied().unwrap_or_default();
                if separator.is_empty() {
                    return Err(Complaint::new("the separator is empty"));
                }
                first
                    .split(separator)
                    .try_for_each(|part| rows.push(vec![Some(part.to_owned())]))?;
            }
            (TableFunction::JsonTable, path) => {
                let path = JsonPath::read(path.copied().unwrap_or("$"))?;
                let (document, _) = mend(first);
                return path.find(&document, JsonRows::of(self))?.rows;
            }
            (TableFunction::XmlTable, path) => {
                let document = parse_xml(first)?;
                let path = XPath::read(path.copied().unwrap_or_default())?;
                for found in path.find(document.root()) {
                    rows.push(self.columns.iter().map(|name| part(found, name)).collect())?;
                }
            }
        }
        Ok(rows)
    }

    fn json_row(&self, value: &RawValue, rows: &mut Rows) -> Result<(), Complaint> {
        let members = match value.get().starts_with('{') {
            true => Some(read::<BTreeMap<String, &RawValue>>(value)?),
            false => None,
        };
        let cells = self.columns.iter().map(|name| match &members {
            Some(members) => match member(members, name) {
                Some(member) => text_of(member),
                None => Ok((name == VALUE).then(|| compact(value))),
            },
            None if name.eq_ignore_ascii_case(VALUE) => text_of(value),
            None => Ok(None),
        });
        rows.push(cells.collect::<Result<_, _>>()?)
    }
}

/// The rows of the values that a path leads to.
struct JsonRows<'t> {
    table: &'t TableRows,
    rows: Result<Rows, Complaint>,
    /// Whether an array is a row, and not one for each of its elements.
    is_flat: bool,
}

impl<'t> JsonRows<'t> {
    fn of(table: &'t TableRows) -> Self {
        Self {
            table,
            rows: Ok(Rows::default()),
            is_flat: false,
        }
    }

    /// Adds rows to those so far, unless something was wrong before.
    fn add(&mut self, more: impl FnOnce(Rows) -> Result<Rows, Complaint>) {
        let rows = std::mem::replace(&mut self.rows, Ok(Rows::default()));
        self.rows = rows.and_then(more);
    }
}

impl<'d> Take<'d> for JsonRows<'_> {
    /// The rows and their bytes.
    type Mark = (usize, usize);

    fn take(&mut self, value: &'d RawValue) {
        let table = self.table;
        if !self.is_flat && value.get().starts_with('[') {
            self.add(|rows| {
                let elements = JsonRows {
                    table,
                    rows: Ok(rows),
                    is_flat: true,
                };
                JsonPath::elements().find(value.get(), elements)?.rows
            });
            return;
        }
        self.add(|mut rows| {
            table.json_row(value, &mut rows)?;
            Ok(rows)
        });
    }

    fn mark(&self) -> Self::Mark {
        let rows = self.rows.as_ref();
        rows.map_or((0, 0), |rows| (rows.rows.len(), rows.bytes))
    }

    fn back_to(&mut self, (count, bytes): Self::Mark) {
        self.add(|mut rows| {
            rows.rows.truncate(count);
            rows.bytes = bytes;
            Ok(rows)
        });
    }
}

/// The parts of a JSON value.
fn read<'v, T: Deserialize<'v>>(value: &'v RawValue) -> Result<T, Complaint> {
    serde_json::from_str(value.get())
        .map_err(|error| Complaint::new(format!("the text is no JSON: {error}")))
}

/// The member of that name, else of a name that differs by case alone.
fn member<'v>(members: &BTreeMap<String, &'v RawValue>, name: &str) -> Option<&'v RawValue> {
    let similar = || {
        members
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    };
    members.get(name).copied().or_else(similar)
}

/// The text of a child element, or else of an attribute.
fn part(found: Found<'_>, name: &str) -> Option<String> {
    let node: Node<'_, '_> = match found {
        Found::Node(node) => node,
        Found::Attribute(_) => return name.eq_ignore_ascii_case(VALUE).then(|| found.text()),
    };
    let child = node
        .children()
        .find(|child| child.is_element() && child.tag_name().name().eq_ignore_ascii_case(name));
    let attribute = || {
        node.attributes()
            .find(|attribute| attribute.name().eq_ignore_ascii_case(name))
    };
    match child {
        Some(child) => Some(Found::Node(child).text()),
        None => match attribute() {
            Some(attribute) => Some(attribute.value().to_owned()),
            None => name.eq_ignore_ascii_case(VALUE).then(|| found.text()),
        },
    }
}

impl ScalarUDFImpl for TableRows {
    fn name(&self) -> &str {
        self.declared.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _given: &[DataType]) -> Result<DataType, DataFusionError> {
        let row = DataType::Struct(self.fields());
        Ok(DataType::List(Arc::new(Field::new_list_field(row, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts: Vec<_> = arrays
            .iter()
            .map(|array| array.as_string::<i32>())
            .collect();
        let length = texts.first().map_or(args.number_rows, |first| first.len());
        let mut lists = ListBuilder::new(StructBuilder::from_fields(self.fields(), 0));
        let mut sizes = Sizes::of(self.declared.name);
        for index in 0..length {
            let given: Option<Vec<&str>> = texts
                .iter()
                .map(|text| text.is_valid(index).then(|| text.value(index)))
                .collect();
            let rows = match given {
                Some(given) => self
                    .rows(&given)
                    .map_err(|complaint| complaint.of(self.declared))?,
                None => Rows::default(),
            };
            sizes
                .add(rows.bytes)
                .map_err(|error| error.of_function(self.declared))?;
            let rows = rows.rows;
            let list = lists.values();
            for row in &rows {
                for (column, value) in row.iter().enumerate() {
                    if let Some(builder) = list.field_builder::<StringBuilder>(column) {
                        builder.append_option(value.as_deref());
                    }
                }
                list.append(true);
            }
            // No row at all is NULL, which OUTER APPLY keeps.
            lists.append(!rows.is_empty());
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish()) as ArrayRef))
    }
}

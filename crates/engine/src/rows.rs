//! What the SELECT of a REPLICATE amounts to: one source table row by row, or a query as a whole.

use crate::error::from_datafusion;
use std::collections::BTreeSet;
use std::sync::Arc;

use bucketline_source::spec::{LOGICAL_TYPE, Origin, Parent};
use bucketline_source::{
    Operator, ScanPlan, ScanRequest, ScopeKind, SliceChoice, Source, TableSpec,
};
use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{filter_record_batch, not, prep_null_mask_filter};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::flatten::{Flat, flatten, of_an_arm, source_tables};
use crate::query::PlannedQuery;
use crate::scan::{SourceTable, translate};
use crate::{Error, Result, code, explain};

/// What has to be done. Decided on the analysed plan, before constants such as `now()` are folded.
#[derive(Debug)]
pub enum Work {
    /// One table of a source, each row by itself; or several, whose rows UNION ALL puts together. The outputs of
    /// all have the same names and types.
    Rows(Vec<RowPlan>),
    /// Anything else.
    Whole(Box<WholePlan>),
}

/// One source table, row by row: condition and outputs compiled to expressions over its pages.
#[derive(Debug)]
pub struct RowPlan {
    table: SourceTable,
    scan: Arc<ScanPlan>,
    outputs: Vec<Output>,
    output_schema: SchemaRef,
    key: Vec<usize>,
    key_schema: SchemaRef,
    slice_column: Option<usize>,
    condition: Option<Condition>,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Condition {
    text: String,
    reads: Vec<usize>,
    expression: Arc<dyn PhysicalExpr>,
}

/// One output column.
#[derive(Debug, Clone)]
pub struct Output {
    /// Name and type; key columns are not nullable; JSON text is marked as such.
    pub field: Field,
    /// The expression as canonical text.
    pub expression: String,
    /// The table's column (index into [`TableSpec::columns`]) that it is, unchanged.
    pub plain: Option<usize>,
    /// The table's columns that it reads.
    pub reads: Vec<usize>,
    /// The text that it is in every row.
    pub constant: Option<String>,
    /// One line about it, if it is a plain column.
    pub doc: Option<String>,
}

/// A page taken apart.
#[derive(Debug)]
pub struct Applied {
    /// The outputs of the rows that match.
    pub matching: RecordBatch,
    /// The rows that do not: their keys, or all their outputs.
    pub leaving: RecordBatch,
}

/// A query that is executed as a whole.
#[derive(Debug)]
pub struct WholePlan {
    why: String,
    planned: PlannedQuery,
    outputs: Vec<Field>,
    key: Option<Vec<usize>>,
    sources: Vec<(String, Arc<dyn Source>)>,
    selective: bool,
    notes: Vec<String>,
}

/// Reads a planned query as work. Where outputs are `renamed` by their places, several may have one name.
pub(crate) fn work(planned: PlannedQuery, renamed: bool) -> Result<Work> {
    let analysed = planned.analysed()?;
    let headings = planned.headings();
    let fields = analysed.schema().fields().iter();
    let outputs: Vec<Field> = fields
        .zip(&headings)
        .map(|(field, heading)| field.as_ref().clone().with_name(heading))
        .collect();
    if !renamed {
        refuse_doubles(&outputs)?;
    }
    let sources = source_tables(&analysed).map_err(|error| planned.error(error))?;
    let sources: Vec<(String, Arc<dyn Source>)> = sources
        .into_iter()
        .map(|table| (table.connection, table.source))
        .collect();
    let mut selective = false;
    each_node(&analysed, |node| selective |= may_leave_out(node))
        .map_err(|error| planned.error(error))?;
    let whole = |planned, why: String, outputs, key, notes| {
        Work::Whole(Box::new(WholePlan {
            why,
            planned,
            outputs,
            key,
            sources,
            selective,
            notes,
        }))
    };
    let flats = match flatten(&analysed).map_err(|error| planned.error(error))? {
        Ok(flats) => flats,
        Err(why) => return Ok(whole(planned, why, outputs, None, Vec::new())),
    };
    let is_one = flats.len() == 1;
    let mut plans = Vec::with_capacity(flats.len());
    for mut flat in flats {
        let names = flat.outputs.iter_mut().zip(&headings);
        names.for_each(|((name, _), heading)| name.clone_from(heading));
        match compile(&planned, flat)? {
            Compiled::Rows(plan) => plans.push(*plan),
            Compiled::Whole {
                why,
                key,
                fields,
                notes,
            } if is_one => return Ok(whole(planned, why, fields, key, notes)),
            Compiled::Whole { why, notes, .. } => {
                return Ok(whole(planned, of_an_arm(&why), outputs, None, notes));
            }
        }
    }
    Ok(Work::Rows(plans))
}

enum Compiled {
    Rows(Box<RowPlan>),
    Whole {
        why: String,
        key: Option<Vec<usize>>,
        fields: Vec<Field>,
        notes: Vec<String>,
    },
}

fn compile(planned: &PlannedQuery, flat: Flat) -> Result<Compiled> {
    let Flat {
        table,
        outputs,
        conditions,
        why,
        notes,
    } = flat;
    let spec = Arc::clone(&table.table);
    let condition = conjunction(conditions.clone());

    let mut needed: BTreeSet<usize> = outputs
        .iter()
        .flat_map(|(_, expr)| reads(expr, &spec))
        .collect();
    needed.extend(condition.iter().flat_map(|expr| reads(expr, &spec)));
    needed.extend(&spec.key);
    let columns: Vec<usize> = needed.into_iter().collect();
    let fields: Vec<Field> = columns
        .iter()
        .map(|&index| spec.columns[index].field())
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let df_schema =
        DFSchema::try_from(Arc::clone(&schema)).map_err(|error| planned.error(error))?;
    let physical = |expr: &Expr| -> Result<Arc<dyn PhysicalExpr>> {
        planned
            .state
            .create_physical_expr(expr.clone(), &df_schema)
            .map_err(|error| planned.error(error))
    };

    // Literals become constants of their column's type, which a source may understand; what depends on the clock
    // is not row by row and does not come here.
    let simplifier = ExprSimplifier::new(
        SimplifyContext::builder()
            .with_schema(Arc::new(df_schema.clone()))
            .with_config_options(Arc::clone(planned.state.config_options()))
            .build(),
    );
    let condition = condition
        .map(|expr| -> Result<Condition> {
            let text = expr.to_string();
            let reads = reads(&expr, &spec).collect();
            let folded = simplifier
                .simplify(expr)
                .map_err(|error| planned.error(error))?;
            Ok(Condition {
                text,
                reads,
                expression: physical(&folded)?,
            })
        })
        .transpose()?;
    let predicates = condition
        .as_ref()
        .map_or_else(Vec::new, |it| translate(&it.expression, &columns).0);
    let request = ScanRequest {
        table: Arc::clone(&spec),
        scope: table.scope.clone(),
        columns,
        predicates,
        order: None,
        limit: None,
        page_size: None,
    };
    let scan = Arc::new(table.source.plan(request)?);

    let mut expressions = Vec::with_capacity(outputs.len());
    let mut described = Vec::with_capacity(outputs.len());
    for (name, expr) in &outputs {
        let expression = physical(expr)?;
        let plain = plain(expr, &spec);
        let field = expression
            .return_field(&schema)
            .map_err(|error| planned.error(error))?;
        let mut field = field
            .as_ref()
            .clone()
            .with_name(name)
            .with_metadata(Default::default());
        if let Some(index) = plain {
            field = spec.columns[index].field().with_name(name);
        }
        described.push(Output {
            field,
            expression: expr.to_string(),
            plain,
            reads: reads(expr, &spec).collect(),
            constant: constant(expr),
            doc: plain.map(|index| spec.columns[index].doc.clone()),
        });
        expressions.push(expression);
    }

    let key = find_key(&spec, &scan, &described);
    if let Ok(key) = &key {
        for &index in key {
            let field = described[index].field.clone().with_nullable(false);
            described[index].field = field;
        }
    }
    let fields: Vec<Field> = described
        .iter()
        .map(|output| output.field.clone())
        .collect();
    let (key, why) = match (key, why) {
        (Ok(key), None) if !key.is_empty() => (key, None),
        (Ok(key), why) => {
            let why = why.unwrap_or_else(|| "its WHERE fixes the whole key".to_owned());
            (key, Some(why))
        }
        (Err(missing), why) => (Vec::new(), Some(why.unwrap_or(missing))),
    };
    if let Some(why) = why {
        let key = Some(key).filter(|key| !key.is_empty());
        return Ok(Compiled::Whole {
            why,
            key,
            fields,
            notes,
        });
    }
    let slice_column = described.iter().position(|output| {
        output.plain.is_some_and(|index| {
            spec.columns[index].origin == Origin::Parent(Parent::RepositoryUuid)
        })
    });
    let key_fields: Vec<Field> = key.iter().map(|&index| fields[index].clone()).collect();
    Ok(Compiled::Rows(Box::new(RowPlan {
        table,
        scan,
        outputs: described,
        output_schema: Arc::new(Schema::new(fields)),
        key,
        key_schema: Arc::new(Schema::new(key_fields)),
        slice_column,
        condition,
        expressions,
        notes,
    })))
}

/// The outputs that are the source's key, less what the scope or an equality fixes; or what is missing.
fn find_key(spec: &TableSpec, scan: &ScanPlan, outputs: &[Output]) -> Result<Vec<usize>, String> {
    if spec.key.is_empty() {
        return Err(format!("{} has no key", spec.name));
    }
    let one_repository = scan.request.scope.kind == ScopeKind::Repository
        || matches!(&scan.slices, SliceChoice::Named(names) if names.len() == 1);
    let mut key = Vec::new();
    for &column in &spec.key {
        let fixed = match spec.columns[column].origin {
            Origin::Parent(Parent::Repository | Parent::RepositoryUuid) => one_repository,
            Origin::Parent(Parent::Workspace) => true,
            _ => scan
                .request
                .predicates
                .iter()
                .any(|it| it.column == column && it.operator == Operator::Eq),
        };
        match outputs
            .iter()
            .position(|output| output.plain == Some(column))
        {
            Some(index) => key.push(index),
            None if fixed => {}
            None => {
                return Err(format!(
                    "its key column {} is not selected",
                    spec.columns[column].name
                ));
            }
        }
    }
    Ok(key)
}

fn refuse_doubles(outputs: &[Field]) -> Result<()> {
    for (index, field) in outputs.iter().enumerate() {
        if let Some(other) = outputs[..index]
            .iter()
            .find(|other| other.name().eq_ignore_ascii_case(field.name()))
        {
            return Err(Error::new(
                code::AMBIGUOUS_NAME,
                format!("two output columns are named {}", other.name()),
            )
            .with_hint("give one of them another name with AS"));
        }
    }
    Ok(())
}

fn reads<'a>(expr: &Expr, spec: &'a TableSpec) -> impl Iterator<Item = usize> + use<'a> {
    let names: BTreeSet<String> = expr
        .column_refs()
        .into_iter()
        .map(|column| column.name.clone())
        .collect();
    let all = spec.columns.iter().enumerate();
    all.filter(move |(_, column)| names.contains(&column.name))
        .map(|(index, _)| index)
}

fn plain(expr: &Expr, spec: &TableSpec) -> Option<usize> {
    match expr {
        Expr::Column(Column { name, .. }) => {
            spec.columns.iter().position(|column| column.name == *name)
        }
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_owned),
        _ => None,
    }
}

impl RowPlan {
    /// The name of the connection it reads.
    pub fn connection(&self) -> &str {
        &self.table.connection
    }

    /// The source it reads.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.table.source
    }

    /// What is requested: the columns that key, condition and outputs need, and the conditions that could be
    /// translated.
    pub fn scan(&self) -> &Arc<ScanPlan> {
        &self.scan
    }

    /// The output columns.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Indices of the outputs that are the source's key, less what the scope or an equality fixes.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// The whole WHERE as canonical text.
    pub fn condition(&self) -> Option<&str> {
        self.condition
            .as_ref()
            .map(|condition| condition.text.as_str())
    }

    /// The table's columns that the WHERE reads.
    pub fn condition_reads(&self) -> &[usize] {
        self.condition
            .as_ref()
            .map_or(&[], |condition| &condition.reads)
    }

    /// Index of the output that says which repository a row is of; without it there is one slice only.
    pub fn slice_column(&self) -> Option<usize> {
        self.slice_column
    }

    /// What the user should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Splits a page of [`RowPlan::scan`]'s schema into the outputs of the rows that match and the keys of
    /// those that do not, or all their outputs if they are wanted `whole`.
    ///
    /// # Errors
    /// If an expression fails on a row: a division by zero, a cast.
    pub fn apply(&self, rows: &RecordBatch, whole: bool) -> Result<Applied> {
        self.split(rows, whole)
            .map_err(|error| from_datafusion(error, None))
    }

    fn split(&self, rows: &RecordBatch, whole: bool) -> Result<Applied, DataFusionError> {
        let Some(condition) = &self.condition else {
            let schema = if whole {
                &self.output_schema
            } else {
                &self.key_schema
            };
            let leaving = RecordBatch::new_empty(Arc::clone(schema));
            return Ok(Applied {
                matching: self.compute(rows)?,
                leaving,
            });
        };
        let keep = condition
            .expression
            .evaluate(rows)?
            .into_array(rows.num_rows())?;
        let keep = as_boolean_array(&keep)?;
        let keep: BooleanArray = if keep.null_count() > 0 {
            prep_null_mask_filter(keep)
        } else {
            keep.clone()
        };
        let matching = self.compute(&filter_record_batch(rows, &keep)?)?;
        let others = filter_record_batch(rows, &not(&keep)?)?;
        if whole {
            let leaving = self.compute(&others)?;
            return Ok(Applied { matching, leaving });
        }
        let keys = self.key.iter().map(|&index| {
            self.expressions[index]
                .evaluate(&others)?
                .into_array(others.num_rows())
        });
        let keys: Vec<ArrayRef> = keys.collect::<Result<_, _>>()?;
        Ok(Applied {
            matching,
            leaving: batch(&self.key_schema, keys, others.num_rows())?,
        })
    }

    fn compute(&self, rows: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let columns = self
            .expressions
            .iter()
            .map(|it| it.evaluate(rows)?.into_array(rows.num_rows()));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        batch(&self.output_schema, columns, rows.num_rows())
    }
}

fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, DataFusionError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

impl WholePlan {
    /// Why it cannot be done row by row.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The output columns; JSON text is marked as such.
    pub fn outputs(&self) -> &[Field] {
        &self.outputs
    }

    /// Indices of the outputs that are the key of the one table that it reads, if they are.
    pub fn key(&self) -> Option<&[usize]> {
        self.key.as_deref()
    }

    /// The connections that are read.
    pub fn sources(&self) -> &[(String, Arc<dyn Source>)] {
        &self.sources
    }

    /// The tables of sources that are read, and how.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn lists(&self) -> Result<Vec<(Arc<dyn Source>, Arc<ScanPlan>)>> {
        Ok(explain::scans(&self.planned.physical().await?))
    }

    /// Whether it may leave nothing of tables that have rows.
    pub fn is_selective(&self) -> bool {
        self.selective
    }

    /// What the user should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The analysed query as canonical text.
    ///
    /// # Errors
    /// If the query cannot be analysed.
    pub fn text(&self) -> Result<String> {
        Ok(self.planned.analysed()?.display_indent().to_string())
    }

    /// Starts it. Nothing is requested before the stream is polled.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn execute(&self) -> Result<SendableRecordBatchStream> {
        self.planned.stream().await
    }

    /// Reads an error of the stream.
    pub fn error(&self, error: DataFusionError) -> Error {
        self.planned.error(error)
    }

    /// The requests and operators, as EXPLAIN of a SELECT shows them.
    ///
    /// # Errors
    /// If the query cannot be planned.
    pub async fn explain(&self) -> Result<Vec<String>> {
        Ok(explain::lines(&self.planned.physical().await?))
    }
}

fn may_leave_out(node: &LogicalPlan) -> bool {
    matches!(
        node,
        LogicalPlan::Filter(_) | LogicalPlan::Join(_) | LogicalPlan::Limit(_)
    )
}

/// Whether a field holds JSON as text.
pub fn is_json(field: &Field) -> bool {
    field
        .metadata()
        .get(LOGICAL_TYPE)
        .is_some_and(|kind| kind == "json")
}

/// Visits a plan's nodes from the top.
pub(crate) fn each_node(
    plan: &LogicalPlan,
    mut visit: impl FnMut(&LogicalPlan),
) -> Result<(), DataFusionError> {
    plan.apply_with_subqueries(|node| {
        visit(node);
        Ok(TreeNodeRecursion::Continue)
    })
    .map(drop)
}

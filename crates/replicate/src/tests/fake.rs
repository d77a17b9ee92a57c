//! A source in memory whose data change while it is read, and queries over it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use async_trait::async_trait;
use bucketline_core::Code;
use bucketline_core::code::bitbucket;
use bucketline_source::spec::{
    ColumnKind, ColumnSpec, Cursor, Filter, Origin, Parent, Scopes, SliceKind, TableSpec, Walk,
};
use bucketline_source::{
    Checkpoint, End, Error as SourceError, Estimate, Identity, Operator, Page, PageStream,
    PlannedPredicate, Position, Predicate, Pushdown, ReadContext, Reading, Result, ScanPlan,
    ScanRequest, Scope, ScopeKind, Slice, SliceChoice, SliceId, Source,
};
use chrono::{DateTime, Utc};
use futures::stream;

use crate::work::{Applied, Output, RowWork};

/// One row of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) state: &'static str,
    pub(crate) updated: i64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    pub(crate) slug: String,
    pub(crate) project: &'static str,
    pub(crate) rows: BTreeMap<i64, Row>,
    /// When a row was last written or removed.
    pub(crate) moved: i64,
    pub(crate) applicable: bool,
    /// Every request fails so.
    pub(crate) fault: Option<Code>,
    /// The list breaks off after this many pages.
    pub(crate) cut: Option<usize>,
    /// It answers as if it had no rows.
    pub(crate) hidden: bool,
}

type Hook = Box<dyn FnMut(&mut World) + Send>;

/// What there is, by repository UUID.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) clock: i64,
    pub(crate) page_size: usize,
    pub(crate) concurrency: usize,
    pub(crate) credential: String,
    pub(crate) workspace: String,
    /// The workspace's slug.
    pub(crate) slug: &'static str,
    /// Lists are paged by number, so that they shift.
    pub(crate) unstable: bool,
    /// Called before each page of rows.
    pub(crate) before_page: Option<Hook>,
    pub(crate) listings: usize,
    /// Whatever is asked fails so.
    pub(crate) refuses: Option<Code>,
    pub(crate) row_requests: usize,
    /// The columns that each of them asked for.
    pub(crate) columns: Vec<Vec<usize>>,
}

impl World {
    fn tick(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    pub(crate) fn put(&mut self, repository: &str, id: i64, title: &str, state: &'static str) {
        let updated = self.tick();
        let row = Row {
            title: title.to_owned(),
            state,
            updated,
        };
        let repository = self.repository(repository);
        repository.rows.insert(id, row);
        repository.moved = updated;
    }

    pub(crate) fn remove(&mut self, repository: &str, id: i64) {
        let now = self.tick();
        let repository = self.repository(repository);
        repository.rows.remove(&id);
        repository.moved = now;
    }

    fn admit(&self) -> Result<()> {
        match self.refuses {
            Some(code) => Err(SourceError::new(code, "the service refused")),
            None => Ok(()),
        }
    }

    pub(crate) fn repository(&mut self, uuid: &str) -> &mut Repository {
        self.repositories
            .entry(uuid.to_owned())
            .or_insert_with(|| Repository {
                slug: format!("slug-{uuid}"),
                project: "P",
                applicable: true,
                ..Repository::default()
            })
    }
}

/// The fake service; clones share its world.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) world: Arc<Mutex<World>>,
    tables: Arc<Vec<Arc<TableSpec>>>,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

pub(crate) const WORKSPACE: usize = 0;
pub(crate) const REPOSITORY: usize = 1;
pub(crate) const UUID: usize = 2;
pub(crate) const ID: usize = 3;
pub(crate) const TITLE: usize = 4;
pub(crate) const STATE: usize = 5;
pub(crate) const UPDATED: usize = 6;

fn table(name: &str, cursor: bool) -> Arc<TableSpec> {
    let column = |name: &str, kind, origin, immutable| ColumnSpec {
        name: name.to_owned(),
        doc: String::new(),
        kind,
        origin,
        nullable: false,
        required: true,
        immutable,
        filter: Filter::default(),
        sort: false,
        extra: false,
        otherwise: None,
        aliases: Vec::new(),
        hidden: false,
    };
    let row = |name: &str| Origin::Row(vec![name.to_lowercase()]);
    Arc::new(TableSpec {
        name: name.to_owned(),
        doc: String::new(),
        path: format!("repositories/{{workspace}}/{{repository}}/{name}"),
        rows: "values".to_owned(),
        slice: SliceKind::Repository,
        key: vec![UUID, ID],
        cursor: cursor.then_some(Cursor {
            column: UPDATED,
            look_back: std::time::Duration::ZERO,
            nullable: false,
            tie: ID,
        }),
        parent: None,
        feed: None,
        heads: None,
        walk: Walk::Keyset {
            column: ID,
            unique: true,
        },
        page_size: 50,
        columns: vec![
            column(
                "Workspace",
                ColumnKind::Text,
                Origin::Parent(Parent::Workspace),
                false,
            ),
            column(
                "Repository",
                ColumnKind::Text,
                Origin::Parent(Parent::Repository),
                false,
            ),
            column(
                "RepositoryUUID",
                ColumnKind::Text,
                Origin::Parent(Parent::RepositoryUuid),
                true,
            ),
            column("Id", ColumnKind::Int, row("Id"), true),
            column("Title", ColumnKind::Text, row("Title"), false),
            column("State", ColumnKind::Text, row("State"), false),
            column("UpdatedOn", ColumnKind::Timestamp, row("UpdatedOn"), false),
        ],
        parameter: None,
        parameters: Vec::new(),
        whole_objects: false,
        deleted: None,
        absent: None,
        scopes: Scopes::default(),
        removed: None,
        unchanged_by_proof: name != "Issues",
        blind_spots: Vec::new(),
        reader: None,
    })
}

pub(crate) fn instant(clock: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + clock, 0).unwrap()
}

pub(crate) fn clock_of(instant: DateTime<Utc>) -> i64 {
    instant.timestamp() - 1_700_000_000
}

impl Fake {
    pub(crate) fn new() -> Self {
        let world = World {
            page_size: 3,
            concurrency: 4,
            credential: "token 1".to_owned(),
            workspace: "{acme}".to_owned(),
            slug: "acme",
            ..World::default()
        };
        let tables = vec![
            table("Issues", true),
            table("Commits", true),
            table("Branches", false),
        ];
        Self {
            world: Arc::new(Mutex::new(world)),
            tables: Arc::new(tables),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn scope(kind: ScopeKind, name: &str, uuid: Option<&str>) -> Scope {
        Scope {
            kind,
            name: name.to_owned(),
            uuid: uuid.map(str::to_owned),
        }
    }
}

fn text_is(predicates: &[PlannedPredicate], column: usize, value: &str) -> bool {
    predicates
        .iter()
        .filter(|planned| planned.predicate.column == column)
        .all(|planned| {
            planned
                .predicate
                .values
                .iter()
                .any(|wanted| *wanted == text(value))
        })
}

pub(crate) fn text(value: &str) -> bucketline_source::Literal {
    bucketline_source::Literal::Text(value.to_owned())
}

#[async_trait]
impl Source for Fake {
    fn tables(&self) -> Cow<'_, [Arc<TableSpec>]> {
        Cow::Borrowed(&self.tables)
    }

    fn default_scope(&self) -> Scope {
        Self::scope(ScopeKind::Whole, "Information", None)
    }

    fn concurrency(&self) -> usize {
        self.world().concurrency
    }

    async fn scopes(&self, _: &ReadContext) -> Result<Vec<Scope>> {
        Ok(vec![self.default_scope()])
    }

    async fn find_scopes(&self, _: &str, _: bool, _: &ReadContext) -> Result<Vec<Scope>> {
        Ok(Vec::new())
    }

    fn plan(&self, request: ScanRequest) -> Result<ScanPlan> {
        let spec = Arc::clone(&request.table);
        let fields: Vec<_> = request
            .columns
            .iter()
            .map(|&c| spec.columns[c].field())
            .collect();
        let predicates: Vec<_> = request
            .predicates
            .iter()
            .map(|predicate| PlannedPredicate {
                pushdown: match predicate.column {
                    TITLE => Pushdown::Kept,
                    _ => Pushdown::Exact,
                },
                chooses_slices: matches!(predicate.column, WORKSPACE | REPOSITORY),
                immutable: spec.columns[predicate.column].immutable,
                predicate: predicate.clone(),
            })
            .collect();
        let named = predicates
            .iter()
            .find(|p| p.predicate.column == REPOSITORY && p.predicate.operator == Operator::Eq);
        let slices = match named {
            Some(planned) => {
                let name =
                    |v: &bucketline_source::Literal| v.to_string().trim_matches('\'').to_owned();
                SliceChoice::Named(planned.predicate.values.iter().map(name).collect())
            }
            None => SliceChoice::Listed,
        };
        Ok(ScanPlan {
            schema: Arc::new(Schema::new(fields)),
            predicates,
            hidden: None,
            slices,
            parent: None,
            ordered: false,
            limited: false,
            page_size: self.world().page_size,
            answers: "the API",
            requests: Vec::new(),
            estimate: Estimate::AtLeast(1),
            notes: Vec::new(),
            request,
        })
    }

    async fn slices(&self, plan: &ScanPlan, context: &ReadContext) -> Result<Vec<Slice>> {
        let mut world = self.world();
        world.admit()?;
        let listed: Arc<AtomicBool> = context.scan().part(&self.world);
        if !listed.swap(true, Ordering::Relaxed) {
            context.count_request();
            world.listings += 1;
        }
        let (scope, workspace) = (&plan.request.scope, world.slug);
        let fits = |repository: &Repository| {
            let in_scope = scope.kind != ScopeKind::Project || repository.project == scope.name;
            let chosen = plan
                .predicates
                .iter()
                .filter(|p| p.chooses_slices)
                .all(|planned| {
                    planned
                        .predicate
                        .values
                        .iter()
                        .any(|value| match planned.predicate.operator {
                            _ if planned.predicate.column == WORKSPACE => *value == text(workspace),
                            Operator::Contains => repository
                                .slug
                                .contains(value.to_string().trim_matches('\'')),
                            Operator::NotEq => *value != text(&repository.slug),
                            _ => *value == text(&repository.slug),
                        })
                });
            in_scope && chosen
        };
        let slices: Vec<_> = world
            .repositories
            .iter()
            .filter(|(_, repository)| fits(repository))
            .map(|(uuid, repository)| Slice {
                id: SliceId(uuid.clone()),
                label: format!("{workspace}/{}", repository.slug),
                parents: vec![
                    Some(workspace.to_owned()),
                    Some(repository.slug.clone()),
                    Some(uuid.clone()),
                ],
                proof: Some(format!("{} {}", repository.moved, repository.rows.len())),
            })
            .collect();
        if let (SliceChoice::Named(names), true) = (&plan.slices, slices.is_empty()) {
            let message = format!("no repository is named {}", names.join(", "));
            return Err(SourceError::new(bitbucket::NO_SUCH_TABLE, message));
        }
        Ok(slices)
    }

    fn read(
        &self,
        plan: Arc<ScanPlan>,
        slice: &Slice,
        reading: Reading,
        context: &ReadContext,
    ) -> PageStream {
        let walk = FakeWalk {
            fake: self.clone(),
            plan,
            slice: slice.clone(),
            context: context.clone(),
            pages: 0,
            after: 0,
            reading,
            over: false,
        };
        Box::pin(stream::unfold(walk, |mut walk| async move {
            if walk.over {
                return None;
            }
            tokio::task::yield_now().await;
            let page = walk.page();
            tokio::task::yield_now().await;
            walk.over |= match &page {
                Some(Ok(page)) => page.end.is_some(),
                Some(Err(_)) | None => true,
            };
            page.map(|page| (page, walk))
        }))
    }

    async fn identity(&self, _: &ReadContext) -> Result<Identity> {
        let world = self.world();
        world.admit()?;
        Ok(Identity {
            origin: "https://api.example.org".to_owned(),
            workspace: Some(world.workspace.clone()),
            credential: world.credential.clone(),
        })
    }
}

struct FakeWalk {
    fake: Fake,
    plan: Arc<ScanPlan>,
    slice: Slice,
    context: ReadContext,
    pages: usize,
    /// The last id, or the number of rows passed of an unstable list.
    after: i64,
    reading: Reading,
    over: bool,
}

impl FakeWalk {
    fn page(&mut self) -> Option<Result<Page>> {
        let fake = self.fake.clone();
        let mut world = fake.world();
        if let Some(mut hook) = world.before_page.take() {
            hook(&mut world);
            world.before_page.get_or_insert(hook);
        }
        self.context.count_request();
        world.row_requests += 1;
        world.columns.push(self.plan.request.columns.clone());
        let (now, size, unstable) = (world.clock, world.page_size, world.unstable);
        let gone = || SourceError::new(bitbucket::NOT_FOUND, "no such repository");
        let Some(repository) = world.repositories.get(&self.slice.id.0) else {
            return Some(Err(gone()));
        };
        if let Some(code) = repository.fault {
            return Some(Err(SourceError::new(code, "the service refused")));
        }
        if repository.cut.is_some_and(|cut| self.pages >= cut) {
            return None;
        }
        self.pages += 1;
        let empty = RecordBatch::new_empty(Arc::clone(&self.plan.schema));
        if !repository.applicable {
            let end = Some(End::NotApplicable {
                why: "it has no issue tracker".to_owned(),
            });
            return Some(Ok(Page {
                rows: empty,
                checkpoint: None,
                owners: Vec::new(),
                unread: Vec::new(),
                end,
            }));
        }
        let nothing = BTreeMap::new();
        let rows = if repository.hidden {
            &nothing
        } else {
            &repository.rows
        };
        Some(Ok(match self.reading.clone() {
            Reading::Changes(checkpoint) => self.changes(rows, checkpoint, now, size),
            Reading::Scan | Reading::Listing => {
                let pushed = |row: &Row| {
                    self.reading == Reading::Listing
                        || text_is(&self.plan.predicates, STATE, row.state)
                };
                let (rows, end) = if unstable {
                    let all: Vec<_> = rows.iter().map(|(id, row)| (*id, row.clone())).collect();
                    let from = usize::try_from(self.after).unwrap().min(all.len());
                    let to = (from + size).min(all.len());
                    self.after = i64::try_from(to).unwrap();
                    (all[from..to].to_vec(), to == all.len())
                } else {
                    let mut rest = rows.range(self.after + 1..).filter(|(_, row)| pushed(row));
                    let page: Vec<_> = rest
                        .by_ref()
                        .take(size)
                        .map(|(id, row)| (*id, row.clone()))
                        .collect();
                    self.after = page.last().map_or(self.after, |(id, _)| *id);
                    (page, rest.next().is_none())
                };
                let unstable_pages = if unstable { self.pages } else { 0 };
                let end = end.then_some(End::Complete { unstable_pages });
                Page {
                    rows: self.batch(&rows),
                    checkpoint: None,
                    owners: Vec::new(),
                    unread: Vec::new(),
                    end,
                }
            }
        }))
    }

    fn changes(
        &mut self,
        rows: &BTreeMap<i64, Row>,
        mut checkpoint: Checkpoint,
        now: i64,
        size: usize,
    ) -> Page {
        let is_first = checkpoint.mark.is_none();
        let pushed: Vec<_> = self
            .plan
            .predicates
            .iter()
            .filter(|p| is_first && p.predicate.column == STATE)
            .cloned()
            .collect();
        let begins = checkpoint.walk.is_none();
        let mut position = checkpoint.walk.take().unwrap_or(Position {
            started: instant(now),
            passed: None,
            highest: None,
            found: false,
            part: 0,
            after: checkpoint.mark,
            seen: Vec::new(),
            draining: false,
            nulls: false,
        });
        let after = position.after.map_or(-1, clock_of);
        // A new walk looks at its mark once more.
        let after = if begins { after - 1 } else { after };
        let mut changed: Vec<_> = rows
            .iter()
            .filter(|(_, row)| row.updated > after && text_is(&pushed, STATE, row.state))
            .map(|(id, row)| (*id, row.clone()))
            .collect();
        changed.sort_by_key(|(_, row)| row.updated);
        let more = changed.len() > size;
        changed.truncate(size);
        let first = changed.first().map(|(_, row)| instant(row.updated));
        if let Some((_, last)) = changed.last() {
            let last = instant(last.updated);
            position.after = Some(last);
            position.highest = position.highest.max(Some(last));
            if last > position.started && position.passed.is_none() {
                position.passed = Some(instant(now));
            }
        }
        let beyond = first
            .zip(position.passed)
            .is_some_and(|(first, passed)| first > passed);
        let page = self.batch(&changed);
        if more && !beyond {
            checkpoint.walk = Some(position);
            self.reading = Reading::Changes(checkpoint.clone());
            return Page {
                rows: page,
                checkpoint: Some(checkpoint),
                owners: Vec::new(),
                unread: Vec::new(),
                end: None,
            };
        }
        // A walk that saw nothing proves nothing.
        let reached = position.highest.map(|highest| match pushed.is_empty() {
            true => highest.min(position.started),
            false => position.started,
        });
        checkpoint.mark = checkpoint.mark.max(reached);
        let end = Some(End::Complete { unstable_pages: 0 });
        Page {
            rows: page,
            checkpoint: Some(checkpoint),
            owners: Vec::new(),
            unread: Vec::new(),
            end,
        }
    }

    fn batch(&self, rows: &[(i64, Row)]) -> RecordBatch {
        let parent = |index: usize| -> ArrayRef {
            Arc::new(StringArray::from(vec![
                self.slice.parents[index].clone();
                rows.len()
            ]))
        };
        let column = |column: &usize| -> ArrayRef {
            match *column {
                WORKSPACE | REPOSITORY | UUID => parent(*column),
                ID => Arc::new(rows.iter().map(|(id, _)| Some(*id)).collect::<Int64Array>()),
                TITLE => Arc::new(
                    rows.iter()
                        .map(|(_, row)| Some(&row.title))
                        .collect::<StringArray>(),
                ),
                STATE => Arc::new(
                    rows.iter()
                        .map(|(_, row)| Some(row.state))
                        .collect::<StringArray>(),
                ),
                _ => Arc::new(
                    rows.iter()
                        .map(|(_, row)| Some(instant(row.updated).timestamp_micros()))
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("+00:00"),
                ),
            }
        };
        let columns = self.plan.request.columns.iter().map(column).collect();
        RecordBatch::try_new(Arc::clone(&self.plan.schema), columns).unwrap()
    }
}

/// A query over one of the fake tables.
pub(crate) struct Select {
    connection: &'static str,
    source: Arc<dyn Source>,
    scan: Arc<ScanPlan>,
    outputs: Vec<Output>,
    key: Vec<usize>,
    state: Option<&'static str>,
    condition: Option<String>,
    condition_reads: Vec<usize>,
}

/// What to select.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    pub(crate) connection: &'static str,
    pub(crate) table: &'static str,
    pub(crate) columns: Vec<usize>,
    /// `WHERE State = ...`, pushed down in first loads.
    pub(crate) state: Option<&'static str>,
    /// That condition is not translated, so that it is evaluated here on every page.
    pub(crate) kept: bool,
    /// A condition that chooses repositories.
    pub(crate) slices: Option<(Operator, &'static str)>,
    /// `WHERE Workspace = ...`
    pub(crate) in_workspace: Option<&'static str>,
    pub(crate) scope: Option<Scope>,
    /// `Repository || '#' || Id AS Label`
    pub(crate) label: bool,
    /// `'...' AS Account`
    pub(crate) account: Option<&'static str>,
}

impl Selection {
    pub(crate) fn all(table: &'static str) -> Self {
        Self {
            connection: "acme",
            table,
            columns: (0..=UPDATED).collect(),
            state: None,
            kept: false,
            slices: None,
            in_workspace: None,
            scope: None,
            label: false,
            account: None,
        }
    }
}

impl Select {
    pub(crate) fn new(fake: &Fake, selection: &Selection) -> Self {
        let source: Arc<dyn Source> = Arc::new(fake.clone());
        let spec = Arc::clone(
            fake.tables
                .iter()
                .find(|table| table.name == selection.table)
                .expect("a fake table"),
        );
        let mut predicates = Vec::new();
        if let Some(state) = selection.state {
            predicates.push(Predicate {
                column: STATE,
                operator: Operator::Eq,
                values: vec![text(state)],
            });
        }
        if let Some((operator, value)) = selection.slices {
            predicates.push(Predicate {
                column: REPOSITORY,
                operator,
                values: vec![text(value)],
            });
        }
        if let Some(workspace) = selection.in_workspace {
            predicates.push(Predicate {
                column: WORKSPACE,
                operator: Operator::Eq,
                values: vec![text(workspace)],
            });
        }
        let name = |column: usize| spec.columns[column].name.as_str();
        let shown = predicates
            .iter()
            .map(|p| p.display(name(p.column)).to_string());
        let condition = shown.collect::<Vec<_>>().join(" AND ");
        let condition = Some(condition).filter(|condition| !condition.is_empty());
        let condition_reads = predicates
            .iter()
            .map(|predicate| predicate.column)
            .collect();
        if selection.kept {
            predicates.retain(|predicate| predicate.column != STATE);
        }
        let request = ScanRequest {
            table: Arc::clone(&spec),
            scope: selection
                .scope
                .clone()
                .unwrap_or_else(|| source.default_scope()),
            columns: (0..=UPDATED).collect(),
            predicates,
            order: None,
            limit: None,
            page_size: None,
        };
        let scan = Arc::new(source.plan(request).unwrap());
        let plain = |&column: &usize| Output {
            field: spec.columns[column].field(),
            expression: spec.columns[column].name.clone(),
            plain: Some(column),
            reads: vec![column],
            constant: None,
            doc: None,
        };
        let mut outputs: Vec<_> = selection.columns.iter().map(plain).collect();
        if selection.label {
            outputs.push(Output {
                field: Field::new("Label", DataType::Utf8, true),
                expression: "Repository || '#' || Id".to_owned(),
                plain: None,
                reads: vec![REPOSITORY, ID],
                constant: None,
                doc: None,
            });
        }
        if let Some(account) = selection.account {
            outputs.push(Output {
                field: Field::new("Account", DataType::Utf8, false),
                expression: format!("'{account}'"),
                plain: None,
                reads: Vec::new(),
                constant: Some(account.to_owned()),
                doc: None,
            });
        }
        let place = |column| selection.columns.iter().position(|c| *c == column);
        let key = [UUID, ID].into_iter().filter_map(place).collect();
        let state = selection.state;
        Self {
            connection: selection.connection,
            source,
            scan,
            outputs,
            key,
            state,
            condition,
            condition_reads,
        }
    }

    fn compute(&self, page: &RecordBatch) -> RecordBatch {
        let label = || -> ArrayRef {
            let slugs = page.column(REPOSITORY).as_string::<i32>();
            let ids = page.column(ID).as_primitive::<Int64Type>();
            let labels = (0..page.num_rows())
                .map(|row| Some(format!("{}#{}", slugs.value(row), ids.value(row))));
            Arc::new(labels.collect::<StringArray>())
        };
        let columns: Vec<ArrayRef> = self
            .outputs
            .iter()
            .map(|output| match (output.plain, &output.constant) {
                (Some(column), _) => Arc::clone(page.column(column)),
                (None, Some(text)) => {
                    Arc::new(StringArray::from(vec![text.as_str(); page.num_rows()]))
                }
                (None, None) => label(),
            })
            .collect();
        let fields: Vec<_> = self
            .outputs
            .iter()
            .map(|output| output.field.clone())
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }
}

impl RowWork for Select {
    fn connection(&self) -> &str {
        self.connection
    }

    fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    fn scan(&self) -> &Arc<ScanPlan> {
        &self.scan
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn key(&self) -> &[usize] {
        &self.key
    }

    fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    fn condition_reads(&self) -> &[usize] {
        &self.condition_reads
    }

    fn slice_column(&self) -> Option<usize> {
        self.outputs
            .iter()
            .position(|output| output.plain == Some(UUID))
    }

    fn notes(&self) -> &[String] {
        &[]
    }

    fn apply(&self, page: &RecordBatch, whole: bool) -> crate::Result<Applied> {
        let states = page.column(STATE).as_string::<i32>();
        let keep: BooleanArray = states
            .iter()
            .map(|state| Some(self.state.is_none_or(|wanted| state == Some(wanted))))
            .collect();
        let matching = self.compute(&filter_record_batch(page, &keep).unwrap());
        let others = self.compute(&filter_record_batch(page, &not(&keep).unwrap()).unwrap());
        let leaving = match whole {
            true => others,
            false => others.project(&self.key).unwrap(),
        };
        assert_eq!(matching.num_rows() + leaving.num_rows(), page.num_rows());
        assert_eq!(keep.null_count(), 0);
        Ok(Applied { matching, leaving })
    }
}

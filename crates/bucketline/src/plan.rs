//! A dry run of a script: what its statements would request and change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bucketline_core::code;
use bucketline_replicate::{self as replicate, Read, ScriptRun};
use bucketline_source::figures::{Elapsed, counted, grouped};
use bucketline_source::{ReadContext, RequestCount, RequestShape, SliceChoice, Source};
use bucketline_sql::{Given, Located, Query, Replicate, Script, Source as Filled, Statement};

use crate::run::{Voice, without_mistakes};
use crate::statement::{Outline, Scene, computing, defect, insertion};
use crate::{Error, Event, Result, Session};

/// How long a request is taken to last.
const LATENCY: Duration = Duration::from_millis(250);

/// Says a row for each statement, then of each connection what all of them request. Settings and connections of the
/// script take effect in the session; nothing else does, and nothing is written.
pub(crate) async fn plan(session: &Session, script: &str, voice: &Voice) {
    let read = Script::read(script, &session.parameters());
    let Some(mut script) = without_mistakes(read, voice) else {
        return;
    };
    let started = Instant::now();
    let context = ReadContext::new(Arc::new(voice.clone()));
    let mut planning = Planning {
        session,
        context: &context,
        asked: Vec::new(),
        made: Vec::new(),
    };
    let mut failures = Vec::new();
    let mut rows = 0;
    for index in 0..script.len() {
        let parameters = session.parameters().clone();
        // A parameter that a query of tables computes has no value here.
        let read = match script.statement(index, &parameters) {
            Some(Err(_)) => script.draft(index, &parameters),
            read => read,
        };
        let Some(Ok(Located { statement, span })) = read else {
            failures.extend(read.and_then(Result::err));
            continue;
        };
        let text = statement.masked();
        let (expected, failure) = match planning.expect(statement).await {
            Ok(expected) => expected,
            Err(error) => (Expected::refused(&error), Some(error)),
        };
        failures.extend(failure.map(|error| error.or_at(span)));
        if let Ok(row) = expected.row(index + 1, text) {
            if rows == 0 {
                voice.say(Event::Columns(row.schema()));
            }
            rows += 1;
            voice.say(Event::Rows(row));
        }
    }
    voice.say(Event::Ended {
        rows,
        lost_values: 0,
        requests: context.requests(),
        elapsed: started.elapsed(),
    });
    for asked in planning.asked {
        voice.say(Event::Message(asked.sum(session)));
    }
    for failure in failures {
        voice.say(Event::Failed(failure));
    }
}

/// What a statement would do.
struct Expected {
    /// The destination's table that it changes.
    table: Option<String>,
    effect: String,
    /// Not known for what hangs on an earlier statement.
    requests: Option<RequestCount>,
}

impl Expected {
    fn new(effect: impl Into<String>, requests: RequestCount) -> Self {
        Self {
            table: None,
            effect: effect.into(),
            requests: Some(requests),
        }
    }

    fn refused(error: &Error) -> Self {
        Self::new(
            format!("would be refused: {error} [{}]", error.code()),
            RequestCount::Exactly(0),
        )
    }

    fn row(self, number: usize, text: String) -> Result<RecordBatch> {
        let (requests, is_exact) = match self.requests {
            Some(RequestCount::Exactly(count)) => (Some(count), Some("yes")),
            Some(RequestCount::AtLeast(count)) => (Some(count), Some("no")),
            None => (None, None),
        };
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let requests = requests.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        let columns: [(&str, ArrayRef); 6] = [
            ("Number", Arc::new(Int64Array::from(vec![number]))),
            ("Statement", Arc::new(StringArray::from(vec![text]))),
            ("Table", Arc::new(StringArray::from(vec![self.table]))),
            ("Effect", Arc::new(StringArray::from(vec![self.effect]))),
            ("Requests", Arc::new(Int64Array::from(vec![requests]))),
            ("IsExact", Arc::new(StringArray::from(vec![is_exact]))),
        ];
        RecordBatch::try_from_iter(columns).map_err(defect)
    }
}

struct Planning<'a> {
    session: &'a Session,
    context: &'a ReadContext,
    /// What each source is asked for by the statements so far.
    asked: Vec<Asked>,
    /// The tables that the statements so far make, as they are called in them.
    made: Vec<String>,
}

impl Planning<'_> {
    /// What a statement would do, and why it would be refused, if so.
    async fn expect(&mut self, mut statement: Statement) -> Result<(Expected, Option<Error>)> {
        self.session.options().settle(&mut statement)?;
        match statement {
            Statement::Query(query) => Ok((self.query(&query).await?, None)),
            Statement::Replicate(replicate) => self.replicate(&replicate).await,
            Statement::Cache(cache) => {
                let mut expected = self.query(&cache.query).await?;
                if let Some(table) = &cache.table {
                    self.made.push(table.last().text.to_lowercase());
                    expected.table = Some(table.to_string());
                }
                if expected.requests.is_some() {
                    expected.effect = "writes the rows of the query".to_owned();
                }
                Ok((expected, None))
            }
            Statement::Insert(insert) => {
                insertion(self.session, &insert, self.context).await?;
                let mut expected = self.query(&insert.query).await?;
                expected.table = Some(insert.table.to_string());
                if expected.requests.is_some() {
                    expected.effect = "appends the rows of the query".to_owned();
                }
                Ok((expected, None))
            }
            Statement::Explain(explain) if explain.analyze => {
                Box::pin(self.expect(*explain.statement)).await
            }
            Statement::Explain(_) => {
                let expected = Expected::new("prints a plan", RequestCount::AtLeast(0));
                Ok((expected, None))
            }
            other => {
                let Outline { does, requests } = Outline::of(&other)?;
                let table = match &other {
                    Statement::CheckCache(check) => Some(check.table.to_string()),
                    Statement::CreateTable(create) => Some(create.table.to_string()),
                    _ => None,
                };
                if let Statement::CreateTable(create) = &other {
                    self.made.push(create.table.last().text.to_lowercase());
                }
                let takes_effect = match &other {
                    Statement::SetParameter(set) => match &set.value {
                        Given::Value(_) => true,
                        Given::Expression(it) => computing(it)?.table_names().is_empty(),
                    },
                    Statement::Set(_)
                    | Statement::ResetAll
                    | Statement::Use(_)
                    | Statement::CreateConnection(_)
                    | Statement::DropConnection(_) => true,
                    _ => false,
                };
                if takes_effect {
                    self.execute(other).await?;
                }
                let expected = Expected::new(does, requests);
                Ok((Expected { table, ..expected }, None))
            }
        }
    }

    async fn query(&mut self, query: &Query) -> Result<Expected> {
        match self.session.engine.scans(query, self.context).await {
            Ok(scans) => Ok(Expected::new(
                "gives rows",
                self.charge(scans.into_iter().map(Read::new)),
            )),
            Err(error) if error.code() == code::engine::UNKNOWN_TABLE && self.reads_made(query) => {
                Ok(Self::hanging(None))
            }
            Err(error) => Err(error),
        }
    }

    async fn replicate(&mut self, statement: &Replicate) -> Result<(Expected, Option<Error>)> {
        let engine = &self.session.engine;
        let destination = &self.session.destination();
        let target = statement.destination.to_string();
        let scan = self.context.scan();
        let forecast = match replicate::forecast(engine, destination, statement, scan).await {
            Ok(forecast) => forecast,
            Err(error) => {
                let hangs = error.code() == code::engine::UNKNOWN_TABLE
                    && matches!(&statement.source, Filled::Query(query) if self.reads_made(query));
                return match hangs {
                    true => Ok((Self::hanging(Some(target)), None)),
                    false => Err(error),
                };
            }
        };
        let replicate::Forecast {
            table,
            mode,
            load,
            refusal,
            reads,
        } = forecast;
        self.made.push(table.name.to_lowercase());
        let refusal = refusal;
        let expected = match &refusal {
            Some(error) => Expected::refused(error),
            None => Expected::new(format!("{mode}: {load}"), self.charge(reads)),
        };
        let table = Some(table.to_string());
        Ok((Expected { table, ..expected }, refusal))
    }

    /// Of a statement that reads what is not there before an earlier one has run.
    fn hanging(table: Option<String>) -> Expected {
        Expected {
            table,
            effect: "reads a table that an earlier statement makes".to_owned(),
            requests: None,
        }
    }

    fn reads_made(&self, query: &Query) -> bool {
        let names = query.table_names();
        names
            .iter()
            .any(|name| self.made.contains(&name.last().text.to_lowercase()))
    }

    /// Carries out a statement that changes the session alone.
    async fn execute(&self, statement: Statement) -> Result<()> {
        let shared = ScriptRun::default();
        let scene = Scene {
            session: self.session,
            shared: &shared,
            context: self.context,
            voice: &Voice::unheard(),
        };
        Box::pin(scene.execute(statement)).await.map(drop)
    }

    /// Adds up what a statement reads.
    fn charge(&mut self, reads: impl IntoIterator<Item = Read>) -> RequestCount {
        let mut sum = RequestCount::Exactly(0);
        for read in reads {
            let source = &read.source;
            let known = self
                .asked
                .iter()
                .position(|asked| Arc::ptr_eq(&asked.source, source));
            let index = known.unwrap_or_else(|| {
                self.asked.push(Asked::new(Arc::clone(source)));
                self.asked.len() - 1
            });
            sum = sum + self.asked[index].charge(&read);
        }
        sum
    }
}

/// What one source is asked for.
struct Asked {
    source: Arc<dyn Source>,
    requests: RequestCount,
    /// What was asked for before rows: listings and look-ups, which are made once a script.
    once: Vec<RequestShape>,
    /// How many repositories an earlier run has listed, if that is known.
    slices: Option<usize>,
}

impl Asked {
    fn new(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            requests: RequestCount::Exactly(0),
            once: Vec::new(),
            slices: None,
        }
    }

    /// Adds what a plan requests, less what the script has asked for before.
    fn charge(&mut self, read: &Read) -> RequestCount {
        let plan = &read.plan;
        if plan.slices == SliceChoice::Listed {
            self.slices = read.slices.or(self.slices);
        }
        let alone = match read.reload {
            Some(requests) => RequestCount::AtLeast(requests),
            None => plan.forecast(self.slices),
        };
        let first = plan.requests.first().filter(|_| plan.requests.len() > 1);
        let requests = match first {
            Some(first) if self.once.contains(first) => less_one(alone),
            Some(first) => {
                self.once.push(first.clone());
                alone
            }
            None => alone,
        };
        self.requests = self.requests + requests;
        requests
    }

    /// `acme: at least 12 requests, about 0.8 s at 250 ms each; the budget of 900 an hour has 890 left`
    fn sum(&self, session: &Session) -> String {
        let name = session.name_of(&self.source);
        let (bound, count) = match self.requests {
            RequestCount::Exactly(count) => ("", count),
            RequestCount::AtLeast(count) => ("at least ", count),
        };
        let rounds = count.div_ceil(self.source.concurrency().max(1) as u64);
        let lasting = LATENCY.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        let text = format!(
            "{name}: {bound}{}, about {} at {} ms each",
            counted(count, "request"),
            Elapsed(lasting),
            LATENCY.as_millis()
        );
        session.open(&name);
        let Some((left, hourly)) = session.budget(&name) else {
            return text;
        };
        let over = count.saturating_sub(left.into());
        let waiting = match over.div_ceil(u64::from(hourly.max(1))) {
            0 => String::new(),
            1 => format!(", so that {} wait up to an hour", grouped(over)),
            hours => format!(", so that {} wait up to {hours} hours", grouped(over)),
        };
        format!(
            "{text}; the budget of {} an hour has {} left{waiting}",
            grouped(hourly.into()),
            grouped(left.into())
        )
    }
}

/// Without its first request; what is left is a request at least.
fn less_one(requests: RequestCount) -> RequestCount {
    match requests {
        RequestCount::Exactly(count) => RequestCount::Exactly(count.saturating_sub(1)),
        RequestCount::AtLeast(count) => RequestCount::AtLeast(count.saturating_sub(1).max(1)),
    }
}

//! Statements about tables and views of the user's own.

use bucketline_replicate::{self as replicate, Changing, Written};
use bucketline_source::figures::counted;
use bucketline_sql::{Name, OwnKind, Statement, TableContent};

use super::{Done, Scene, refused};
use crate::{Event, Result};

impl Scene<'_> {
    /// Executes a statement that makes, changes or drops one of them.
    pub(super) async fn own(&self, statement: Statement) -> Result<Done> {
        let verb = statement.verb();
        let outcome = self.changed(&statement).await;
        let told = match &outcome {
            Ok(told) => told.clone(),
            Err(error) => format!("{error} [{}]", error.code()),
        };
        self.session.remember(verb, told.clone());
        outcome?;
        self.voice.say(Event::Message(told));
        Ok(Done::default())
    }

    /// What was done, in words.
    async fn changed(&self, statement: &Statement) -> Result<String> {
        let engine = &self.session.engine;
        let destination = &self.session.destination();
        match statement {
            Statement::CreateTable(create) => {
                let table = &create.table;
                let written = replicate::create_table(engine, destination, create, self.context);
                Ok(match written.await? {
                    Written { is_idle: true, .. } => {
                        format!("there is a table {table} already; nothing was done")
                    }
                    Written { rows, .. } => match create.content {
                        TableContent::Columns(_) => format!("the table {table} was made"),
                        TableContent::Query(_) => {
                            format!("the table {table} was made with {}", counted(rows, "row"))
                        }
                    },
                })
            }
            Statement::CreateView(create) => {
                replicate::create_view(engine, destination, create, self.context).await?;
                Ok(format!("the view {} was made", create.view))
            }
            Statement::DropOwn(dropped) => {
                let kind = match dropped.kind {
                    OwnKind::Table => "table",
                    OwnKind::View => "view",
                };
                Ok(
                    match replicate::drop_own(destination, dropped).await?.is_idle {
                        true => format!("there is no {kind} {}; nothing was done", dropped.name),
                        false => format!("the {kind} {} was dropped", dropped.name),
                    },
                )
            }
            Statement::Update(update) => {
                let table = self.changing(statement, &update.table).await?;
                let rows = table.update(engine, update, self.context).await?;
                Ok(format!(
                    "{} of {} changed",
                    counted(rows, "row"),
                    update.table
                ))
            }
            Statement::Delete(delete) => {
                let table = self.changing(statement, &delete.table).await?;
                let rows = table
                    .delete(engine, delete.condition.as_ref(), self.context)
                    .await?;
                Ok(format!(
                    "{} deleted from {}",
                    counted(rows, "row"),
                    delete.table
                ))
            }
            Statement::Truncate(name) => {
                let table = self.changing(statement, name).await?;
                let rows = table.delete(engine, None, self.context).await?;
                Ok(format!("{} deleted from {name}", counted(rows, "row")))
            }
            other => Err(refused(other)),
        }
    }

    /// Refuses what would change rows of a table that is not the user's own.
    ///
    /// # Errors
    /// As running the statement would.
    pub(super) async fn check_own(&self, statement: &Statement) -> Result<()> {
        let name = match statement {
            Statement::Update(update) => &update.table,
            Statement::Delete(delete) => &delete.table,
            Statement::Truncate(name) => name,
            _ => return Ok(()),
        };
        self.changing(statement, name).await.map(drop)
    }

    async fn changing<'n>(&self, statement: &Statement, name: &'n Name) -> Result<Changing<'n>> {
        let found = Changing::find(&self.session.engine, name, self.context).await?;
        found.ok_or_else(|| refused(statement).or_at(name.span()))
    }
}

//! Jobs and their history for those who ask by SQL, while the server runs and without one.

use serde_json::json;

use super::printed;
use super::process::{Serving, Start};
use crate::commands::start;
use crate::world::small;

#[test]
fn jobs_and_history_are_tables_also_while_the_server_runs() {
    let world = start(small());
    let ask = |sql: &str| {
        let arguments = ["--format", "csv", "-e", sql];
        printed(&world, &arguments).replace("\r\n", "\n")
    };
    assert_eq!(ask("SELECT JobName FROM sys_jobs"), "JobName\n");
    assert!(!world.folder().join("state/app.db").exists());

    let mut serving = Serving::spawn(&mut Start::in_folder(world.folder()).serve());
    let client = serving.client().unwrap();
    client.connect(&world.sandbox.base_url(), &world.file());
    let job = json!({
        "name": "Nightly", "source": "acme", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE Repositories" }, { "statement": "REPLICATE Branches", "enabled": false }],
        "schedule": { "cron": "0 2 * * *", "enabled": false },
    });
    let job = client.expect(201, "POST /jobs", Some(&job));
    let line = format!("POST /jobs/{}/runs?wait=60", job["id"]);
    assert_eq!(client.expect(201, &line, None)["state"], "succeeded");

    let jobs = "SELECT JobName, Source, Cron, IsScheduled, LastRunId, LastState FROM sys_jobs";
    let tasks = "SELECT Position, Statement, TableName, IsEnabled FROM sys_tasks ORDER BY Position";
    let runs =
        "SELECT JobName, State, Origin, RowsInserted, EndedAt >= StartedAt AS ended FROM sys_runs";
    let slices = "SELECT r.JobName, s.TableName, s.Outcome, SUM(s.RowsInserted) AS n FROM sys_run_slices s \
                  JOIN sys_runs r ON r.RunId = s.RunId GROUP BY 1, 2, 3";
    let told = [
        (
            jobs,
            "JobName,Source,Cron,IsScheduled,LastRunId,LastState\nNightly,acme,0 2 * * *,false,1,succeeded\n",
        ),
        (
            tasks,
            "Position,Statement,TableName,IsEnabled\n1,REPLICATE Repositories,Repositories,true\n\
             2,REPLICATE Branches,Branches,false\n",
        ),
        (
            runs,
            "JobName,State,Origin,RowsInserted,ended\nNightly,succeeded,api,3,true\n",
        ),
        (
            slices,
            "JobName,TableName,Outcome,n\nNightly,Repositories,done,3\n",
        ),
    ];
    for (sql, rows) in told {
        assert_eq!(ask(sql), rows, "{sql}");
    }
    let history = printed(
        &world,
        &["app", "--format", "csv", "history", "--job", "nightly"],
    );
    assert_eq!(history.lines().count(), 2, "{history}");
    printed(&world, &["app", "export", "files"]);
    let plan = printed(
        &world,
        &["app", "--format", "csv", "apply", "files", "--plan"],
    );
    assert_eq!(plan.lines().count(), 1, "{plan}");
    assert!(serving.terminate().success());
    assert_eq!(ask(told[2].0), told[2].1);
}

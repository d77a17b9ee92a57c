//! EXPLAIN tells beforehand, requests no rows and writes nothing.

use bucketline_destination::TableName;

use super::fake::{ID, STATE, Selection, TITLE, UUID};
use super::{Bench, Voice, select, statement, with};
use crate::explain::explain;
use crate::forecast::forecast;
use crate::run::Run;
use crate::statement::Statement;
use crate::work::Work;
use crate::{Result, ScriptRun, code};

async fn lines(bench: &Bench, selection: &Selection, statement: &Statement) -> Result<String> {
    let works = select(&bench.fake, selection);
    let script = ScriptRun::default();
    let run = Run::new(&script, Voice::new(std::sync::Arc::new(crate::Silent)));
    let lines = explain(
        Work::Rows(&works),
        &bench.destination,
        statement,
        &run.context,
    )
    .await?;
    Ok(lines.join("\n"))
}

#[tokio::test]
async fn it_tells_mode_key_cursor_slices_and_reload_without_reading() {
    let bench = Bench::filled();
    let few = Selection {
        columns: vec![UUID, ID, TITLE],
        ..Selection::all("Issues")
    };
    let more = Selection {
        columns: vec![UUID, ID, TITLE, STATE],
        ..Selection::all("Issues")
    };

    let before = lines(&bench, &few, &statement()).await.unwrap();
    for line in [
        "mode: incremental: Issues has the change column UpdatedOn",
        "key: RepositoryUUID, Id",
        "cursor: UpdatedOn, nothing was read yet",
        "load: first load",
        "slices: unknown until the repositories are listed",
    ] {
        assert!(before.contains(line), "{line} in\n{before}");
    }
    assert!(
        bench
            .destination
            .table(&TableName::bare("Copy"))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!((bench.row_requests(), bench.fake.world().listings), (0, 0));

    bench.replicate(&few).await.unwrap();
    bench.row_requests();
    let after = lines(&bench, &few, &statement()).await.unwrap();
    assert!(after.contains("slices: 2 in the last run"), "{after}");
    assert!(
        after.contains("cursor: UpdatedOn, read up to 2023-"),
        "{after}"
    );
    assert!(after.contains("load: changes are merged"), "{after}");
    let changed = lines(&bench, &more, &statement()).await.unwrap();
    assert!(
        changed.contains("load: State is a new column: everything is staged, about 5 requests")
    );

    bench.fake.world().workspace = "{other}".to_owned();
    let refused = lines(&bench, &few, &statement()).await.unwrap();
    assert!(
        refused.contains("would be refused") && refused.contains("BL7002"),
        "{refused}"
    );
    assert_eq!((bench.row_requests(), bench.fake.world().listings), (0, 1));
}

#[tokio::test]
async fn it_tells_what_is_filtered_here_after_the_first_load() {
    let bench = Bench::filled();
    let open = Selection {
        state: Some("open"),
        ..Selection::all("Issues")
    };
    let text = lines(&bench, &open, &statement()).await.unwrap();
    assert!(
        text.contains("filtered by the API: State = 'open'"),
        "{text}"
    );
    assert!(
        text.contains("after the first load filtered here"),
        "{text}"
    );
}

/// As a run would be: the emptied table was loaded without versions.
#[tokio::test]
async fn what_a_run_would_refuse_is_forecast() {
    let bench = Bench::filled();
    let issues = Selection::all("Issues");
    bench.replicate(&issues).await.unwrap();
    assert!(bench.memory.empty_table(&statement().table));
    let history = with(|options| options.history = true);
    let run = bench.run(&issues, &history).await.unwrap_err();
    let works = select(&bench.fake, &issues);
    let script = ScriptRun::default();
    let context = Run::new(&script, Voice::new(std::sync::Arc::new(crate::Silent))).context;
    let ahead = forecast(Work::Rows(&works), &bench.destination, &history, &context).await;
    let refusal = ahead.unwrap().refusal.unwrap();
    assert_eq!(refusal.code(), code::RETENTION);
    assert_eq!(refusal.to_string(), run.to_string());
}

//! Values of parameters, in every kind of statement, and files that a query is written into.

use arrow::array::ArrayRef;
use arrow::util::display::array_value_to_string;
use bucketline::sql::{ParameterValue, Parameters};
use bucketline::{Access, Error, Event, Session};
use futures::StreamExt;

use crate::world::{World, small};

/// The first row of the last result, and what failed.
async fn outcome(
    session: &Session,
    script: &str,
    parameters: &Parameters,
) -> (Vec<String>, Vec<Error>) {
    let mut row = Vec::new();
    let mut errors = Vec::new();
    let mut events = session.run_with(script, parameters);
    while let Some(event) = events.next().await {
        match event {
            Event::Rows(batch) if batch.num_rows() > 0 => {
                let text = |column: &ArrayRef| array_value_to_string(column, 0).unwrap();
                row = batch.columns().iter().map(text).collect();
            }
            Event::Failed(error) => errors.push(error),
            _ => {}
        }
    }
    (row, errors)
}

async fn row(session: &Session, script: &str, parameters: &Parameters) -> Vec<String> {
    let (row, errors) = outcome(session, script, parameters).await;
    assert!(errors.is_empty(), "{script}: {errors:?}");
    row
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_keeps_its_type_and_is_never_read_as_sql() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let attack = "x' OR 1=1; DROP TABLE Issues; --";
    let parameters = Parameters::new()
        .named("Text", attack)
        .named("n", -5)
        .named("f", 1.5)
        .named("yes", true)
        .named("nothing", ParameterValue::Null)
        .numbered(1, 7)
        .numbered(2, "two")
        .variable("team", "it's {env:other}");
    let found = row(
        &session,
        "SELECT @text, @N, 1 - @n, @f, @yes, @nothing IS NULL, ?, ?",
        &parameters,
    )
    .await;
    assert_eq!(
        found,
        [attack, "-5", "6", "1.5", "true", "true", "7", "two"]
    );
    let found = row(&session, "SELECT {env:team}, 'of {env:team}.'", &parameters).await;
    assert_eq!(found, ["it's {env:other}", "of it's {env:other}."]);
    let counted = row(
        &session,
        "SELECT COUNT(*) FROM Issues WHERE Title = @text",
        &parameters,
    )
    .await;
    assert_eq!(counted, ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_computes_an_expression_once_for_what_follows() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let none = Parameters::new().named("given", 4);
    for (script, expected) in [
        ("SET @n = 1 + @given; SELECT @n * 2", &["10"][..]),
        (
            "SET @n = (SELECT COUNT(*) FROM Projects); SET @m = @n * 10; SET @n = @n + 1; SELECT @n, @m",
            &["4", "30"],
        ),
        (
            "SET @d = DATEADD('d', 1, '2026-01-01'); SET @none = NULLIF(1, 1); SET @t = UPPER('x') || 'y';
             SET @yes = 1 < 2; SELECT @d, @none IS NULL, @t, @yes",
            &["2026-01-02T00:00:00Z", "true", "Xy", "true"],
        ),
        (
            "SET @n = 1 + 1; SELECT COUNT(*) FROM (SELECT TOP @n Name FROM Projects) t",
            &["2"],
        ),
        ("SET @r = RAND(); SELECT @r = @r AND @r < 1", &["true"]),
        ("SET @n = 1 + 1; SET @n = 7; SELECT @n", &["7"]),
        (
            "CREATE TABLE own (a int); INSERT INTO own VALUES (1), (@given); UPDATE own SET a = @given + 1 WHERE a = @given;
             DELETE FROM own WHERE a < @given; SELECT a FROM destination.own",
            &["5"],
        ),
    ] {
        assert_eq!(row(&session, script, &none).await, expected, "{script}");
    }
    // The session has it, too.
    assert_eq!(row_of(&session, "SELECT @m + 1").await, ["31"]);
    for (script, code) in [
        ("SET @n = 1 / 0; SELECT @n", "BL5008"),
        ("SET @n = LEN(nope); SELECT @n", "BL5004"),
        ("SET @n = nope;", "BL1002"),
        ("SET @n = 1 +;", "BL1003"),
    ] {
        let (_, errors) = outcome(&session, script, &none).await;
        let codes: Vec<_> = errors.iter().map(Error::code).collect();
        assert_eq!(codes, [code], "{script}");
    }
}

async fn row_of(session: &Session, script: &str) -> Vec<String> {
    let mut row = Vec::new();
    let mut events = session.run(script);
    while let Some(event) = events.next().await {
        if let Event::Rows(batch) = event {
            let text = |column: &ArrayRef| array_value_to_string(column, 0).unwrap();
            row = batch.columns().iter().map(text).collect();
        }
    }
    row
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variable_that_is_not_utf_8_is_not_taken_for_missing() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new().unreadable_variable("team");
    for script in ["SELECT {env:team}", "SELECT 'of {env:team}'"] {
        let (_, errors) = outcome(&session, script, &parameters).await;
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["the variable `{env:team}` is not UTF-8"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_stands_where_a_number_of_rows_does() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new()
        .named("n", 2)
        .numbered(1, 1)
        .numbered(2, 3);
    let top = "SELECT COUNT(*) FROM (SELECT TOP @n * FROM Issues WHERE Repository = 'api') AS t";
    assert_eq!(row(&session, top, &parameters).await, ["2"]);
    let limit =
        "SELECT MAX(Id) FROM (SELECT Id FROM [api].Issues ORDER BY Id LIMIT ? OFFSET ?) AS t";
    assert_eq!(row(&session, limit, &parameters).await, ["4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn question_marks_count_on_through_a_script() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new()
        .numbered(1, 1)
        .numbered(2, 2)
        .numbered(3, 3);
    let found = row(&session, "SELECT ?; SELECT ?, ?;", &parameters).await;
    assert_eq!(found, ["2", "3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_is_pushed_down_to_the_api() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new()
        .named("repository", "api")
        .named("most", 3);
    let query = "SELECT COUNT(*) FROM Issues WHERE Repository = @repository AND Id <= @most";
    assert_eq!(row(&session, query, &parameters).await, ["3"]);
    let requests: Vec<_> = world
        .sandbox
        .requests()
        .into_iter()
        .map(|logged| logged.target)
        .collect();
    assert!(
        requests
            .iter()
            .any(|target| target.contains("q=id%20%3C%3D%203")),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicate_takes_parameters_in_its_query_and_its_options() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new()
        .named("repository", "api")
        .named("size", 10);
    let script = "REPLICATE Issues WITH BatchSize = @size SELECT * FROM Issues WHERE Repository = @repository;";
    let (_, errors) = outcome(&session, script, &parameters).await;
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(world.number("SELECT COUNT(*) FROM Issues"), 25);
    // The value is a part of what the statement says: another one fills the table otherwise.
    let other = Parameters::new()
        .named("repository", "web")
        .named("size", 10);
    outcome(&session, script, &other).await;
    assert_eq!(
        world.number("SELECT COUNT(*) FROM Issues WHERE Repository <> 'web'"),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_takes_parameters_as_values_and_names_its_inputs() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new().named("where", "http://localhost:33333");
    let script = "EXEC GetOAuthAuthorizationURL @CallbackUrl = @where, @State = @missing;";
    let (_, errors) = outcome(&session, script, &parameters).await;
    assert_eq!(errors[0].code(), "BL1013");
    assert_eq!(
        errors[0].to_string(),
        "the parameter `@missing` has no value"
    );
    // The connection does not sign in by OAuth, which is looked at after the inputs.
    let script = "EXEC GetOAuthAuthorizationURL @CallbackUrl = @where;";
    let (_, errors) = outcome(&session, script, &parameters).await;
    assert_eq!(errors[0].code(), "BL8009");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_without_a_value_is_named_where_it_stands() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    for (script, message, column, hint) in [
        (
            "SELECT @since",
            "the parameter `@since` has no value",
            8,
            "--param since=VALUE",
        ),
        (
            "SELECT ?, ?",
            "the parameter `?`, number 2, has no value",
            11,
            "--param 2=VALUE",
        ),
        (
            "SELECT {env:team}",
            "the variable `{env:team}` has no value",
            8,
            "--param env:team=VALUE",
        ),
        (
            "SELECT 'a {env:team}'",
            "the variable `{env:team}` has no value",
            8,
            "--param env:team=VALUE",
        ),
    ] {
        let (_, errors) = outcome(&session, script, &Parameters::new().numbered(1, 1)).await;
        assert_eq!(
            (errors[0].code().as_str(), errors[0].to_string().as_str()),
            ("BL1013", message)
        );
        assert_eq!(errors[0].span().unwrap().start.column, column, "{script}");
        assert!(
            errors[0].hint().unwrap().contains(hint),
            "{:?}",
            errors[0].hint()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_a_statement_shows_the_parameter_and_not_its_value() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new().named("secret", "hunter2");
    let mut events = session.run_with("SELECT @secret AS x", &parameters);
    while let Some(event) = events.next().await {
        if let Event::Started { text, .. } = event {
            assert_eq!(text, "SELECT @secret AS x");
        }
    }
    assert!(!format!("{parameters:?}").contains("hunter2"));
}

fn with_files(world: &World) -> Session {
    Session::builder()
        .connection("acme", world.properties("acme"))
        .write_to(world.store.setting())
        .access(Access::all())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_is_set_has_its_value_from_there_on() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let given = Parameters::new().named("n", 1);
    let script = "SET @m = @n; SET @N = -2; SET @text = 'it''s; @n'; SET @nothing = NULL; \
                  SELECT @m, @n, @text, @nothing IS NULL";
    let found = row(&session, script, &given).await;
    assert_eq!(found, ["1", "-2", "it's; @n", "true"]);
    // The next script of the session has it, and every digit.
    let mut next =
        session.run("SET @big = 12345678901234567890; SELECT @n, @m, CAST(@big AS VARCHAR)");
    while let Some(event) = next.next().await {
        if let Event::Rows(batch) = event {
            let cells = batch
                .columns()
                .iter()
                .map(|it| array_value_to_string(it, 0));
            assert_eq!(
                cells.collect::<Result<Vec<_>, _>>().unwrap(),
                ["-2", "1", "12345678901234567890"]
            );
        }
    }
    for wrong in [
        "SET @n = word",
        "SET @n = 1 +",
        "SET @n",
        "SET @ = 1",
        "SET @n = @unknown",
    ] {
        let (_, errors) = outcome(&session, wrong, &given).await;
        assert!(errors[0].code().as_str().starts_with("BL10"), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_is_written_into_a_file() {
    let world = World::start(small()).await;
    let session = with_files(&world);
    let file = world.folder().join("rows.csv");
    let path = file.display();
    let rows = "(VALUES (1, 'a,b'), (2, NULL), (3, ''), (4, 'it is \"so\"')) AS t (Id, Text)";
    let none = Parameters::new();
    for (target, expected) in [
        (
            format!("csv://{path}"),
            "Id,Text\r\n1,\"a,b\"\r\n2,\r\n3,\"\"\r\n4,\"it is \"\"so\"\"\"\r\n",
        ),
        (
            format!("csv://filename={path};delimiter=tab"),
            "Id\tText\r\n1\ta,b\r\n2\t\r\n3\t\"\"\r\n4\t\"it is \"\"so\"\"\"\r\n",
        ),
        (
            format!("[csv://{path};delimiter=|]"),
            "Id|Text\r\n1|a,b\r\n2|\r\n3|\"\"\r\n4|\"it is \"\"so\"\"\"\r\n",
        ),
        (
            format!("\"csv://{path}\""),
            "Id,Text\r\n1,\"a,b\"\r\n2,\r\n3,\"\"\r\n4,\"it is \"\"so\"\"\"\r\n",
        ),
    ] {
        let script = format!("SELECT Id, Text INTO {target} FROM {rows} ORDER BY Id;");
        let (row, errors) = outcome(&session, &script, &none).await;
        assert!(row.is_empty() && errors.is_empty(), "{script}: {errors:?}");
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            expected,
            "{script}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_failed_query_stays_as_it_was() {
    let world = World::start(small()).await;
    let session = with_files(&world);
    let file = world.folder().join("rows.csv");
    std::fs::write(&file, "before").unwrap();
    let script = format!(
        "SELECT Id, MOD(1, Id - 3) INTO csv://{} FROM Issues WHERE Repository = 'api'",
        file.display()
    );
    let (_, errors) = outcome(&session, &script, &Parameters::new()).await;
    assert_eq!(errors[0].code(), "BL5013");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "before");
    let left: Vec<_> = std::fs::read_dir(world.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["rows.csv"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_written_is_told() {
    let world = World::start(small()).await;
    let files = with_files(&world);
    let none = world.session(&["acme"]);
    let nowhere = world.folder().join("nowhere/rows.csv");
    for (session, script, code) in [
        (
            &none,
            "SELECT 1 AS x INTO csv://rows.csv".to_owned(),
            "BL8012",
        ),
        (
            &files,
            format!("SELECT 1 AS x INTO csv://{}", nowhere.display()),
            "BL8014",
        ),
        (
            &files,
            format!("SELECT 1 AS x INTO csv://{}", world.folder().display()),
            "BL8014",
        ),
        (&files, "SELECT 1 AS x INTO [csv://]".to_owned(), "BL1014"),
        (
            &files,
            "SELECT 1 AS x INTO [csv://a.csv;delimiter=wide]".to_owned(),
            "BL1014",
        ),
        (
            &files,
            "SELECT 1 AS x INTO [csv://a.csv;colour=red]".to_owned(),
            "BL1014",
        ),
        (&files, "SELECT 1 AS x INTO rows".to_owned(), "BL1011"),
        (
            &files,
            "REPLICATE t SELECT * INTO csv://a.csv FROM Issues".to_owned(),
            "BL1011",
        ),
        (
            &files,
            "SELECT * FROM (SELECT 1 AS x INTO csv://a.csv) AS t".to_owned(),
            "BL1011",
        ),
    ] {
        let (_, errors) = outcome(session, &script, &Parameters::new()).await;
        assert_eq!(
            errors.first().map(|it| it.code().as_str()),
            Some(code),
            "{script}"
        );
    }
}

/// The record of a copy names the parameters of its statement, and keeps no value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_statement_with_parameters_is_held_against_a_query() {
    let world = World::start(small()).await;
    let session = world.session(&["acme"]);
    let parameters = Parameters::new().named("repository", "api");
    let script = "REPLICATE Some SELECT * FROM Issues WHERE Repository = @repository";
    let (_, errors) = outcome(&session, script, &parameters).await;
    assert!(errors.is_empty(), "{errors:?}");
    let (_, errors) = outcome(&session, "CHECKCACHE Some", &parameters).await;
    assert_eq!(errors[0].code(), "BL7015");
    assert!(errors[0].hint().unwrap().contains("AGAINST"), "{errors:?}");
    let script = "CHECKCACHE Some AGAINST (SELECT * FROM Issues WHERE Repository = @repository)";
    let (rows, errors) = outcome(&session, script, &parameters).await;
    assert!(rows.is_empty() && errors.is_empty(), "{errors:?}");
}

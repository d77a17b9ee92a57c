//! What the documentation says that a role needs is what it needs.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use bucketline_destination::{Change, Replacement, Target};
use bucketline_private_postgres::Server;
use serde_json::json;

use self::support::{batch, begun, destination, open, plan};

/// The statements that make the role.
fn statements() -> String {
    let page = include_str!("../../../docs/destinations.md");
    let (_, section) = page.split_once("### A role of its own").unwrap();
    let (_, block) = section.split_once("```sql\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn a_role_of_its_own_can_load_and_no_more() {
    let Some(server) = Server::for_test() else {
        return;
    };
    server
        .execute("postgres", "CREATE DATABASE copies")
        .unwrap();
    // What everybody may is taken away, and given back by what the page says.
    let strict =
        "REVOKE ALL ON DATABASE copies FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC";
    server.execute("copies", strict).unwrap();
    server.execute("copies", &statements()).unwrap();
    let port = server.port();
    let destination = destination(&format!(
        "postgres://bucketline:change%20me@127.0.0.1:{port}/copies"
    ));

    let load = begun(&destination).await;
    load.write("s", Change::Upsert(batch(0..100)))
        .await
        .unwrap();
    load.commit("s", Some(json!(1))).await.unwrap();
    load.finish(None).await.unwrap();
    let staged = open(&destination).await.unwrap();
    staged.begin(plan(Target::Staging)).await.unwrap();
    staged
        .write("s", Change::Upsert(batch(50..70)))
        .await
        .unwrap();
    staged.commit("s", None).await.unwrap();
    staged.apply(Replacement::Rows, json!(2)).await.unwrap();
    staged.finish(None).await.unwrap();
    let count = server.execute("copies", "SELECT count(*) FROM things");
    assert_eq!(count.unwrap(), "20\n");
    let may =
        "SELECT rolsuper OR rolcreatedb OR has_database_privilege('bucketline', 'copies', 'CREATE')
         FROM pg_roles WHERE rolname = 'bucketline'";
    assert_eq!(server.execute("copies", may).unwrap(), "f\n");
}

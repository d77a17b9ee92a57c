//! Pipelines and deployments.

use bucketline_sandbox::{Change, Config, Kind, Sandbox, WorkspaceConfig};
use serde_json::Value;

use crate::client::{get, walk};
use crate::sandbox;

const API: &str = "/repositories/acme/api";

fn newest(sandbox: &Sandbox) -> Value {
    let path = format!("{API}/pipelines/?sort=-created_on&pagelen=1");
    get(sandbox, &path).json()["values"][0].clone()
}

#[test]
fn they_need_their_slash_and_forget_their_order() {
    let config = Config::single(WorkspaceConfig {
        pipelines: 150,
        ..WorkspaceConfig::new("acme")
    });
    let sandbox = Sandbox::start_blocking(config).unwrap();
    for list in ["pipelines", "deployments"] {
        assert_eq!(
            get(&sandbox, &format!("{API}/{list}")).status,
            404,
            "{list}"
        );
        assert_eq!(
            get(&sandbox, &format!("{API}/{list}/")).status,
            200,
            "{list}"
        );
    }
    let path = format!("{API}/pipelines/?sort=-created_on&pagelen=100");
    let first = get(&sandbox, &path);
    assert_eq!(first.column("/build_number")[0], 150);
    let next = first.next().unwrap();
    assert!(!next.contains("sort"), "{next}");
    assert_eq!(
        get(&sandbox, &next).column("/build_number")[0],
        101,
        "oldest first"
    );
    let second = get(&sandbox, &format!("{path}&page=2"));
    assert_eq!(second.column("/build_number")[0], 50);
    assert_eq!(
        get(&sandbox, &format!("{API}/pipelines/?pagelen=101")).message(),
        "Invalid pagelen"
    );
    assert_eq!(
        get(&sandbox, &format!("{API}/pipelines/?sort=state")).message(),
        "Invalid sort attribute"
    );
    let refused = get(&sandbox, &format!("{API}/deployments/?sort=created_on"));
    assert_eq!(refused.message(), "Invalid sort attribute");
    for list in ["pipelines", "deployments"] {
        let all = get(&sandbox, &format!("{API}/{list}/")).json()["size"].clone();
        let future = format!("{API}/{list}/?q=created_on%3E2099-01-01");
        assert_eq!(get(&sandbox, &future).json()["size"], all, "q is ignored");
    }
}

#[test]
fn unfinished_ones_go_on_with_the_clock() {
    let sandbox = sandbox();
    let before = newest(&sandbox);
    assert_eq!(before["state"]["name"], "IN_PROGRESS");
    assert!(before["completed_on"].is_null());
    let path = format!("{API}/pipelines/{}", before["uuid"].as_str().unwrap());
    let path = path.replace('{', "%7B").replace('}', "%7D");
    let steps = || get(&sandbox, &format!("{path}/steps/")).column("/state/name");
    assert!(steps().iter().any(|state| state != "COMPLETED"));
    let building = get(&sandbox, &format!("{API}/pipelines/?status=BUILDING"));
    assert_eq!(building.json()["size"], 2);

    sandbox
        .apply(Change::AdvanceClock { seconds: 7200.0 })
        .unwrap();
    let after = get(&sandbox, &path).json();
    assert_eq!(after["state"]["name"], "COMPLETED");
    assert!(after["state"]["result"]["name"].is_string());
    assert_eq!(after["created_on"], before["created_on"]);
    assert!(steps().iter().all(|state| state == "COMPLETED"));

    let added = sandbox
        .apply(Change::Add {
            kind: Kind::Pipelines,
            parent: "acme/api".to_owned(),
        })
        .unwrap();
    let one = newest(&sandbox);
    assert_eq!(
        (&one["build_number"], &one["state"]["name"]),
        (&25.into(), &"PENDING".into())
    );
    sandbox
        .apply(Change::AdvanceClock { seconds: 60.0 })
        .unwrap();
    sandbox
        .apply(Change::Edit {
            kind: Kind::Pipelines,
            parent: "acme/api".to_owned(),
            number: added.id.unwrap(),
        })
        .unwrap();
    assert_eq!(newest(&sandbox)["state"]["result"]["name"], "STOPPED");
}

#[test]
fn their_times_have_up_to_nine_digits() {
    let sandbox = sandbox();
    let pages = walk(&sandbox, &format!("{API}/pipelines/?pagelen=100"));
    let times = pages.iter().flat_map(|page| page.column("/created_on"));
    let lengths: Vec<usize> = times
        .map(|time| {
            let time = time.as_str().unwrap();
            assert!(time.ends_with('Z') && !time.ends_with("0Z"), "{time}");
            time.len()
        })
        .collect();
    assert!(lengths.contains(&"2024-05-21T01:50:36.611482242Z".len()));
}

#[test]
fn where_they_are_off_there_are_none() {
    let sandbox = sandbox();
    let off = |on| Change::SetPipelines {
        repository: "acme/api".to_owned(),
        on,
    };
    for (on, status) in [(false, 404), (true, 200)] {
        sandbox.apply(off(on)).unwrap();
        for list in ["pipelines/", "deployments/", "environments"] {
            assert_eq!(
                get(&sandbox, &format!("{API}/{list}")).status,
                status,
                "{list}"
            );
        }
        let config = get(&sandbox, &format!("{API}/pipelines_config")).json();
        assert_eq!(config["enabled"], on);
    }
    let last = "/repositories/acme/infra/pipelines/";
    assert_eq!(
        get(&sandbox, last).status,
        404,
        "one repository starts without"
    );
}

#[test]
fn secured_variables_have_no_value() {
    let sandbox = sandbox();
    for kind in [
        Kind::PipelineVariables,
        Kind::WorkspaceVariables,
        Kind::EnvironmentVariables,
    ] {
        let rows = sandbox.snapshot(kind, "acme");
        assert!(!rows.is_empty());
        for row in rows {
            let secured = row.value["secured"] == true;
            assert_eq!(row.value.get("value").is_none(), secured);
        }
    }
}

//! schemathesis, which others wrote, asks the API what its description allows, and what it does not.

use std::process::Command;

use serde_json::json;

use super::process::{Serving, Start};
use crate::clients::folder;
use crate::commands::start;
use crate::world::small;

/// What is checked of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

#[test]
fn no_request_meets_a_defect_or_an_answer_that_is_not_described() {
    let Some(clients) = folder() else {
        return;
    };
    let world = start(small());
    let mut serving = Serving::spawn(&mut Start::in_folder(world.folder()).serve());
    let client = serving.client().unwrap();
    client.connect(&world.sandbox.base_url(), &world.file());
    let job = json!({
        "name": "Nightly", "source": "acme", "destination": "copy",
        "tasks": [{ "statement": "REPLICATE Repositories" }],
    });
    let job = client.expect(201, "POST /jobs", Some(&job));
    client.expect(201, &format!("POST /jobs/{}/runs?wait=60", job["id"]), None);

    let output = Command::new(clients.join("venv/bin/schemathesis"))
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", client.address))
        .args([
            "--header",
            &format!("Authorization: Bearer {}", client.token),
        ])
        .args(["--phases", "coverage,fuzzing", "--checks", CHECKS])
        .args(["--max-examples", "10", "--seed", "1", "--workers", "1"])
        .args(["--continue-on-failure", "--no-shrink", "--warnings", "off"])
        .args(["--request-timeout", "60", "--suppress-health-check", "all"])
        .args(["--generation-database", "none"])
        .current_dir(world.folder())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(
        serving.child.try_wait().unwrap().is_none(),
        "the server ended"
    );
}

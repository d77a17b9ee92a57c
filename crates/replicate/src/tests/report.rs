//! Summaries, state and events.

use std::time::Duration;

use bucketline_destination::Counts;
use bucketline_source::{Checkpoint, Position};

use super::fake::instant;
use crate::record::SliceState;
use crate::{Mode, Report};

fn report(
    (read, lost_values): (u64, u64),
    counts: Counts,
    requests: u64,
    elapsed: Duration,
) -> String {
    let report = Report {
        table: "Issues".to_owned(),
        mode: Mode::Incremental,
        why: String::new(),
        slices: Vec::new(),
        read,
        lost_values,
        counts,
        requests,
        elapsed,
        notes: Vec::new(),
    };
    report.to_string()
}

#[test]
fn the_summary_is_one_line() {
    let counts = Counts {
        inserted: 37,
        updated: 5,
        unchanged: 1_162,
        deleted: 0,
    };
    assert_eq!(
        report((1_204, 0), counts, 13, Duration::from_millis(1_812)),
        "Issues: 1,204 read, 37 inserted, 5 updated, 13 requests, 1.8 s"
    );
    let counts = Counts {
        inserted: 1_000_000,
        deleted: 3,
        ..Counts::default()
    };
    assert_eq!(
        report((1_000_000, 1_204), counts, 1, Duration::from_secs(125)),
        "Issues: 1,000,000 read, 1,000,000 inserted, 0 updated, 3 deleted, 1,204 values lost, 1 request, 2 min 5 s"
    );
}

#[test]
fn a_slice_s_state_is_short_and_comes_back() {
    let id = "{0a1b2c3d-0000-4000-8000-123456789abc}";
    let mut state = SliceState {
        arm: 0,
        checkpoint: Checkpoint {
            mark: Some(instant(5)),
            ..Checkpoint::default()
        },
        parents: vec![
            Some("acme".to_owned()),
            Some("=api".to_owned()),
            Some(id.to_owned()),
            None,
        ],
        proof: Some("2026-11-22T10:00:00.123456+00:00".to_owned()),
        walk_proof: None,
    };
    let json = state.to_json(id);
    assert!(json.to_string().len() <= 140, "{json}");
    assert_eq!(SliceState::read(id, &json).unwrap(), state);
    assert_eq!(state.label(id), "acme/=api");

    state.checkpoint.walk = Some(Position {
        started: instant(1),
        passed: None,
        highest: Some(instant(2)),
        found: true,
        part: 0,
        after: Some(instant(2)),
        seen: vec![1, 2],
        draining: false,
        nulls: false,
    });
    state.walk_proof = Some("x".to_owned());
    assert_eq!(SliceState::read(id, &state.to_json(id)).unwrap(), state);
}

//! What happens as JSON, an object a line, for programs. The guide documents it.

use bucketline::sql::Span;
use bucketline::{Code, Error, Event, Failure, Outcome, SliceReport};
use serde_json::{Map, Value, json};

use crate::diagnostic;
use crate::script::Script;

/// An event; none for what belongs to results.
pub(super) fn event(event: &Event, script: &Script) -> Option<Value> {
    Some(match event {
        Event::Started {
            number,
            total,
            text,
            span,
        } => placed(
            json!({"event": "started", "number": number, "total": total, "statement": text}),
            script,
            Some(*span),
        ),
        Event::Message(text) => json!({"event": "message", "text": text}),
        Event::Note(text) => json!({"event": "note", "text": text}),
        Event::Waiting { reason, duration } => {
            json!({"event": "waiting", "reason": reason, "seconds": duration.as_secs_f64()})
        }
        Event::Replicating {
            table,
            mode,
            why,
            slices,
        } => json!({
            "event": "replicating",
            "table": table,
            "mode": mode.to_string(),
            "why": why,
            "slices": slices,
        }),
        Event::SliceProgress { slice, read } => {
            json!({"event": "progress", "slice": slice, "read": read})
        }
        Event::SliceEnded(report) => slice(report),
        Event::Replicated(report) => json!({
            "event": "replicated",
            "table": report.table,
            "mode": report.mode.to_string(),
            "read": report.read,
            "inserted": report.counts.inserted,
            "updated": report.counts.updated,
            "unchanged": report.counts.unchanged,
            "deleted": report.counts.deleted,
            "lost_values": report.lost_values,
            "failed_slices": report.failed().count(),
            "requests": report.requests,
            "seconds": report.elapsed.as_secs_f64(),
        }),
        Event::Ended {
            rows,
            lost_values,
            requests,
            elapsed,
        } => json!({
            "event": "ended",
            "rows": rows,
            "lost_values": lost_values,
            "requests": requests,
            "seconds": elapsed.as_secs_f64(),
        }),
        Event::Stopped { remaining } => json!({"event": "stopped", "remaining": remaining}),
        _ => return None,
    })
}

/// An error, with its place in the script where there is one.
pub(super) fn failed(code: Code, message: &str, hint: Option<&str>) -> Value {
    let hint = diagnostic::hint(code, hint);
    json!({"event": "failed", "code": code.as_str(), "message": message, "hint": hint})
}

/// The error of a statement.
pub(super) fn failed_statement(error: &Error, script: &Script) -> Value {
    let object = failed(error.code(), &error.to_string(), error.hint());
    placed(object, script, error.span())
}

fn slice(report: &SliceReport) -> Value {
    let mut object = json!({
        "event": "slice",
        "slice": report.slice,
        "read": report.read,
        "inserted": report.counts.inserted,
        "updated": report.counts.updated,
        "unchanged": report.counts.unchanged,
        "deleted": report.counts.deleted,
        "requests": report.requests,
        "seconds": report.elapsed.as_secs_f64(),
    });
    let (outcome, more) = match &report.outcome {
        Outcome::Done => ("done", json!({})),
        Outcome::Unchanged => ("unchanged", json!({})),
        Outcome::NotApplicable(why) => ("not_applicable", json!({"message": why})),
        Outcome::Failed(Failure {
            code,
            message,
            hint,
            ..
        }) => (
            "failed",
            json!({"code": code.as_str(), "message": message, "hint": diagnostic::hint(*code, hint.as_deref())}),
        ),
        Outcome::Vanished => ("vanished", json!({})),
        Outcome::Dropped => ("dropped", json!({})),
        Outcome::Left => ("left", json!({})),
    };
    add(&mut object, json!({"outcome": outcome}));
    add(&mut object, more);
    object
}

fn placed(mut object: Value, script: &Script, span: Option<Span>) -> Value {
    if let Some(span) = span {
        add(
            &mut object,
            json!({"script": script.name, "line": span.start.line, "column": span.start.column}),
        );
    }
    object
}

fn add(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        let more: Map<String, Value> = more;
        object.extend(more);
    }
}

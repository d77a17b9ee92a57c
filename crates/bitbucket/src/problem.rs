//! Bitbucket's error answers.

use bucketline_core::json::readable;
use bucketline_rest::{HeaderMap, Problem};
use serde_json::Value;

/// Reads an error answer of Bitbucket Cloud: `{"type": "error", "error": {..}}`, the same without
/// the envelope, plain text or HTML.
pub fn read_problem(status: u16, headers: &HeaderMap, body: &[u8]) -> Problem {
    let Ok(Value::Object(root)) = serde_json::from_str::<Value>(&readable(body).text) else {
        return settled(Problem::from_text(status, headers, body), status);
    };
    let error = match root.get("error") {
        Some(Value::Object(error)) => error,
        _ => &root,
    };
    let Some(message) = error.get("message").and_then(Value::as_str) else {
        let text = match root.get("error") {
            // OAuth's shape: {"error": "invalid_grant", "error_description": ".."}.
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        let detail = root
            .get("error_description")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let problem = Problem {
            message: text,
            detail,
            ..Problem::default()
        };
        return settled(problem, status);
    };
    let detail = error.get("detail");
    let scopes = |name: &str| {
        let listed = detail
            .and_then(|detail| detail.get(name))
            .and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        listed.map(str::to_owned).collect::<Vec<_>>()
    };
    let data = || [error.get("data"), root.get("data")].into_iter().flatten();
    let missing = data().find_map(|data| data.get("shas").and_then(Value::as_array));
    let missing = missing.into_iter().flatten().filter_map(Value::as_str);
    let announcement = data().find_map(|data| data.get("announcement_url").and_then(Value::as_str));
    let problem = Problem {
        message: message.to_owned(),
        detail: detailed(detail, error.get("fields")),
        required_scopes: scopes("required"),
        granted_scopes: scopes("granted"),
        announcement: announcement.map(str::to_owned),
        missing: missing.map(str::to_owned).collect(),
        ..Problem::default()
    };
    settled(problem, status)
}

/// What an error says beside its message: its detail, then what is wrong with which field. Lists of scopes are
/// read by themselves.
fn detailed(detail: Option<&Value>, fields: Option<&Value>) -> Option<String> {
    let mut parts = Vec::new();
    match detail {
        Some(Value::String(text)) if !text.is_empty() => {
            parts.push(text.trim_end_matches('.').to_owned());
        }
        Some(Value::Object(members)) => {
            let others = members
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "required" | "granted"));
            parts.extend(others.map(|(name, value)| format!("{name}: {}", plain(value))));
        }
        _ => {}
    }
    if let Some(Value::Object(fields)) = fields {
        parts.extend(
            fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", plain(value))),
        );
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// A value as people read it: texts without quotes, a list's entries by commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) => entries.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Adds what follows from the message's text.
fn settled(mut problem: Problem, status: u16) -> Problem {
    problem.change = change(&problem.message);
    // A 403 with the rate limit's message has been seen, too.
    problem.rate_limited = status == 429
        || (status == 403
            && problem
                .message
                .to_ascii_lowercase()
                .starts_with("rate limit"));
    problem
}

/// `CHANGE-3071` at the start of a message.
fn change(message: &str) -> Option<String> {
    let number = message.strip_prefix("CHANGE-")?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| message[.."CHANGE-".len() + digits].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Problem {
        read_problem(status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn both_shapes_of_a_removal() {
        let url = "https://developer.atlassian.com/cloud/bitbucket/changelog#CHANGE-2770";
        let data = format!(r#""data":{{"announcement_url":"{url}"}}"#);
        let inner = format!(
            r#""message":"CHANGE-2770 - Functionality has been deprecated","detail":"Please read the changelog entry for more details.",{data}"#
        );
        for body in [
            format!(r#"{{"type":"error","error":{{{inner}}},{data}}}"#),
            format!("{{{inner}}}"),
        ] {
            let problem = read(410, &body);
            assert_eq!(problem.change.as_deref(), Some("CHANGE-2770"), "{body}");
            assert_eq!(problem.announcement.as_deref(), Some(url));
            assert!(
                problem
                    .detail
                    .is_some_and(|detail| detail.starts_with("Please"))
            );
            assert!(!problem.rate_limited);
        }
    }

    #[test]
    fn missing_scopes() {
        let problem = read(
            403,
            r#"{"type":"error","error":{"message":"Your credentials lack one or more required privilege scopes.","detail":{"granted":["account"],"required":["account","repository"]}}}"#,
        );
        assert_eq!(problem.missing_scopes().collect::<Vec<_>>(), ["repository"]);
        assert_eq!(problem.detail, None);
    }

    #[test]
    fn what_a_rejection_says_of_fields_is_kept() {
        let cases = [
            (
                r#"{"type":"error","error":{"message":"Bad request","fields":{"q":["Invalid filter","near >"],"sort":"unknown"},"detail":"See the documentation."}}"#,
                Some("See the documentation; q: Invalid filter, near >; sort: unknown"),
            ),
            (
                r#"{"error":{"message":"m","detail":{"reason":"too long","limit":100}}}"#,
                Some("reason: too long; limit: 100"),
            ),
            (r#"{"error":{"message":"m","detail":"","fields":{}}}"#, None),
            (
                r#"{"error":{"message":"m","detail":null,"fields":[1]}}"#,
                None,
            ),
        ];
        for (body, detail) in cases {
            assert_eq!(read(400, body).detail.as_deref(), detail, "{body}");
        }
    }

    #[test]
    fn what_is_missing_is_named_inside_or_outside_of_the_error() {
        for body in [
            r#"{"type":"error","error":{"message":"Commit not found","data":{"shas":["a1"]}}}"#,
            r#"{"type":"error","error":{"message":"Commit not found"},"data":{"shas":["a1"]}}"#,
        ] {
            assert_eq!(read(404, body).missing, ["a1"]);
        }
    }

    #[test]
    fn other_bodies() {
        let cases = [
            (404, "Not Found", "Not Found", false),
            (
                500,
                "<html><body>Something went wrong</body></html>",
                "",
                false,
            ),
            (
                429,
                "Rate limit for this resource has been exceeded",
                "Rate limit for this resource has been exceeded",
                true,
            ),
            (
                403,
                r#"{"error":{"message":"Rate limit for this resource has been exceeded"}}"#,
                "Rate limit for this resource has been exceeded",
                true,
            ),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"no"}"#,
                "invalid_grant",
                false,
            ),
            (
                410,
                r#"{"error":{"message":"CHANGE-soon"}}"#,
                "CHANGE-soon",
                false,
            ),
            (502, "", "", false),
            (400, "[1]", "[1]", false),
        ];
        for (status, body, message, rate_limited) in cases {
            let problem = read(status, body);
            assert_eq!(
                (problem.message.as_str(), problem.rate_limited),
                (message, rate_limited)
            );
            assert_eq!(problem.change, None, "{body}");
        }
    }
}

#![allow(clippy::unwrap_used)]

use bucketline_source::Scope;

use super::*;
use crate::tables::tables;
use bucketline_source::Operator;

fn settings() -> Settings {
    Settings {
        paths: vec!["exports".into(), "web-issues.zip".into()],
        ..Settings::default()
    }
}

fn request(predicates: &[(&str, Operator, &[&str])]) -> ScanRequest {
    let table = tables()[0].clone();
    let predicates = predicates
        .iter()
        .map(|(column, operator, values)| Predicate {
            column: table.column(column).unwrap(),
            operator: *operator,
            values: values
                .iter()
                .map(|value| Literal::Text((*value).to_owned()))
                .collect(),
        });
    ScanRequest {
        columns: vec![table.column("Id").unwrap()],
        predicates: predicates.collect(),
        scope: Scope {
            kind: ScopeKind::Whole,
            name: "Information".to_owned(),
            uuid: None,
        },
        order: None,
        limit: Some(5),
        page_size: None,
        table,
    }
}

#[test]
fn explain_says_which_files_are_read_and_that_nothing_is_requested() {
    let request = request(&[
        ("Repository", Operator::Eq, &["api"]),
        ("State", Operator::Eq, &["open"]),
    ]);
    let plan = plan(request, &settings()).unwrap();
    assert_eq!(
        plan.explain(None),
        [
            "1. rows: READ exports, web-issues.zip: the list `issues` of db-2.0.json or db-1.0.json",
            "filtered here: Repository = 'api' AND State = 'open'",
            "slices: unknown until the repositories are listed",
            "page size: 1000",
            "requests: 0",
        ]
    );
    assert!(!plan.limited);
}

#[test]
fn a_limit_goes_down_unless_rows_are_filtered_above() {
    let by_archive = request(&[("Repository", Operator::In, &["api", "web"])]);
    let planned = plan(by_archive, &settings()).unwrap();
    assert!(planned.limited);
    assert_eq!(planned.page_size, 5);
    let by_row = request(&[("Title", Operator::Eq, &["a"])]);
    assert!(!plan(by_row, &settings()).unwrap().limited);
}

#[test]
fn conditions_on_the_parent_choose_archives_as_sql_compares() {
    use Operator::{Contains, Eq, Gt, In, IsNotNull, IsNull, Lt, NotEq, NotIn};
    let cases: [(&str, Operator, &[&str], bool); 13] = [
        ("Repository", Eq, &["api"], true),
        ("Repository", Eq, &["API"], false),
        ("Repository", NotEq, &["api"], false),
        ("Repository", In, &["web", "api"], true),
        ("Repository", In, &[], false),
        ("Repository", NotIn, &["web"], true),
        ("Repository", Lt, &["b"], true),
        ("Repository", Gt, &["b"], false),
        ("Repository", Contains, &["p"], true),
        ("RepositoryUUID", Eq, &["{1}"], true),
        ("RepositoryUUID", IsNull, &[], false),
        ("Workspace", IsNull, &[], true),
        ("Workspace", IsNotNull, &[], false),
    ];
    let archive = Archive {
        path: "api-issues.zip".into(),
        repository: "api".to_owned(),
        uuid: "{1}".to_owned(),
        proof: None,
    };
    for (column, operator, values, expected) in cases {
        let plan = plan(request(&[(column, operator, values)]), &settings()).unwrap();
        let parents = parents(&plan.request.table, None, &archive);
        assert_eq!(
            plan.admits(&parents),
            expected,
            "{column} {operator} {values:?}"
        );
    }
}

#[test]
fn a_column_that_is_not_there_is_refused() {
    let mut request = request(&[]);
    request.columns.push(99);
    let error = plan(request, &settings()).unwrap_err();
    assert_eq!(error.code(), "BL9015");
}

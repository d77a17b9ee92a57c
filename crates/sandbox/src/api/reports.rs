//! Reports on commits and their annotations.

use super::Call;
use super::listing::List;
use super::parents::OfCommit;
use super::resource::{Access, Family, Parent, Resource, Shape, Whereabouts, written};
use crate::http::reply::Reply;
use crate::http::sign_in::{REPOSITORY, Scope};
use crate::json::write::Object;
use crate::kind::Kind;
use crate::world::World;
use crate::world::entries::{Entry, Level, child_seed};
use crate::world::text;

/// Reports on commits.
pub(super) struct PerCommit;

impl Family for PerCommit {
    type Parent<'a> = OfCommit<'a>;

    const PREFIX: &'static [&'static str] = &["repositories", "*", "*", "commit", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::CommitReports,
        path: &["reports"],
        scope: REPOSITORY,
        access: Access::Everybody,
        shape: Shape::keyed("uuid", List::PLAIN),
        rows: |asked| {
            let entries = asked.parent.entries(Kind::CommitReports);
            written(&asked.parent, entries, write_report)
        },
    }];
}

/// A report.
#[derive(Clone)]
pub(super) struct OfReport<'a> {
    on: OfCommit<'a>,
    report: Entry,
}

impl<'a> Parent<'a> for OfReport<'a> {
    fn find(call: &Call<'a>, names: &[&str], scope: Scope) -> Result<Self, Reply> {
        let on = OfCommit::find(call, names, scope)?;
        let mut reports = on.entries(Kind::CommitReports).into_iter();
        match reports.find(|report| report.uuid() == names[3]) {
            Some(report) => Ok(Self { on, report }),
            None => Err(Reply::text(404, "Not Found")),
        }
    }

    fn each(world: &'a World, workspace: usize, visit: &mut dyn FnMut(Self)) {
        OfCommit::each(world, workspace, &mut |on| {
            for report in on.entries(Kind::CommitReports) {
                visit(Self {
                    on: on.clone(),
                    report,
                });
            }
        });
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        self.on.within.child(self.report.uuid())
    }
}

/// Annotations of reports.
pub(super) struct Annotations;

impl Family for Annotations {
    type Parent<'a> = OfReport<'a>;

    const PREFIX: &'static [&'static str] =
        &["repositories", "*", "*", "commit", "*", "reports", "*"];
    const RESOURCES: &'static [Resource<Self>] = &[Resource {
        kind: Kind::ReportAnnotations,
        path: &["annotations"],
        scope: REPOSITORY,
        access: Access::Everybody,
        shape: Shape::keyed("uuid", List::PLAIN),
        rows: |asked| {
            let OfReport { on, report } = &asked.parent;
            let seed = child_seed(on.seed(), Level::Report, report.number.into());
            let entries = on.within.world.entries(Kind::ReportAnnotations, seed);
            written(&asked.parent, entries, write_annotation)
        },
    }];
}

fn write_report(parent: &OfCommit<'_>, entry: &Entry, out: &mut String) {
    let mut random = entry.random();
    let (created_on, updated_on) = parent.times(entry);
    let mut object = Object::begin(out);
    object
        .text("type", "report")
        .text("uuid", entry.uuid().as_str())
        .text("title", format!("Report {}", entry.number).as_str())
        .text("details", text::title(&mut random).as_str())
        .text("external_id", format!("report-{}", entry.number).as_str())
        .text("reporter", "builds.example")
        .text("link", "https://builds.example/reports")
        .boolean("remote_link_enabled", false)
        .text("logo_url", "https://builds.example/logo.png")
        .text(
            "report_type",
            random.pick(&["SECURITY", "COVERAGE", "TEST", "BUG"]),
        )
        .text("result", random.pick(&["PASSED", "FAILED", "PENDING"]))
        .time("created_on", created_on)
        .time("updated_on", updated_on);
    let covered = random.below(101);
    object.array("data", [("Coverage", covered)], |(title, value), out| {
        let mut data = Object::begin(out);
        data.text("type", "PERCENTAGE")
            .text("title", title)
            .number("value", value);
        data.end();
    });
    object.end();
}

fn write_annotation(parent: &OfReport<'_>, entry: &Entry, out: &mut String) {
    let mut random = entry.random();
    let (created_on, updated_on) = parent.on.times(entry);
    let mut object = Object::begin(out);
    object
        .text("type", "report_annotation")
        .text("uuid", entry.uuid().as_str())
        .text(
            "external_id",
            format!("annotation-{}", entry.number).as_str(),
        )
        .text(
            "annotation_type",
            random.pick(&["VULNERABILITY", "CODE_SMELL", "BUG"]),
        )
        .text("path", super::source::path_of(random.next()))
        .number("line", 1 + random.below(300))
        .text("summary", text::title(&mut random).as_str())
        .text("details", text::paragraph(&mut random).as_str())
        .text(
            "result",
            random.pick(&["PASSED", "FAILED", "SKIPPED", "IGNORED"]),
        )
        .text(
            "severity",
            random.pick(&["CRITICAL", "HIGH", "MEDIUM", "LOW"]),
        )
        .text("link", "https://builds.example/annotations")
        .time("created_on", created_on)
        .time("updated_on", updated_on);
    object.end();
}

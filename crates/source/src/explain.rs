//! A scan plan in words, the same for SELECT and REPLICATE.

use std::fmt::Write;

use crate::{Estimate, Parameter, Pushdown, RequestCount, RequestShape, ScanPlan, SliceChoice};

impl ScanPlan {
    /// The plan as lines for a person: every request with its parameters, what the service filters, what is
    /// kept here, page size, slices and the number of requests. `known_slices` is what an earlier run has
    /// counted, where the plan itself cannot know.
    pub fn explain(&self, known_slices: Option<usize>) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, request) in self.requests.iter().enumerate() {
            lines.push(format!("{}. {}: {request}", number + 1, request.purpose));
            if !request.paging.is_empty() {
                lines.push(format!("   next page: {}", request.paging));
            }
        }
        let by = self.answers;
        for (pushdown, words) in [
            (Pushdown::Exact, format!("filtered by {by}")),
            (
                Pushdown::Narrowing,
                format!("narrowed by {by}, decided here"),
            ),
            (Pushdown::Kept, "filtered here".to_owned()),
        ] {
            let conditions = self.conditions(pushdown);
            if !conditions.is_empty() {
                lines.push(format!("{words}: {}", conditions.join(" AND ")));
            }
        }
        lines.push(format!("slices: {}", self.slices_in_words(known_slices)));
        lines.push(format!("page size: {}", self.page_size));
        lines.push(format!(
            "requests: {}",
            self.requests_in_words(known_slices)
        ));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }

    fn conditions(&self, pushdown: Pushdown) -> Vec<String> {
        self.predicates
            .iter()
            .filter(|planned| planned.pushdown == pushdown)
            .map(|planned| {
                let name = &self.request.table.columns[planned.predicate.column].name;
                planned.predicate.display(name).to_string()
            })
            .collect()
    }

    fn slices_in_words(&self, known: Option<usize>) -> String {
        match (&self.slices, known) {
            (SliceChoice::One, _) => "1".to_owned(),
            (SliceChoice::Named(names), _) => format!("{} ({})", names.len(), names.join(", ")),
            (SliceChoice::Listed, Some(known)) => {
                format!("{known} in the last run; the listing may show more")
            }
            (SliceChoice::Listed, None) => "unknown until the repositories are listed".to_owned(),
        }
    }

    /// The number of requests, where an earlier run has counted `known_slices`.
    pub fn forecast(&self, known_slices: Option<usize>) -> RequestCount {
        match (self.estimate, known_slices) {
            (Estimate::Exactly(count), _) => RequestCount::Exactly(count),
            (Estimate::AtLeast(count), _) => RequestCount::AtLeast(count),
            (Estimate::EachSlice(each), known) => {
                RequestCount::AtLeast(1 + each * known.unwrap_or(0) as u64)
            }
        }
    }

    fn requests_in_words(&self, known: Option<usize>) -> String {
        let count = self.forecast(known);
        match (self.estimate, known) {
            (Estimate::EachSlice(each), Some(_)) => {
                format!("{count}: the listing, and {} per slice", in_words(each))
            }
            (Estimate::EachSlice(each), None) => {
                format!("{count}, and {} per slice", in_words(each))
            }
            _ => count.to_string(),
        }
    }
}

fn in_words(count: u64) -> String {
    match count {
        1 => "one".to_owned(),
        more => more.to_string(),
    }
}

impl std::fmt::Display for RequestShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (index, Parameter { name, value }) in self.parameters.iter().enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            write!(f, "{name}={value}")?;
        }
        Ok(())
    }
}

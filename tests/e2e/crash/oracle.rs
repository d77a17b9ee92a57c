//! What must hold of a copy behind each kill, and behind each run that ended well.

use std::collections::BTreeMap;

use super::copy::{Copied, Held, Version};
use super::source::{Known, table};
use crate::truth::{self, Row, Rows};

/// How the statements of a run change a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Page by page, each with the position that it stands for.
    Pages,
    /// As a whole, in one transaction.
    Whole,
}

/// What a run may have done to a copy.
pub(crate) struct Judge<'j> {
    pub(crate) tables: &'j [Copied],
    pub(crate) course: Course,
    pub(crate) before: &'j Held,
    pub(crate) after: &'j Held,
    pub(crate) known: &'j BTreeMap<&'static str, Known>,
}

impl Judge<'_> {
    /// What is wrong behind a run, however it ended.
    pub(crate) fn behind_a_kill(&self) -> Result<(), String> {
        for copied in self.tables {
            let known = &self.known[copied.of];
            let (before, after) = (&self.before.rows, &self.after.rows);
            let (before, after) = (before.get(copied.name), after.get(copied.name));
            let Some(after) = after else {
                if before.is_some() {
                    return Err(format!("the table {} is gone", copied.name));
                }
                continue;
            };
            let empty = Rows::new();
            let before = before.unwrap_or(&empty);
            origin(copied, before, after, known)?;
            if self.course == Course::Whole {
                whole(copied, before, after, known)?;
            }
        }
        for (name, versions) in &self.after.versions {
            let copied = self.tables.iter().find(|copied| copied.name == *name);
            let known = &self.known[copied.ok_or("a table of nobody")?.of];
            let before = self
                .before
                .versions
                .get(name)
                .map_or(&[][..], Vec::as_slice);
            history(name, before, versions, known)?;
        }
        Ok(())
    }

    /// What differs from the source behind a run that says that all is well.
    pub(crate) fn behind_success(&self, loaded: &[Copied]) -> Result<(), String> {
        for copied in loaded {
            let spec = table(copied.of);
            let Some(rows) = self.after.rows.get(copied.name) else {
                return Err(format!("the table {} is not there", copied.name));
            };
            let differences = truth::differences(spec, rows, &self.known[copied.of].now);
            if !differences.is_empty() {
                let lines = differences.iter().take(5).map(|one| one.of(spec));
                let lines: Vec<_> = lines.collect();
                return Err(format!("not as the source: {}", lines.join("; ")));
            }
        }
        Ok(())
    }
}

/// Each row comes from before, or from the source; none is lost that the source has.
fn origin(copied: &Copied, before: &Rows, after: &Rows, known: &Known) -> Result<(), String> {
    for (key, row) in after {
        if before.get(key) != Some(row) && !known.has_held(key, row) {
            let spec = table(copied.of);
            let one = |row: &Row| Rows::from([(key.clone(), row.clone())]);
            let others = [before.get(key), known.now.get(key)];
            let differences = others.map(|other| {
                let truth = other.map_or_else(Rows::new, one);
                let differences = truth::differences(spec, &one(row), &truth);
                differences
                    .iter()
                    .map(|one| one.of(spec))
                    .collect::<Vec<_>>()
            });
            return Err(format!(
                "{} has a row that the source never had, {key}: as before {:?}; as now {:?}",
                copied.name, differences[0], differences[1]
            ));
        }
    }
    let lost = before
        .keys()
        .find(|key| !after.contains_key(*key) && known.has_always(key));
    match lost {
        Some(key) => Err(format!("{} has lost {key}", copied.name)),
        None => Ok(()),
    }
}

/// All is as before, or all is new.
fn whole(copied: &Copied, before: &Rows, after: &Rows, known: &Known) -> Result<(), String> {
    if after == before {
        return Ok(());
    }
    let differences = truth::differences(table(copied.of), after, &known.now);
    match differences.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "{} is replaced in part: {} differences, such as {}",
            copied.name,
            differences.len(),
            first.of(table(copied.of))
        )),
    }
}

/// Versions follow one another, the last of a row alone is active, and none is lost or changed but by its end.
fn history(name: &str, before: &[Version], after: &[Version], known: &Known) -> Result<(), String> {
    for version in after {
        let Version {
            key, start, end, ..
        } = version;
        if version.is_active != end.is_none() {
            return Err(format!(
                "{name} {key} since {start} is half ended: {version:?}"
            ));
        }
        if end.as_ref().is_some_and(|end| end < start) {
            return Err(format!("{name} {key} ends before it begins: {version:?}"));
        }
    }
    for pair in after.windows(2) {
        let [one, next] = pair else { continue };
        if one.key != next.key {
            continue;
        }
        match &one.end {
            None => return Err(format!("{name} {} has two ends: {pair:?}", one.key)),
            Some(end) if *end > next.start => {
                return Err(format!("{name} {}: versions overlap: {pair:?}", one.key));
            }
            // Only a row that was away has a gap.
            Some(end) if *end < next.start && known.has_always(&one.key) => {
                return Err(format!("{name} {}: a gap: {pair:?}", one.key));
            }
            Some(_) => {}
        }
    }
    let find = |version: &Version| {
        let same = |other: &&Version| (&other.key, &other.start) == (&version.key, &version.start);
        after.iter().find(same)
    };
    for version in before {
        let Some(now) = find(version) else {
            return Err(format!("{name} has lost a version: {version:?}"));
        };
        let kept = version.is_active
            || (now.end == version.end && known.nameless(&now.row) == known.nameless(&version.row));
        if !kept {
            return Err(format!(
                "{name}: an ended version changed: {version:?}, {now:?}"
            ));
        }
    }
    Ok(())
}

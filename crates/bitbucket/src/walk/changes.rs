//! The walk of an incremental table: in ascending cursor order, by value instead of by page.

use std::collections::HashSet;
use std::time::Duration;

use bucketline_source::{Checkpoint, Position};
use chrono::{DateTime, Utc};

use super::moment::NEVER;
use super::{Fault, Keep, Moment};

/// What a walk goes by; fixed while it lasts.
#[derive(Debug, Clone)]
pub(crate) struct WalkRules {
    /// Read again before the mark when a new walk starts.
    pub(crate) look_back: Duration,
    /// Rows may lack a cursor value; they are walked by id after the others.
    pub(crate) nullable: bool,
    /// The parts a split walk goes through, as ascending indices of the
    /// parameter's values; at least one.
    pub(crate) parts: Vec<usize>,
}

/// What to ask for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Which rows.
    pub(crate) rows: Rows,
    /// The value of the split parameter; `None` asks for all.
    pub(crate) part: Option<usize>,
}

/// Which rows a page is asked from, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// All with a cursor value, by cursor.
    All,
    /// `cursor >= value`, by cursor.
    From(DateTime<Utc>),
    /// `cursor > value`, by cursor.
    Above(DateTime<Utc>),
    /// `cursor = value` and `id > after`, by id.
    At(DateTime<Utc>, Option<i64>),
    /// Without a cursor value and `id > after`, by id.
    Nulls(Option<i64>),
}

/// What an answer held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// The rows' cursor values, in the page's order.
    pub(crate) cursors: &'a [Option<DateTime<Utc>>],
    /// The rows' ids.
    pub(crate) ids: &'a [i64],
    /// The page has a successor.
    pub(crate) more: bool,
    /// When it was given.
    pub(crate) moment: Moment,
}

/// A walk through what changed in one slice (design, section 5, "Cursor").
#[derive(Debug, Clone)]
pub(crate) struct ChangeWalk {
    rules: WalkRules,
    mark: Option<DateTime<Utc>>,
    split: bool,
    /// The marks of a split walk's parts.
    marks: Vec<Option<DateTime<Utc>>>,
    /// `None` until the first answer says when the walk began.
    position: Option<Position>,
    /// Ids given out at the value being drained; only to drop doubles, so not remembered.
    given: HashSet<i64>,
    ended: bool,
}

impl ChangeWalk {
    /// The walk that goes on from a checkpoint.
    pub(crate) fn new(rules: WalkRules, checkpoint: Checkpoint) -> Self {
        let Checkpoint {
            mark,
            walk,
            split,
            parts,
            ..
        } = checkpoint;
        Self {
            rules,
            mark,
            split,
            marks: parts,
            position: walk,
            given: HashSet::new(),
            ended: false,
        }
    }

    /// What to ask for; `None` once the walk has ended.
    pub(crate) fn ask(&self) -> Option<Ask> {
        if self.ended {
            return None;
        }
        let part = self.split.then(|| self.part());
        let rows = match &self.position {
            None => self.start(),
            Some(position) => match (position.nulls, position.after) {
                (true, _) => Rows::Nulls(position.seen.last().copied()),
                (false, None) => self.start(),
                (false, Some(value)) if position.draining => {
                    Rows::At(value, position.seen.last().copied())
                }
                (false, Some(value)) if position.seen.is_empty() => Rows::Above(value),
                (false, Some(value)) => Rows::From(value),
            },
        };
        Some(Ask { rows, part })
    }

    /// Where a part begins: at the mark less the look-back, or at the beginning.
    fn start(&self) -> Rows {
        match self.bound() {
            Some(bound) => Rows::From(bound),
            None => Rows::All,
        }
    }

    fn bound(&self) -> Option<DateTime<Utc>> {
        let mark = self.part_mark()?;
        Some(
            mark.checked_sub_signed(chrono::Duration::from_std(self.rules.look_back).ok()?)
                .unwrap_or(mark),
        )
    }

    /// Where the last walk of the part being walked ended: of the slice, if it is not split.
    fn part_mark(&self) -> Option<DateTime<Utc>> {
        let own = self.marks.get(self.part()).filter(|_| self.split);
        own.copied().unwrap_or(self.mark)
    }

    /// The part being walked.
    fn part(&self) -> usize {
        self.position
            .as_ref()
            .map_or(self.rules.parts[0], |position| position.part)
    }

    /// Whether the service's failure to sort may be met by splitting the walk.
    pub(crate) fn can_split(&self) -> bool {
        !self.split && self.rules.parts.len() > 1
    }

    /// Goes on part by part. What was read stays read; each part starts anew.
    pub(crate) fn split(&mut self) {
        self.split = true;
        self.given.clear();
        if let Some(position) = &mut self.position {
            enter(position, self.rules.parts[0]);
        }
    }

    /// Takes in the answer to [`ChangeWalk::ask`]: which of its rows are new. Afterwards
    /// [`ChangeWalk::checkpoint`] is the position to commit with them.
    pub(crate) fn accept(&mut self, page: Seen<'_>) -> Result<Keep, Fault> {
        let Some(asked) = self.ask() else {
            return Ok(Keep(vec![false; page.ids.len()]));
        };
        if page.ids.is_empty() && page.more {
            return Err(Fault::EmptyPage);
        }
        let begun = self.begin(page.moment);
        let position = self.position.get_or_insert(begun);
        position.found |= !page.ids.is_empty();
        // A page was empty although the one before promised more rows. Rows without a value are read by each
        // walk, so that nothing is lost there.
        let broke_off = page.ids.is_empty() && position.after.is_some() && !position.nulls;
        let (keep, part_ended) = match asked.rows {
            Rows::Nulls(after) => {
                if page.cursors.iter().any(Option::is_some) {
                    return Err(Fault::Disorder);
                }
                let keep = by_id(position, after, page.ids)?;
                (keep, !page.more)
            }
            Rows::At(value, after) => {
                if page.cursors.iter().any(|cursor| *cursor != Some(value)) {
                    return Err(Fault::Disorder);
                }
                let mut keep = by_id(position, after, page.ids)?;
                for (kept, id) in keep.0.iter_mut().zip(page.ids) {
                    *kept &= !self.given.contains(id);
                }
                if broke_off {
                    // The page that began the draining showed rows: they are read by the next walk.
                    position.draining = false;
                } else if !page.more {
                    // All rows at this value were read: on above it.
                    position.draining = false;
                    position.seen.clear();
                    self.given.clear();
                }
                (keep, broke_off)
            }
            Rows::All | Rows::From(_) | Rows::Above(_) => {
                by_cursor(position, &mut self.given, asked.rows, page)?
            }
        };
        if part_ended {
            self.end_part();
        }
        Ok(keep)
    }

    /// Goes on with the rows without a value, with the next part, or ends.
    fn end_part(&mut self) {
        let Some(position) = &mut self.position else {
            return;
        };
        self.given.clear();
        if self.rules.nullable && !position.nulls {
            position.nulls = true;
            position.draining = false;
            position.seen.clear();
            return;
        }
        // Never beyond a change that was seen: should a clock be wrong, the changes up to what it says would be missed.
        let reached = position
            .highest
            .map(|highest| highest.min(position.started));
        // A row that was deleted meanwhile does not move the mark back; a part that showed nothing keeps its
        // own, for an empty answer may be a fault.
        let mark = self.part_mark().max(reached);
        if self.split {
            let length = self.marks.len().max(self.part() + 1);
            self.marks.resize(length, self.mark);
            let part = self.part();
            self.marks[part] = mark;
            let next = self.rules.parts.iter().find(|next| **next > part).copied();
            if let (Some(next), Some(position)) = (next, &mut self.position) {
                enter(position, next);
                return;
            }
        }
        self.end(mark);
    }

    /// Ends the walk; `mark` is that of its last part.
    fn end(&mut self, mark: Option<DateTime<Utc>>) {
        let found = self.position.take().is_some_and(|position| position.found);
        let parts = &self.rules.parts;
        let walked = parts.iter().filter_map(|part| self.marks.get(*part));
        let highest = walked.copied().chain([mark]).max().flatten();
        // Rows without a value alone: the first load is done, and what has one is still to come.
        let least = found.then_some(DateTime::UNIX_EPOCH);
        self.mark = self.mark.max(highest).or(least);
        // A part that the conditions left out held no row of the copy when the walk began.
        for (part, own) in self.marks.iter_mut().enumerate() {
            if !parts.contains(&part) {
                *own = own.or(self.mark);
            }
        }
        self.ended = true;
    }

    /// Where the walk stands.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            mark: self.mark,
            walk: self.position.clone(),
            split: self.split,
            parts: self.marks.clone(),
            ..Checkpoint::default()
        }
    }

    /// Where the walk stands before an answer of this time is taken in. It has begun by then, so that what is
    /// remembered meanwhile keeps the moment of its start.
    pub(crate) fn opened(&self, moment: Moment) -> Checkpoint {
        let mut checkpoint = self.checkpoint();
        let begun = || self.begin(moment);
        checkpoint.walk.get_or_insert_with(begun);
        checkpoint
    }

    fn begin(&self, moment: Moment) -> Position {
        Position {
            started: moment.earliest,
            passed: None,
            highest: None,
            found: false,
            part: if self.split { self.rules.parts[0] } else { 0 },
            after: None,
            seen: Vec::new(),
            draining: false,
            nulls: false,
        }
    }
}

/// Enters a part at its beginning.
fn enter(position: &mut Position, part: usize) {
    position.part = part;
    position.highest = None;
    position.after = None;
    position.seen.clear();
    position.draining = false;
    position.nulls = false;
}

/// A page sorted by id.
fn by_id(position: &mut Position, after: Option<i64>, ids: &[i64]) -> Result<Keep, Fault> {
    let mut last = after;
    for id in ids {
        if last.is_some_and(|last| *id <= last) {
            return Err(Fault::Disorder);
        }
        last = Some(*id);
    }
    position.seen = last.into_iter().collect();
    Ok(Keep(vec![true; ids.len()]))
}

/// A page sorted by cursor; says also whether the part ends with it.
fn by_cursor(
    position: &mut Position,
    given: &mut HashSet<i64>,
    asked: Rows,
    page: Seen<'_>,
) -> Result<(Keep, bool), Fault> {
    let mut cursors = Vec::with_capacity(page.cursors.len());
    let mut last = match asked {
        Rows::From(bound) => Some(bound),
        Rows::Above(bound) => bound.checked_add_signed(chrono::Duration::microseconds(1)),
        _ => None,
    };
    for cursor in page.cursors {
        let cursor = cursor.ok_or(Fault::MissingValue)?;
        if last.is_some_and(|last| cursor < last) {
            return Err(Fault::Disorder);
        }
        last = Some(cursor);
        cursors.push(cursor);
    }
    let (Some(first), Some(last)) = (cursors.first().copied(), cursors.last().copied()) else {
        return Ok((Keep(Vec::new()), true));
    };
    position.highest = position.highest.max(Some(last));
    let Moment { latest, .. } = page.moment;
    // What is dated later than its own answer was not changed since the walk began, and the walk goes on with it.
    let too_late = position.passed.is_some_and(|passed| first > passed)
        && latest.is_some_and(|latest| first <= latest);
    if (last > position.started || latest.is_none()) && position.passed.is_none() {
        position.passed = Some(latest.unwrap_or(NEVER));
    }
    let ends = !page.more || too_late;
    let known: HashSet<i64> = position.seen.iter().copied().collect();
    let is_double =
        |cursor: DateTime<Utc>, id: i64| position.after == Some(cursor) && known.contains(&id);
    if !ends && first == last {
        // One value fills the page: its rows are read by id, from the lowest, this page's too.
        *given = if position.after == Some(last) {
            known
        } else {
            HashSet::new()
        };
        position.after = Some(last);
        position.seen.clear();
        position.draining = true;
        return Ok((Keep(vec![false; cursors.len()]), false));
    }
    let keep = cursors
        .iter()
        .zip(page.ids)
        .map(|(cursor, id)| !is_double(*cursor, *id))
        .collect();
    let at_last = cursors
        .iter()
        .zip(page.ids)
        .filter(|(cursor, _)| **cursor == last)
        .map(|(_, id)| *id);
    let mut seen: Vec<i64> = if position.after == Some(last) {
        position.seen.clone()
    } else {
        Vec::new()
    };
    for id in at_last {
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    position.after = Some(last);
    position.seen = seen;
    Ok((Keep(keep), ends))
}

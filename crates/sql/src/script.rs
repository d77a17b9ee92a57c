//! A script whose statements are read one at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::parameter::Binder;
use crate::parse::{Stretch, parse_each, parse_stretch};
use crate::{Error, Located, Parameters, Statement};

/// Statements that are kept as they were read, if they stand within the first bytes of the script; the first in any case.
/// A longer statement takes about as much memory as all of these.
const MOST_KEPT: usize = 64;
const LONGEST_KEPT: usize = 1 << 20;

/// A script that was read through once, to find its mistakes, and whose statements are read again one at a time: a long
/// script takes little more memory than its text.
#[derive(Debug, Clone)]
pub struct Script {
    /// The text of those statements that are read again.
    text: Arc<str>,
    /// Where that begins in the script.
    base: usize,
    statements: Vec<Stretch>,
    /// The first statements, which are read only once.
    kept: VecDeque<Option<Located>>,
    /// The parameters that it sets.
    set: Vec<String>,
}

impl Script {
    /// Reads a script through, with values in place of parameters and variables. Also gives the mistakes, in order; the
    /// script has the other statements.
    pub fn read(text: &str, parameters: &Parameters) -> (Self, Vec<Error>) {
        let mut script = Self {
            text: "".into(),
            base: 0,
            statements: Vec::new(),
            kept: VecDeque::new(),
            set: Vec::new(),
        };
        let mut mistakes = Vec::new();
        let mut binder = Binder::new(Some(parameters));
        parse_each(text, &mut binder, |read| match read {
            Ok((located, stretch)) => {
                if let Statement::SetParameter(set) = &located.statement {
                    script.set.push(set.name.text.clone());
                }
                let is_kept = script.statements.is_empty()
                    || script.statements.len() < MOST_KEPT && stretch.end <= LONGEST_KEPT;
                if is_kept {
                    script.kept.push_back((!stretch.awaits).then_some(located));
                }
                script.statements.push(stretch);
            }
            Err(mistake) => mistakes.push(mistake),
        });
        let is_read_again = |index: usize| !matches!(script.kept.get(index), Some(Some(_)));
        let mut again = (0..script.statements.len()).filter(|index| is_read_again(*index));
        if let (Some(first), Some(last)) = (again.next(), script.statements.last()) {
            script.base = script.statements[first].start.offset;
            script.text = text[script.base..last.end].into();
        }
        (script, mistakes)
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The statement of that index, whose parameters have these values now. Statements are asked for in their order. `None`
    /// if there is none.
    ///
    /// # Errors
    /// If it has a mistake that comes with its values.
    pub fn statement(
        &mut self,
        index: usize,
        parameters: &Parameters,
    ) -> Option<Result<Located, Error>> {
        if let Some(Some(kept)) = self.kept.pop_front() {
            return Some(Ok(kept));
        }
        let stretch = self.statements.get(index)?;
        let mut binder = Binder::resumed(parameters, stretch.passed);
        Some(parse_stretch(self.written(stretch), stretch, &mut binder))
    }

    fn written(&self, stretch: &Stretch) -> &str {
        let places = stretch
            .start
            .offset
            .checked_sub(self.base)
            .zip(stretch.end.checked_sub(self.base));
        let found = places.and_then(|(start, end)| self.text.get(start..end));
        found.unwrap_or_default()
    }

    /// The same with numbers in place of the parameters that the script sets, for a statement that is not run. It is there
    /// where [`Self::statement`] has a mistake.
    ///
    /// # Errors
    /// If it has a mistake that comes with its other values.
    pub fn draft(&self, index: usize, parameters: &Parameters) -> Option<Result<Located, Error>> {
        let stretch = self.statements.get(index)?;
        let mut binder = Binder::resumed(parameters, stretch.passed);
        for name in &self.set {
            binder.set_later(name);
        }
        Some(parse_stretch(self.written(stretch), stretch, &mut binder))
    }
}

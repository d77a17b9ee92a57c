//! A script whose statements are read one at a time.

use std::sync::Arc;

use crate::parameter::Binder;
use crate::parse::{Stretch, parse_each, parse_stretch};
use crate::{Error, Located, Parameters, Statement};

/// A script that was read through once, to find its mistakes, and whose statements are read again one at a time: a long
/// script takes little more memory than its text.
#[derive(Debug, Clone)]
pub struct Script {
    text: Arc<str>,
    statements: Vec<Stretch>,
    /// The parameters that it sets.
    set: Vec<String>,
}

impl Script {
    /// Reads a script through, with values in place of parameters and variables. Also gives the mistakes, in order; the
    /// script has the other statements.
    pub fn read(text: &str, parameters: &Parameters) -> (Self, Vec<Error>) {
        let mut script = Self {
            text: text.into(),
            statements: Vec::new(),
            set: Vec::new(),
        };
        let mut mistakes = Vec::new();
        let mut binder = Binder::new(Some(parameters));
        parse_each(text, &mut binder, |read| match read {
            Ok((located, stretch)) => {
                if let Statement::SetParameter(set) = located.statement {
                    script.set.push(set.name.text);
                }
                script.statements.push(stretch);
            }
            Err(mistake) => mistakes.push(mistake),
        });
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

    /// Reads the statement of that index again, whose parameters have these values now. `None` if there is none.
    ///
    /// # Errors
    /// If it has a mistake that comes with its values.
    pub fn statement(
        &self,
        index: usize,
        parameters: &Parameters,
    ) -> Option<Result<Located, Error>> {
        let stretch = self.statements.get(index)?;
        let mut binder = Binder::resumed(parameters, stretch.passed);
        Some(parse_stretch(&self.text, stretch, &mut binder))
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
        Some(parse_stretch(&self.text, stretch, &mut binder))
    }
}

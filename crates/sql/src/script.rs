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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Script;
    use crate::{Parameters, code, parse_script_with};

    /// Of 300 statements, with comments, line breaks of all kinds, `?` and addresses with semicolons.
    fn long() -> (String, Parameters) {
        let mut text = String::new();
        let mut parameters = Parameters::new();
        for number in 0..100 {
            let line = number * 2 + 1;
            text.push_str(&format!(
                "-- {number}\r\nSELECT 'ö\r\n', ?, {number};;SELECT /* ; */ ?\rFROM csv://x.csv;delimiter=tab;\n"
            ));
            text.push_str(&format!("SELECT {number} INTO csv://x.csv;header=no;"));
            parameters = parameters
                .numbered(line, line.to_string())
                .numbered(line + 1, (line + 1).to_string());
        }
        (text, parameters)
    }

    #[test]
    fn a_statement_that_is_read_again_is_the_same_at_the_same_place() {
        let (text, parameters) = long();
        let (mut script, mistakes) = Script::read(&text, &parameters);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let whole = parse_script_with(&text, &parameters);
        assert_eq!((script.len(), whole.len()), (300, 300));
        for (index, once) in whole.into_iter().enumerate() {
            let once = once.unwrap();
            let again = script.statement(index, &parameters).unwrap().unwrap();
            assert_eq!(again.span, once.span, "{index}");
            assert_eq!(again.statement, once.statement, "{index}");
        }
        assert!(script.statement(300, &parameters).is_none());
    }

    #[test]
    fn what_is_set_has_its_value_when_the_statement_is_read_again() {
        let text = "SET @n = (SELECT 2); SELECT 1 LIMIT @n; SELECT 2 LIMIT @n";
        let (mut script, mistakes) = Script::read(text, &Parameters::new());
        assert!(mistakes.is_empty(), "{mistakes:?}");
        script.statement(0, &Parameters::new()).unwrap().unwrap();
        let unset = script.statement(1, &Parameters::new()).unwrap();
        assert_eq!(unset.unwrap_err().code(), code::UNBOUND);
        let drafted = script.draft(1, &Parameters::new()).unwrap().unwrap();
        assert_eq!(drafted.statement.to_string(), "SELECT 1 LIMIT @n");
        let set = Parameters::new().named("n", 3);
        let read = script.statement(2, &set).unwrap().unwrap();
        assert_eq!(read.span.start.offset, 40);
    }

    #[test]
    fn mistakes_come_in_their_order_and_the_rest_is_there() {
        let (script, mistakes) =
            Script::read("SELECT 1; SELCT 2; SELECT 3; SELECT 'a", &Parameters::new());
        assert_eq!(script.len(), 2);
        let codes: Vec<_> = mistakes.iter().map(|mistake| mistake.code()).collect();
        assert_eq!(codes, [code::UNKNOWN_STATEMENT, code::UNTERMINATED]);
    }
}

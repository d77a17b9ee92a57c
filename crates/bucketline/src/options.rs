//! The options of all statements of a session. A statement's own count before those that SET gave, and these
//! before those that the session was made with.

use arrow::array::RecordBatch;
use bucketline_core::code::session as code;
use bucketline_sql::{
    Ident, OptionName, OptionValue, Options, Position, REPLICATE_OPTIONS, ReplicateOption, Set,
    Span, Statement, Value,
};

use crate::statement::texts;
use crate::{Error, Result};

/// Where an option comes from that a statement has set.
const BY_STATEMENT: &str = "SET";

/// Options for all statements of a session, each with where it comes from.
#[derive(Debug, Clone, Default)]
pub struct StatementOptions {
    /// By where they come from, the last counting first.
    layers: Vec<(String, Options)>,
}

impl StatementOptions {
    /// Gives an option a value. `origin` says in errors and in SHOW OPTIONS where that comes from; a later origin
    /// counts before an earlier one.
    ///
    /// # Errors
    /// If there is no such option, or the value is none for it.
    pub fn set(&mut self, origin: &str, name: &str, value: &str) -> Result<()> {
        let place = Span::point(Position::START);
        let value = Value::Text(value.to_owned());
        let read = ReplicateOption::read(Ident::new(name), &value, place)
            .and_then(|option| self.put(origin, option));
        read.map_err(|error| error.context(origin).without_span())
    }

    /// Carries out `SET name = value`; `DEFAULT` takes an earlier SET back. What the option is now.
    pub(crate) fn execute(&mut self, set: &Set) -> Result<String> {
        let [name] = set.name.parts.as_slice() else {
            return Err(Error::new(
                code::STATEMENT,
                format!("SET {}: that name has too many parts", set.name),
            )
            .with_hint("SET option = value; SHOW OPTIONS lists them")
            .or_at(set.name.span()));
        };
        let spec = ReplicateOption::spec(name)?;
        if matches!(&set.value, Value::Word(word) if word.eq_ignore_ascii_case("DEFAULT")) {
            if let Some((_, options)) = self.layer(BY_STATEMENT) {
                options.unset(spec.name);
            }
        } else {
            let option = ReplicateOption::read(name.clone(), &set.value, set.value_span)?;
            self.put(BY_STATEMENT, option)?;
        }
        Ok(match self.value(spec.name) {
            Some((value, _)) => format!("{} = {value}", spec.text),
            None => format!("{} = {}", spec.text, spec.default.unwrap_or("DEFAULT")),
        })
    }

    /// Takes back all that SET has set.
    pub(crate) fn reset(&mut self) {
        self.layers.retain(|(origin, _)| origin != BY_STATEMENT);
    }

    fn put(&mut self, origin: &str, option: ReplicateOption) -> Result<(), bucketline_sql::Error> {
        let mut given = Options::default();
        given.set(option);
        let given = given.expanded()?;
        if self.layer(origin).is_none() {
            self.layers.push((origin.to_owned(), Options::default()));
        }
        if let Some((_, options)) = self.layer(origin) {
            given.iter().for_each(|option| options.set(option.clone()));
        }
        Ok(())
    }

    fn layer(&mut self, origin: &str) -> Option<&mut (String, Options)> {
        self.layers.iter_mut().find(|(known, _)| known == origin)
    }

    /// An option's value and where it comes from.
    fn value(&self, name: OptionName) -> Option<(&OptionValue, &str)> {
        let layers = self.layers.iter().rev();
        layers.into_iter().find_map(|(origin, options)| {
            let option = options.get(name)?;
            Some((&option.value, origin.as_str()))
        })
    }

    /// The options that a statement runs under. Where it can have some of its own, these are put into it.
    pub(crate) fn settle(&self, statement: &mut Statement) -> Result<Options> {
        let nowhere = Span::point(Position::START);
        let layers = self.layers.iter().rev();
        let all = layers.fold(Options::default(), |all, (_, options)| {
            all.or(options, nowhere)
        });
        let statement = match statement {
            Statement::Explain(explain) => &mut *explain.statement,
            other => other,
        };
        let Statement::Replicate(replicate) = statement else {
            return Ok(all);
        };
        let own = replicate.options.clone().expanded()?;
        replicate.options = own.or(&all, replicate.destination.span());
        Ok(replicate.options.clone())
    }

    /// Every option, its value and where that comes from.
    pub(crate) fn list(&self) -> Result<RecordBatch> {
        let specs = || REPLICATE_OPTIONS.iter();
        let known = |text: &str| Some(text.to_owned());
        let value = |name, default: Option<&str>| match self.value(name) {
            Some((value, _)) => Some(value.to_string()),
            None => default.map(str::to_owned),
        };
        let origin = |name| known(self.value(name).map_or("default", |(_, origin)| origin));
        texts([
            ("Option", specs().map(|it| known(it.text)).collect()),
            (
                "Value",
                specs().map(|it| value(it.name, it.default)).collect(),
            ),
            ("Origin", specs().map(|it| origin(it.name)).collect()),
            (
                "Takes",
                specs().map(|it| Some(it.kind.to_string())).collect(),
            ),
            ("Description", specs().map(|it| known(it.doc)).collect()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use bucketline_sql::{OptionName, parse_statement};

    use super::StatementOptions;

    #[test]
    fn a_statement_beats_set_and_that_the_file() {
        let mut options = StatementOptions::default();
        options.set("file", "BatchSize", "1").unwrap();
        options.set("file", "skipdeleted", "true").unwrap();
        options
            .set("SET", "OtherCacheOptions", "BatchSize=2,TableNamePrefix=a_")
            .unwrap();
        let statement = |text: &str| {
            let mut statement = parse_statement(text).unwrap().statement;
            options.settle(&mut statement).unwrap()
        };
        let all = statement("REPLICATE Issues WITH OtherCacheOptions = 'TableNamePrefix=b_'");
        assert_eq!(all.text(OptionName::TableNamePrefix), Some("b_"));
        assert_eq!(all.int(OptionName::BatchSize), Some(2));
        assert_eq!(all.flag(OptionName::SkipDeleted), Some(true));
        let all =
            statement("REPLICATE Issues WITH BatchSize = 3, OtherCacheOptions = 'BatchSize=4'");
        assert_eq!(all.int(OptionName::BatchSize), Some(3));
    }

    #[test]
    fn a_mistake_says_where_it_stands() {
        let mut options = StatementOptions::default();
        for (name, value, code, told) in [
            ("BatchSise", "1", "BL1005", "job.toml: there is no option"),
            ("BatchSize", "many", "BL1006", "job.toml: not a value"),
            (
                "OtherCacheOptions",
                "OtherCacheOptions=a",
                "BL1007",
                "job.toml: ",
            ),
        ] {
            let error = options.set("job.toml", name, value).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().starts_with(told), "{error}");
            assert!(error.span().is_none());
        }
    }
}

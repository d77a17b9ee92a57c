//! Formulas in texts, for EXPR.

use super::call::{Complaint, quoted};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Number(f64),
    Truth(bool),
}

/// The result of a formula, as text.
pub(super) fn evaluate(formula: &str) -> Result<String, Complaint> {
    let mut reader = Reader {
        formula,
        rest: formula.trim(),
        depth: 0,
    };
    let value = reader.level(0)?;
    if !reader.rest.is_empty() {
        return Err(reader.failed());
    }
    Ok(match value {
        Value::Number(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
    })
}

/// Binary operators, from those that bind least. An operator stands before those that it begins with.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["==", "!=", "<>", "<=", ">=", "<", ">", "="],
    &["+", "-"],
    &["*", "/", "%"],
];

struct Reader<'f> {
    formula: &'f str,
    rest: &'f str,
    depth: usize,
}

impl Reader<'_> {
    fn failed(&self) -> Complaint {
        Complaint::new(format!("{} is no formula", quoted(self.formula)))
            .with_hint("such as '(1 + 2) * 3' or '2 * 2 == 4'")
    }

    fn eat(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn level(&mut self, level: usize) -> Result<Value, Complaint> {
        let Some(operators) = LEVELS.get(level) else {
            return self.operand();
        };
        let mut left = self.level(level + 1)?;
        while let Some(operator) = operators.iter().find(|operator| self.eat(operator)) {
            let right = self.level(level + 1)?;
            left = apply(left, operator, right).ok_or_else(|| self.failed())?;
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Value, Complaint> {
        const DEEPEST: usize = 100;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.failed());
        }
        let value = self.primary();
        self.depth -= 1;
        value
    }

    fn primary(&mut self) -> Result<Value, Complaint> {
        if self.eat("(") {
            let value = self.level(0)?;
            return if self.eat(")") {
                Ok(value)
            } else {
                Err(self.failed())
            };
        }
        if self.eat("-") {
            return match self.operand()? {
                Value::Number(number) => Ok(Value::Number(-number)),
                Value::Truth(_) => Err(self.failed()),
            };
        }
        for (word, truth) in [("true", true), ("false", false)] {
            if self.eat(word) {
                return Ok(Value::Truth(truth));
            }
        }
        let length = self.rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let (digits, behind) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        let number = digits.parse().map_err(|_| self.failed())?;
        self.rest = behind.trim_start();
        Ok(Value::Number(number))
    }
}

fn apply(left: Value, operator: &str, right: Value) -> Option<Value> {
    use Value::{Number, Truth};
    Some(match (left, operator, right) {
        (Truth(a), "||", Truth(b)) => Truth(a || b),
        (Truth(a), "&&", Truth(b)) => Truth(a && b),
        (a, "==" | "=", b) => Truth(a == b),
        (a, "!=" | "<>", b) => Truth(a != b),
        (Number(a), "<=", Number(b)) => Truth(a <= b),
        (Number(a), ">=", Number(b)) => Truth(a >= b),
        (Number(a), "<", Number(b)) => Truth(a < b),
        (Number(a), ">", Number(b)) => Truth(a > b),
        (Number(a), "+", Number(b)) => Number(a + b),
        (Number(a), "-", Number(b)) => Number(a - b),
        (Number(a), "*", Number(b)) => Number(a * b),
        (Number(a), "/", Number(b)) if b != 0.0 => Number(a / b),
        (Number(a), "%", Number(b)) if b != 0.0 => Number(a % b),
        _ => return None,
    })
}

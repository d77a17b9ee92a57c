//! Texts of the planner and the executor, and what is said instead.

use crate::ErrorKind;

/// A text of theirs, the words around its variable parts.
pub(super) struct Known {
    /// The text has each of these, one behind the other.
    pub(super) marks: &'static [&'static str],
    pub(super) kind: ErrorKind,
    /// `{0}` is what stands behind the first mark, up to the next one or the end.
    pub(super) message: &'static str,
    pub(super) hint: Option<&'static str>,
}

const fn known(
    marks: &'static [&'static str],
    kind: ErrorKind,
    message: &'static str,
    hint: Option<&'static str>,
) -> Known {
    Known {
        marks,
        kind,
        message,
        hint,
    }
}

const JOIN_INSTEAD: Option<&str> =
    Some("a JOIN, or APPLY, with the tables of the sub-query says the same");

/// The first that fits counts.
pub(super) const KNOWN: &[Known] = &[
    // Sub-queries.
    known(
        &["Correlated scalar subquery must be aggregated"],
        ErrorKind::Invalid,
        "a sub-query that is used as a value may give several rows",
        Some("an aggregate, such as MAX, gives one"),
    ),
    known(
        &["Scalar subquery returned more than one row"],
        ErrorKind::Execution,
        "a sub-query that is used as a value gave several rows",
        Some("an aggregate, such as MAX, or TOP 1 gives one"),
    ),
    known(
        &["subquery", "only return one column"],
        ErrorKind::Invalid,
        "a sub-query that is used as a value gives several columns",
        Some("select one column in it"),
    ),
    known(
        &["ubquery must return exactly one column"],
        ErrorKind::Invalid,
        "a sub-query that is used as a value gives several columns",
        Some("select one column in it"),
    ),
    known(
        &["OuterReferenceColumn"],
        ErrorKind::Unsupported,
        "the sub-query uses a column of the query around it at a place where that is not supported",
        JOIN_INSTEAD,
    ),
    known(
        &["outer reference"],
        ErrorKind::Unsupported,
        "the sub-query uses a column of the query around it at a place where that is not supported",
        JOIN_INSTEAD,
    ),
    known(
        &["orrelated"],
        ErrorKind::Unsupported,
        "the sub-query uses a column of the query around it at a place where that is not supported",
        JOIN_INSTEAD,
    ),
    known(
        &["does not support logical expression", "ubquery"],
        ErrorKind::Unsupported,
        "a sub-query is not supported at this place",
        JOIN_INSTEAD,
    ),
    known(
        &["does not support logical expression Exists"],
        ErrorKind::Unsupported,
        "EXISTS is not supported at this place",
        JOIN_INSTEAD,
    ),
    known(
        &["can only be used in"],
        ErrorKind::Unsupported,
        "a sub-query is not supported at this place",
        JOIN_INSTEAD,
    ),
    // Names.
    known(
        &[
            "unique expression names but the expression \"",
            "\" at position",
        ],
        ErrorKind::AmbiguousName,
        "the output {0} is selected twice",
        Some("leave it out beside `*`, or give it another name with AS"),
    ),
    // Grouping.
    known(
        &["HAVING clause references"],
        ErrorKind::Invalid,
        "HAVING reads what is neither in GROUP BY nor an aggregate",
        Some("WHERE has conditions on single rows"),
    ),
    known(
        &["column \"", "\" must appear in the GROUP BY clause"],
        ErrorKind::Invalid,
        "{0} is neither in GROUP BY nor in an aggregate",
        Some("add it to GROUP BY, or put it into an aggregate such as MAX"),
    ),
    known(
        &["expression \"", "\" must appear in the GROUP BY clause"],
        ErrorKind::Invalid,
        "{0} is neither in GROUP BY nor in an aggregate",
        Some("add it to GROUP BY, or put it into an aggregate such as MAX"),
    ),
    known(
        &["must appear in the GROUP BY clause"],
        ErrorKind::Invalid,
        "an output is neither in GROUP BY nor in an aggregate",
        Some("add it to GROUP BY, or put it into an aggregate such as MAX"),
    ),
    known(
        &["Aggregate functions are not allowed"],
        ErrorKind::Invalid,
        "an aggregate cannot stand in WHERE",
        Some("HAVING has conditions on groups"),
    ),
    known(
        &["Window functions are not allowed"],
        ErrorKind::Invalid,
        "a window function cannot stand here",
        Some("compute it in a sub-query, and filter around it"),
    ),
    known(
        &["ORDER BY expressions", "must appear in select list"],
        ErrorKind::Invalid,
        "with DISTINCT, ORDER BY takes outputs only",
        Some("select what rows are ordered by, too"),
    ),
    known(
        &["Order by column out of bounds, specified: ", ", max: "],
        ErrorKind::Invalid,
        "ORDER BY {0}: there are not so many outputs",
        None,
    ),
    known(
        &["Order by index starts at 1"],
        ErrorKind::Invalid,
        "ORDER BY counts outputs from 1",
        None,
    ),
    known(
        &["Cannot find column with position "],
        ErrorKind::Invalid,
        "GROUP BY names a place that no output has",
        None,
    ),
    known(
        &["queries have different number of columns"],
        ErrorKind::Invalid,
        "the two queries of a UNION, EXCEPT or INTERSECT give different numbers of columns",
        None,
    ),
    known(
        &["Union schemas have different number of fields"],
        ErrorKind::Invalid,
        "the two queries of a UNION, EXCEPT or INTERSECT give different numbers of columns",
        None,
    ),
    known(
        &["UNION field", "have different type"],
        ErrorKind::Invalid,
        "the queries of a UNION give values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["Incompatible inputs for Union"],
        ErrorKind::Invalid,
        "the queries of a UNION give values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["Inconsistent data length across values list"],
        ErrorKind::Invalid,
        "the rows of VALUES are not of one length",
        None,
    ),
    known(
        &["Source table contains ", " columns but only ", " names"],
        ErrorKind::Invalid,
        "the list of names behind the alias is not as long as there are columns: {0}",
        None,
    ),
    known(
        &["WITH query name \"", "\" specified more than once"],
        ErrorKind::AmbiguousName,
        "WITH has two queries of the name {0}",
        None,
    ),
    known(
        &["SELECT * with no tables specified"],
        ErrorKind::Invalid,
        "`*` needs a FROM",
        None,
    ),
    // Types.
    known(
        &["WHERE clause", "must be boolean type"],
        ErrorKind::Invalid,
        "WHERE takes a condition, not a value",
        Some("compare it with something"),
    ),
    known(
        &["Cannot create filter with non-boolean predicate"],
        ErrorKind::Invalid,
        "a condition is needed here, not a value",
        Some("compare it with something"),
    ),
    known(
        &["must be boolean type"],
        ErrorKind::Invalid,
        "a condition is needed here, not a value",
        Some("compare it with something"),
    ),
    known(
        &["requires a boolean expression"],
        ErrorKind::Invalid,
        "NOT takes a condition, not a value",
        Some("compare it with something"),
    ),
    known(
        &["Unary operator '-' only supports"],
        ErrorKind::Invalid,
        "`-` takes a number",
        None,
    ),
    known(
        &["Unary operator '+' only supports"],
        ErrorKind::Invalid,
        "`+` takes a number",
        None,
    ),
    known(
        &["Negation only supports"],
        ErrorKind::Invalid,
        "`-` takes a number",
        None,
    ),
    known(
        &["Cannot coerce arithmetic expression ", " to valid types"],
        ErrorKind::Invalid,
        "{0}: these types cannot be computed with",
        Some("CAST one of them"),
    ),
    known(
        &["Cannot infer common argument type for comparison operation "],
        ErrorKind::Invalid,
        "{0}: these types cannot be compared",
        Some("CAST one of them"),
    ),
    known(
        &[
            "There isn't a common type to coerce ",
            " in LIKE expression",
        ],
        ErrorKind::Invalid,
        "{0}: LIKE compares texts",
        Some("CAST the other side to VARCHAR"),
    ),
    known(
        &["Cannot infer common argument type"],
        ErrorKind::Invalid,
        "an operator is given types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["to common types in CASE WHEN expression"],
        ErrorKind::Invalid,
        "the values of a CASE are of types that do not go together",
        Some("CAST them to one type"),
    ),
    known(
        &["in InSubquery"],
        ErrorKind::Invalid,
        "IN compares values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["Unsupported CAST from ", " to "],
        ErrorKind::Invalid,
        "values of type {0} cannot be cast so",
        Some("CAST it to VARCHAR first"),
    ),
    known(
        &["Casting from ", " to ", " not supported"],
        ErrorKind::Invalid,
        "values of type {0} cannot be cast so",
        Some("CAST it to VARCHAR first"),
    ),
    known(
        &["Unsupported SQL type "],
        ErrorKind::Unsupported,
        "the type {0} is not known here",
        None,
    ),
    known(
        &["Unsupported Value"],
        ErrorKind::Unsupported,
        "a literal of this kind is not supported",
        None,
    ),
    known(
        &["Invalid input syntax for type interval: \"", "\""],
        ErrorKind::Execution,
        "the text '{0}' is not an interval",
        Some("an interval is written INTERVAL '1 day'"),
    ),
    known(
        &["Invalid HexStringLiteral"],
        ErrorKind::Invalid,
        "a text behind X holds something other than hexadecimal digits",
        None,
    ),
    known(
        &["a call to '", "' function"],
        ErrorKind::Argument,
        "{0}: an argument is of a type that it does not take",
        None,
    ),
    known(
        &["regex parse error"],
        ErrorKind::Execution,
        "the pattern is not a regular expression",
        Some("a backslash before a sign such as ( or [ takes it as it is"),
    ),
    // What is not there.
    known(
        &["table function '", "' not found"],
        ErrorKind::UnknownFunction,
        "there is no function {0} that gives rows",
        None,
    ),
    known(
        &["Invalid qualifier "],
        ErrorKind::UnknownTable,
        "FROM has no {0}",
        None,
    ),
    known(
        &["Operator ", " is not yet supported"],
        ErrorKind::Unsupported,
        "the operator {0} is not supported",
        None,
    ),
    known(
        &["WindowFunction"],
        ErrorKind::Invalid,
        "a window function cannot stand here",
        Some("compute it in a sub-query, and filter around it, or use QUALIFY"),
    ),
    known(
        &["Non-recursive term and recursive term must have the same number of columns"],
        ErrorKind::Invalid,
        "the two queries of a recursive WITH give different numbers of columns",
        None,
    ),
    known(
        &["Unsupported JOIN operator"],
        ErrorKind::Unsupported,
        "this kind of JOIN is not supported",
        Some("INNER, LEFT, RIGHT, FULL and CROSS JOIN are"),
    ),
    known(
        &["LATERAL syntax is not supported"],
        ErrorKind::Unsupported,
        "FULL JOIN and RIGHT JOIN take no sub-query that reads the other side",
        None,
    ),
    known(
        &["Qualified functions are not supported"],
        ErrorKind::Unsupported,
        "a function's name has one part",
        None,
    ),
    known(
        &["Unsupported LIMIT expression"],
        ErrorKind::Invalid,
        "LIMIT and TOP take a whole number",
        None,
    ),
    known(
        &["Unsupported OFFSET expression"],
        ErrorKind::Invalid,
        "OFFSET takes a whole number",
        None,
    ),
    known(
        &["LIMIT must be >= 0"],
        ErrorKind::Invalid,
        "LIMIT and TOP take no negative number",
        None,
    ),
    known(
        &["OFFSET must be >=0"],
        ErrorKind::Invalid,
        "OFFSET takes no negative number",
        None,
    ),
    known(
        &["must be an integer or null"],
        ErrorKind::Invalid,
        "LIMIT, TOP and OFFSET take a whole number",
        None,
    ),
    known(
        &["Expected LIMIT to be an integer"],
        ErrorKind::Invalid,
        "LIMIT and TOP take a whole number",
        None,
    ),
    known(
        &["Expected OFFSET to be an integer"],
        ErrorKind::Invalid,
        "OFFSET takes a whole number",
        None,
    ),
    known(
        &["Invalid window frame"],
        ErrorKind::Invalid,
        "the window's frame ends before it starts, or counts with something other than whole numbers",
        None,
    ),
    known(
        &["RANGE requires exactly one ORDER BY column"],
        ErrorKind::Invalid,
        "a window's RANGE needs one ORDER BY",
        Some("ROWS counts rows whatever their order"),
    ),
    known(
        &["There is no window function named "],
        ErrorKind::UnknownFunction,
        "there is no window function {0}",
        None,
    ),
    known(
        &["The window ", " is not defined"],
        ErrorKind::Invalid,
        "there is no WINDOW {0}",
        None,
    ),
    known(
        &["Retract should be implemented"],
        ErrorKind::Unsupported,
        "this function cannot be computed over a frame that moves",
        Some("a frame that starts with UNBOUNDED PRECEDING can be"),
    ),
    known(
        &["WITHIN GROUP"],
        ErrorKind::Invalid,
        "WITHIN GROUP does not go with this function",
        None,
    ),
    known(
        &["NULLS are not permitted"],
        ErrorKind::Invalid,
        "IGNORE NULLS and RESPECT NULLS do not go with this function",
        None,
    ),
    known(
        &["LIKE does not support escape_char"],
        ErrorKind::Unsupported,
        "LIKE takes no ESCAPE other than the backslash",
        None,
    ),
    // Values.
    known(
        &["Cannot cast string '", "' to value of ", " type"],
        ErrorKind::Execution,
        "the text '{0}' cannot be cast to {1}",
        Some("TRY_CAST gives NULL for what cannot be cast"),
    ),
    known(
        &["Cannot cast value '", "' to value of ", " type"],
        ErrorKind::Execution,
        "the text '{0}' cannot be cast to {1}",
        Some("TRY_CAST gives NULL for what cannot be cast"),
    ),
    known(
        &["Can't cast value ", " to type "],
        ErrorKind::Execution,
        "{0} cannot be cast to {1}",
        Some("TRY_CAST gives NULL for what cannot be cast"),
    ),
    known(
        &["Error parsing timestamp from '", "'"],
        ErrorKind::Execution,
        "the text '{0}' is not a time",
        Some("a time is written 2026-08-10 12:30:00"),
    ),
    known(
        &["Error parsing date from '", "'"],
        ErrorKind::Execution,
        "the text '{0}' is not a date",
        Some("a date is written 2026-08-10"),
    ),
    known(
        &["parse the string value ", " to decimal"],
        ErrorKind::Execution,
        "the text '{0}' is not a number",
        None,
    ),
    known(
        &["Invalid decimal format: "],
        ErrorKind::Execution,
        "the text {0} is not a number",
        None,
    ),
    known(
        &["is too large to store in a Decimal"],
        ErrorKind::Execution,
        "a number has more digits than its DECIMAL takes",
        None,
    ),
    known(
        &["parse decimal overflow"],
        ErrorKind::Execution,
        "a number has more digits than its DECIMAL takes",
        None,
    ),
    known(
        &["Divide by zero"],
        ErrorKind::Execution,
        "division by zero",
        Some("NULLIF(x, 0) makes it NULL"),
    ),
    known(
        &["Date arithmetic overflow"],
        ErrorKind::Execution,
        "a date is out of range",
        None,
    ),
    known(
        &["imestamp", "out of range"],
        ErrorKind::Execution,
        "a time is out of range",
        None,
    ),
    known(
        &["verflow"],
        ErrorKind::Execution,
        "a number is out of the range of its type",
        Some("CAST an operand to DOUBLE or DECIMAL"),
    ),
    known(
        &["Invalid date arithmetic operation"],
        ErrorKind::Invalid,
        "dates and times cannot be computed with so",
        Some("DATEADD and DATEDIFF compute with them"),
    ),
    known(
        &["Invalid timestamp arithmetic operation"],
        ErrorKind::Invalid,
        "dates and times cannot be computed with so",
        Some("DATEADD and DATEDIFF compute with them"),
    ),
    known(
        &["Recursive query"],
        ErrorKind::Unsupported,
        "a recursive query of this form is not supported",
        None,
    ),
];

//! Texts of the planner and the executor, and what is said instead.

use bucketline_core::Code;

use crate::code;

/// A text of theirs, the words around its variable parts.
pub(super) struct Known {
    /// The text has each of these, one behind the other.
    pub(super) marks: &'static [&'static str],
    pub(super) code: Code,
    /// `{0}` is what stands behind the first mark, up to the next one or the end.
    pub(super) message: &'static str,
    pub(super) hint: Option<&'static str>,
}

const fn known(
    marks: &'static [&'static str],
    code: Code,
    message: &'static str,
    hint: Option<&'static str>,
) -> Known {
    Known {
        marks,
        code,
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
        code::INVALID,
        "a sub-query that is used as a value may give several rows",
        Some("an aggregate, such as MAX, gives one"),
    ),
    known(
        &["Scalar subquery returned more than one row"],
        code::EXECUTION,
        "a sub-query that is used as a value gave several rows",
        Some("an aggregate, such as MAX, or TOP 1 gives one"),
    ),
    known(
        &["subquery", "only return one column"],
        code::INVALID,
        "a sub-query that is used as a value gives several columns",
        Some("select one column in it"),
    ),
    known(
        &["ubquery must return exactly one column"],
        code::INVALID,
        "a sub-query that is used as a value gives several columns",
        Some("select one column in it"),
    ),
    known(
        &["OuterReferenceColumn"],
        code::UNSUPPORTED,
        "the sub-query uses a column of the query around it at a place where that is not supported",
        JOIN_INSTEAD,
    ),
    known(
        &["outer reference"],
        code::UNSUPPORTED,
        "the sub-query uses a column of the query around it at a place where that is not supported",
        JOIN_INSTEAD,
    ),
    known(
        &["orrelated"],
        code::UNSUPPORTED,
        "the sub-query uses a column of the query around it at a place where that is not supported",
        JOIN_INSTEAD,
    ),
    known(
        &["does not support logical expression", "ubquery"],
        code::UNSUPPORTED,
        "a sub-query is not supported at this place",
        JOIN_INSTEAD,
    ),
    known(
        &["does not support logical expression Exists"],
        code::UNSUPPORTED,
        "EXISTS is not supported at this place",
        JOIN_INSTEAD,
    ),
    known(
        &["can only be used in"],
        code::UNSUPPORTED,
        "a sub-query is not supported at this place",
        JOIN_INSTEAD,
    ),
    known(
        &["expr type ", "can't cast to", "in SetComparison"],
        code::INVALID,
        "ANY and ALL compare values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["For function 'nullif'"],
        code::INVALID,
        "NULLIF compares values of types that do not go together",
        Some("CAST one of them"),
    ),
    // Names.
    known(
        &[
            "unique expression names but the expression \"",
            "\" at position",
        ],
        code::AMBIGUOUS_NAME,
        "the output {0} is selected twice",
        Some("leave it out beside `*`, or give it another name with AS"),
    ),
    known(
        &["Function '", "' expects ", " but received "],
        code::INVALID,
        "{0} takes other arguments",
        Some("SHOW FUNCTIONS tells which"),
    ),
    known(
        &["Placeholder '", "' was not provided a value"],
        code::INVALID,
        "{0} has no value",
        Some("\\set NAME VALUE gives a variable of a session one"),
    ),
    known(
        &["can not be used as a sliding accumulator"],
        code::UNSUPPORTED,
        "this aggregate takes no frame whose beginning moves",
        Some("begin the frame at UNBOUNDED PRECEDING"),
    ),
    // Grouping.
    known(
        &["HAVING clause references"],
        code::INVALID,
        "HAVING reads what is neither in GROUP BY nor an aggregate",
        Some("WHERE has conditions on single rows"),
    ),
    known(
        &["column \"", "\" must appear in the GROUP BY clause"],
        code::INVALID,
        "{0} is neither in GROUP BY nor in an aggregate",
        Some("add it to GROUP BY, or put it into an aggregate such as MAX"),
    ),
    known(
        &["expression \"", "\" must appear in the GROUP BY clause"],
        code::INVALID,
        "{0} is neither in GROUP BY nor in an aggregate",
        Some("add it to GROUP BY, or put it into an aggregate such as MAX"),
    ),
    known(
        &["must appear in the GROUP BY clause"],
        code::INVALID,
        "an output is neither in GROUP BY nor in an aggregate",
        Some("add it to GROUP BY, or put it into an aggregate such as MAX"),
    ),
    known(
        &["Aggregate functions are not allowed"],
        code::INVALID,
        "an aggregate cannot stand in WHERE",
        Some("HAVING has conditions on groups"),
    ),
    known(
        &["Window functions are not allowed"],
        code::INVALID,
        "a window function cannot stand here",
        Some("compute it in a sub-query, and filter around it"),
    ),
    known(
        &["ORDER BY expressions", "must appear in select list"],
        code::INVALID,
        "with DISTINCT, ORDER BY takes outputs only",
        Some("select what rows are ordered by, too"),
    ),
    known(
        &["Order by column out of bounds, specified: ", ", max: "],
        code::INVALID,
        "ORDER BY {0}: there are not so many outputs",
        None,
    ),
    known(
        &["Order by index starts at 1"],
        code::INVALID,
        "ORDER BY counts outputs from 1",
        None,
    ),
    known(
        &["Cannot find column with position "],
        code::INVALID,
        "GROUP BY names a place that no output has",
        None,
    ),
    known(
        &["queries have different number of columns"],
        code::INVALID,
        "the two queries of a UNION, EXCEPT or INTERSECT give different numbers of columns",
        None,
    ),
    known(
        &["Union schemas have different number of fields"],
        code::INVALID,
        "the two queries of a UNION, EXCEPT or INTERSECT give different numbers of columns",
        None,
    ),
    known(
        &["UNION field", "have different type"],
        code::INVALID,
        "the queries of a UNION give values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["Incompatible inputs for Union"],
        code::INVALID,
        "the queries of a UNION give values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["Inconsistent data length across values list"],
        code::INVALID,
        "the rows of VALUES are not of one length",
        None,
    ),
    known(
        &["Source table contains ", " columns but only ", " names"],
        code::INVALID,
        "the list of names behind the alias is not as long as there are columns: {0}",
        None,
    ),
    known(
        &["WITH query name \"", "\" specified more than once"],
        code::AMBIGUOUS_NAME,
        "WITH has two queries of the name {0}",
        None,
    ),
    known(
        &["SELECT * with no tables specified"],
        code::INVALID,
        "`*` needs a FROM",
        None,
    ),
    // Types.
    known(
        &["WHERE clause", "must be boolean type"],
        code::INVALID,
        "WHERE takes a condition, not a value",
        Some("compare it with something"),
    ),
    known(
        &["Cannot create filter with non-boolean predicate"],
        code::INVALID,
        "a condition is needed here, not a value",
        Some("compare it with something"),
    ),
    known(
        &["must be boolean type"],
        code::INVALID,
        "a condition is needed here, not a value",
        Some("compare it with something"),
    ),
    known(
        &["requires a boolean expression"],
        code::INVALID,
        "NOT takes a condition, not a value",
        Some("compare it with something"),
    ),
    known(
        &["Unary operator '-' only supports"],
        code::INVALID,
        "`-` takes a number",
        None,
    ),
    known(
        &["Unary operator '+' only supports"],
        code::INVALID,
        "`+` takes a number",
        None,
    ),
    known(
        &["Negation only supports"],
        code::INVALID,
        "`-` takes a number",
        None,
    ),
    known(
        &["Cannot coerce arithmetic expression ", " to valid types"],
        code::INVALID,
        "{0}: these types cannot be computed with",
        Some("CAST one of them"),
    ),
    known(
        &["Cannot infer common argument type for comparison operation "],
        code::INVALID,
        "{0}: these types cannot be compared",
        Some("CAST one of them"),
    ),
    known(
        &[
            "There isn't a common type to coerce ",
            " in LIKE expression",
        ],
        code::INVALID,
        "{0}: LIKE compares texts",
        Some("CAST the other side to VARCHAR"),
    ),
    known(
        &["Cannot infer common argument type"],
        code::INVALID,
        "an operator is given types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["to common types in CASE WHEN expression"],
        code::INVALID,
        "the values of a CASE are of types that do not go together",
        Some("CAST them to one type"),
    ),
    known(
        &["in InSubquery"],
        code::INVALID,
        "IN compares values of types that do not go together",
        Some("CAST one of them"),
    ),
    known(
        &["Unsupported CAST from ", " to "],
        code::INVALID,
        "values of type {0} cannot be cast so",
        Some("CAST it to VARCHAR first"),
    ),
    known(
        &["Casting from ", " to ", " not supported"],
        code::INVALID,
        "values of type {0} cannot be cast so",
        Some("CAST it to VARCHAR first"),
    ),
    known(
        &["Unsupported SQL type "],
        code::UNSUPPORTED,
        "the type {0} is not known here",
        None,
    ),
    known(
        &["Unsupported Value"],
        code::UNSUPPORTED,
        "a literal of this kind is not supported",
        None,
    ),
    known(
        &["Invalid input syntax for type interval: \"", "\""],
        code::EXECUTION,
        "the text '{0}' is not an interval",
        Some("an interval is written INTERVAL '1 day'"),
    ),
    known(
        &["Invalid HexStringLiteral"],
        code::INVALID,
        "a text behind X holds something other than hexadecimal digits",
        None,
    ),
    known(
        &["a call to '", "' function"],
        code::ARGUMENT,
        "{0}: an argument is of a type that it does not take",
        None,
    ),
    known(
        &["regex parse error"],
        code::EXECUTION,
        "the pattern is not a regular expression",
        Some("a backslash before a sign such as ( or [ takes it as it is"),
    ),
    // What is not there.
    known(
        &["table function '", "' not found"],
        code::UNKNOWN_FUNCTION,
        "there is no function {0} that gives rows",
        None,
    ),
    known(
        &["Invalid qualifier "],
        code::UNKNOWN_TABLE,
        "FROM has no {0}",
        None,
    ),
    known(
        &["Operator ", " is not yet supported"],
        code::UNSUPPORTED,
        "the operator {0} is not supported",
        None,
    ),
    known(
        &["WindowFunction"],
        code::INVALID,
        "a window function cannot stand here",
        Some("compute it in a sub-query, and filter around it, or use QUALIFY"),
    ),
    known(
        &["Non-recursive term and recursive term must have the same number of columns"],
        code::INVALID,
        "the two queries of a recursive WITH give different numbers of columns",
        None,
    ),
    known(
        &["Unsupported JOIN operator"],
        code::UNSUPPORTED,
        "this kind of JOIN is not supported",
        Some("INNER, LEFT, RIGHT, FULL and CROSS JOIN are"),
    ),
    known(
        &["LATERAL syntax is not supported"],
        code::UNSUPPORTED,
        "FULL JOIN and RIGHT JOIN take no sub-query that reads the other side",
        None,
    ),
    known(
        &["Qualified functions are not supported"],
        code::UNSUPPORTED,
        "a function's name has one part",
        None,
    ),
    known(
        &["Unsupported LIMIT expression"],
        code::INVALID,
        "LIMIT and TOP take a whole number",
        None,
    ),
    known(
        &["Unsupported OFFSET expression"],
        code::INVALID,
        "OFFSET takes a whole number",
        None,
    ),
    known(
        &["LIMIT must be >= 0"],
        code::INVALID,
        "LIMIT and TOP take no negative number",
        None,
    ),
    known(
        &["OFFSET must be >=0"],
        code::INVALID,
        "OFFSET takes no negative number",
        None,
    ),
    known(
        &["must be an integer or null"],
        code::INVALID,
        "LIMIT, TOP and OFFSET take a whole number",
        None,
    ),
    known(
        &["Expected LIMIT to be an integer"],
        code::INVALID,
        "LIMIT and TOP take a whole number",
        None,
    ),
    known(
        &["Expected OFFSET to be an integer"],
        code::INVALID,
        "OFFSET takes a whole number",
        None,
    ),
    known(
        &["Invalid window frame"],
        code::INVALID,
        "the window's frame ends before it starts, or counts with something other than whole numbers",
        None,
    ),
    known(
        &["RANGE requires exactly one ORDER BY column"],
        code::INVALID,
        "a window's RANGE needs one ORDER BY",
        Some("ROWS counts rows whatever their order"),
    ),
    known(
        &["There is no window function named "],
        code::UNKNOWN_FUNCTION,
        "there is no window function {0}",
        None,
    ),
    known(
        &["The window ", " is not defined"],
        code::INVALID,
        "there is no WINDOW {0}",
        None,
    ),
    known(
        &["Retract should be implemented"],
        code::UNSUPPORTED,
        "this function cannot be computed over a frame that moves",
        Some("a frame that starts with UNBOUNDED PRECEDING can be"),
    ),
    known(
        &["WITHIN GROUP"],
        code::INVALID,
        "WITHIN GROUP does not go with this function",
        None,
    ),
    known(
        &["NULLS are not permitted"],
        code::INVALID,
        "IGNORE NULLS and RESPECT NULLS do not go with this function",
        None,
    ),
    known(
        &["LIKE does not support escape_char"],
        code::UNSUPPORTED,
        "LIKE takes no ESCAPE other than the backslash",
        None,
    ),
    // Values.
    known(
        &["Cannot cast string '", "' to value of ", " type"],
        code::EXECUTION,
        "the text '{0}' cannot be cast to {1}",
        Some("TRY_CAST gives NULL for what cannot be cast"),
    ),
    known(
        &["Cannot cast value '", "' to value of ", " type"],
        code::EXECUTION,
        "the text '{0}' cannot be cast to {1}",
        Some("TRY_CAST gives NULL for what cannot be cast"),
    ),
    known(
        &["Can't cast value ", " to type "],
        code::EXECUTION,
        "{0} cannot be cast to {1}",
        Some("TRY_CAST gives NULL for what cannot be cast"),
    ),
    known(
        &["Error parsing timestamp from '", "'"],
        code::EXECUTION,
        "the text '{0}' is not a time",
        Some("a time is written 2026-08-10 12:30:00"),
    ),
    known(
        &["Error parsing date from '", "'"],
        code::EXECUTION,
        "the text '{0}' is not a date",
        Some("a date is written 2026-08-10"),
    ),
    known(
        &["parse the string value ", " to decimal"],
        code::EXECUTION,
        "the text '{0}' is not a number",
        None,
    ),
    known(
        &["Invalid decimal format: "],
        code::EXECUTION,
        "the text {0} is not a number",
        None,
    ),
    known(
        &["is too large to store in a Decimal"],
        code::EXECUTION,
        "a number has more digits than its DECIMAL takes",
        None,
    ),
    known(
        &["parse decimal overflow"],
        code::EXECUTION,
        "a number has more digits than its DECIMAL takes",
        None,
    ),
    known(
        &["Divide by zero"],
        code::EXECUTION,
        "division by zero",
        Some("NULLIF(x, 0) makes it NULL"),
    ),
    known(
        &["Date arithmetic overflow"],
        code::EXECUTION,
        "a date is out of range",
        None,
    ),
    known(
        &["imestamp", "out of range"],
        code::EXECUTION,
        "a time is out of range",
        None,
    ),
    known(
        &["verflow"],
        code::EXECUTION,
        "a number is out of the range of its type",
        Some("CAST an operand to DOUBLE or DECIMAL"),
    ),
    known(
        &["Invalid date arithmetic operation"],
        code::INVALID,
        "dates and times cannot be computed with so",
        Some("DATEADD and DATEDIFF compute with them"),
    ),
    known(
        &["Invalid timestamp arithmetic operation"],
        code::INVALID,
        "dates and times cannot be computed with so",
        Some("DATEADD and DATEDIFF compute with them"),
    ),
    known(
        &["Recursive query"],
        code::UNSUPPORTED,
        "a recursive query of this form is not supported",
        None,
    ),
];

//! Aggregates, and the places of rows among others.

use super::declaration::{Argument, Body, Function, any, float, function, int, text};

const fn aggregate(
    name: &'static str,
    arguments: &'static [Argument],
    planner: &'static str,
    description: &'static str,
) -> Function {
    function(name, arguments, Body::Aggregate(planner), description)
}

const fn window(
    name: &'static str,
    arguments: &'static [Argument],
    planner: &'static str,
    description: &'static str,
) -> Function {
    function(name, arguments, Body::Window(planner), description)
}

pub(super) const FUNCTIONS: &[Function] = &[
    aggregate(
        "count",
        &[any("* | [DISTINCT] value")],
        "count",
        "How many rows, or values that are not NULL.",
    )
    .or(&["count_big"]),
    aggregate("min", &[any("value")], "min", "The least value."),
    aggregate("max", &[any("value")], "max", "The greatest value."),
    aggregate("sum", &[float("x")], "sum", "The sum."),
    aggregate("avg", &[float("x")], "avg", "The mean."),
    aggregate(
        "string_agg",
        &[
            text("[DISTINCT] text"),
            text("separator").optional(),
            any("WITHIN GROUP (ORDER BY ...)").behind(),
        ],
        "string_agg",
        "The texts one behind the other, with the separator between them, a comma without one.",
    )
    .or(&["group_concat", "listagg"])
    .noting("Also GROUP_CONCAT(text ORDER BY ... SEPARATOR '; '), as MySQL writes it."),
    aggregate(
        "median",
        &[float("x")],
        "median",
        "The value in the middle.",
    ),
    aggregate(
        "stdev",
        &[float("x")],
        "stddev",
        "The standard deviation of a sample.",
    ),
    aggregate(
        "stdevp",
        &[float("x")],
        "stddev_pop",
        "The standard deviation of a population.",
    ),
    aggregate("var", &[float("x")], "var", "The variance of a sample."),
    aggregate(
        "varp",
        &[float("x")],
        "var_pop",
        "The variance of a population.",
    ),
    window(
        "rank",
        &[],
        "rank",
        "The place among the rows, with gaps behind rows that are equal.",
    ),
    window(
        "dense_rank",
        &[],
        "dense_rank",
        "The place among the rows, without gaps.",
    ),
    window("row_number", &[], "row_number", "The number of the row."),
    window(
        "ntile",
        &[int("n")],
        "ntile",
        "Which of `n` equal groups the row is in.",
    ),
    window(
        "percent_rank",
        &[],
        "percent_rank",
        "The place among the rows, from 0 to 1.",
    ),
];

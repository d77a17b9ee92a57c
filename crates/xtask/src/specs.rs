//! `cargo x specs`: the tables of Bitbucket held against its published specification.

use crate::Result;
use crate::process::{cargo, run};

/// The tests that compare. Only a built program knows the tables, so they are tests of its crate, and part of
/// `cargo x test`.
const COMPARE: [&str; 5] = ["test", "--workspace", "--test", "sandbox", "published::"];

/// The one of them that writes the facts.
const FACTS: &str = "published::the_facts_are_those_of_the_specification";

/// Compares every path, parameter and field with the facts that are kept of the specification, and these with the
/// specification itself where it is at hand.
pub(crate) fn check() -> Result {
    run(&mut cargo(&COMPARE))
}

/// Takes the facts anew from the specification in `../shared`, then compares.
pub(crate) fn update() -> Result {
    let mut arguments = COMPARE;
    arguments[4] = FACTS;
    run(cargo(&arguments).env("UPDATE_SPECS", "1"))?;
    check()
}

//! The contract as tests that every destination runs.
//!
//! A destination's test file says how its stores are made and opened, and what their users can do to them
//! ([`Store`]); then `conformance!(make())` makes one `#[test]` of each rule. The rules' doc comments
//! are the contract's text.

#![allow(clippy::unwrap_used, reason = "a rule fails by a panic, as tests do")]

pub mod adoption;
pub mod appending;
pub mod changes;
pub mod checkpoints;
mod fixture;
pub mod leases;
pub mod names;
pub mod own;
pub mod random;
pub mod reading;
pub mod retention;
pub mod schema;
pub mod staging;
pub mod types;

use async_trait::async_trait;

pub use self::fixture::Bench;
use crate::{Destination, TableName};

/// What a user or another program does behind the back of loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Makes a table of the name, with a text column `Note` and one row, `mine`.
    MakeTable,
    /// Makes a table of the name that fits that of things, its key included, with the rows `a 1 old 1` and `a 9 old 9`;
    /// and a further text column `Mine`, which is `kept, too` in both, if the store lets users have columns of theirs.
    MakeThings,
    /// Makes a view of the name.
    MakeView,
    /// Makes a view of the table.
    AddView,
    /// Makes an index of the table.
    AddIndex,
    /// Makes a trigger that counts the rows of the table that are inserted, updated or deleted.
    AddTrigger,
    /// Adds a text column `Mine` to the table, and sets it to `kept` in the rows there are.
    AddColumn,
    /// Drops the table.
    DropTable,
    /// Deletes all rows.
    EmptyTable,
    /// Makes the next one to open the table believe that nobody has its lease, or takes it itself.
    TakeLease,
}

/// A store of one test: empty at first, and open to any number of destinations.
#[async_trait]
pub trait Store: Send + Sync {
    /// The store as a process opens it that has not seen it before.
    fn open(&self) -> Box<dyn Destination>;

    /// Does a deed; `false` if the store knows no such thing.
    async fn user(&self, deed: Deed, table: &TableName) -> bool;

    /// What a deed made is still there and as it was.
    async fn survives(&self, deed: Deed, table: &TableName) -> bool;

    /// How many rows [`Deed::AddTrigger`] has counted.
    async fn writes(&self, table: &TableName) -> u64;
}

/// Runs a rule; without a store, which has been told then, none.
///
/// # Panics
/// If the store breaks it.
pub fn run<S, R, F>(store: Option<S>, rule: R)
where
    S: Store + 'static,
    R: FnOnce(Bench) -> F,
    F: Future<Output = ()>,
{
    let Some(store) = store else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(rule(Bench::new(store)));
}

/// Makes one `#[test]` of each rule. The argument is an expression that makes an empty [`Store`](conformance::Store),
/// if there can be one on this machine.
#[macro_export]
macro_rules! conformance {
    ($store:expr) => {
        $crate::conformance! { @ $store;
            adoption { taken_over, other_columns_and_keys, begun_and_left }
            appending { by_name, all_or_nothing, never_to_ours, what_is_not_there }
            changes {
                order, duplicates_in_a_batch, updates_and_counts, unchanged_rows_are_not_written,
                deletes, deletes_where, assigns, inserts_must_be_new, empty_loads, slices_are_apart,
                failures_change_nothing, failures_pass, dropping_discards, discarding, null_keys, wrong_columns,
                many_rows,
            }
            checkpoints {
                with_the_rows, alone, kept, forgotten, forgotten_by_the_plan, survive_the_process,
                void_tables, many_slices, records,
            }
            leases {
                one_at_a_time, by_table, end_with_the_load, fenced,
            }
            names {
                foreign_tables, views_in_the_way, folding, quoting, refused,
            }
            own { made_with_its_rows, made_changed_and_dropped, all_or_nothing, never_to_others }
            schema {
                columns_are_added, columns_are_dropped, types_widen, incompatible_types,
                other_keys, users_things_survive,
            }
            staging {
                apart_until_applied, resumed, resumed_with_other_columns, not_resumed,
                users_columns, replaces_with_key, replaces_without_key,
                duplicates_merge, duplicates_are_refused, users_things_survive, another_key,
                another_type, recreates, fenced_applies, keys_of_the_staging,
            }
            types { every_arrow_type, extreme_values, type_names_come_back }
            reading {
                projection, counting, conditions, limits, listing, looking_makes_nothing, keys,
            }
            retention {
                leaving_deletes, deletes_mark, returning_unmarks, leaving_marks, replacements_mark,
                replacements_of_the_present, marks_come_and_go, what_cannot_be_kept,
                changes_are_versions, leaving_closes, versions_begin_with_the_table,
                versions_are_staged, versions_at_random, marks_at_random,
            }
            random { operations }
        }
    };
    (@ $store:expr; $($module:ident { $($rule:ident),* $(,)? })*) => {
        $(mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(#[test]
            fn $rule() {
                $crate::conformance::run($store, $crate::conformance::$module::$rule);
            })*
        })*
    };
}

//! What is done to one run.

use bucketline_sandbox::{Fault, FaultKind, Sandbox};

use super::disk::Disk;
use super::preload::{EVERY, Orders};
use super::program::{Ending, Pace};
use super::scenario::Scenario;

pub(crate) struct Plan {
    pub(crate) ending: Ending,
    pub(crate) orders: Orders,
    /// Whether the run may fail without having been killed.
    pub(crate) may_fail: bool,
    /// Whether another process loads the same tables.
    pub(crate) shares: bool,
}

impl Plan {
    /// Nothing, to a program whose clock is so far ahead.
    pub(crate) fn undisturbed(clock: i64) -> Self {
        Self {
            ending: Ending::Itself,
            orders: Orders {
                clock,
                ..Orders::default()
            },
            may_fail: false,
            shares: false,
        }
    }
}

/// The world of a run.
pub(crate) struct Disturbed<'d> {
    pub(crate) scenario: Scenario,
    /// Whether single calls can be met.
    pub(crate) has_calls: bool,
    pub(crate) has_server: bool,
    pub(crate) disks: Option<&'d [Disk; 2]>,
    pub(crate) sandbox: &'d Sandbox,
    pub(crate) pace: &'d Pace,
}

impl Disturbed<'_> {
    /// What is done to a run of a program whose clock is so far ahead; the disks and the sandbox are set to it.
    pub(crate) fn plan(&self, clock: i64, random: &mut fastrand::Rng) -> Plan {
        let Self {
            has_calls,
            has_server,
            ..
        } = *self;
        let mut plan = Plan {
            ending: self.pace.ending(random, has_calls, has_server),
            ..Plan::undisturbed(clock)
        };
        match self.scenario {
            Scenario::FullDisk if random.bool() => {
                plan.may_fail = true;
                match self.disks {
                    Some(disks) => {
                        let disk = &disks[usize::from(has_server && random.bool())];
                        disk.fill(random.u64(0..400 * 1024));
                        if matches!(plan.ending, Ending::Crash(_)) {
                            // The server could not recover.
                            plan.ending = Ending::Itself;
                        }
                    }
                    None => plan.ending = self.pace.ending(random, has_calls, false),
                }
            }
            Scenario::ReadOnly if random.bool() => {
                plan.may_fail = true;
                match self.disks {
                    Some([disk, _]) if random.bool() => disk.set_read_only(true),
                    _ => plan.ending = self.pace.becomes_read_only(random),
                }
            }
            Scenario::Clocks => {
                let far = [3600, 86_400, 400 * 86_400, 3650 * 86_400];
                let jump = |random: &mut fastrand::Rng| {
                    let by = *random.choice(&far).unwrap();
                    if random.bool() { by } else { -by }
                };
                if random.bool() {
                    plan.orders.clock = jump(random);
                }
                if random.u32(0..3) == 0 {
                    let calls = self.pace.count(EVERY);
                    plan.orders.jump = Some((random.u64(1..=calls), jump(random)));
                }
                if random.u32(0..3) == 0 {
                    let seconds = jump(random);
                    let off = Fault::always("*", FaultKind::DateOff { seconds });
                    self.sandbox.fault(off.after(random.u32(0..10)));
                }
            }
            _ => {}
        }
        if matches!(plan.ending, Ending::Refused(..) | Ending::Crash(_)) {
            plan.may_fail = true;
        }
        plan
    }
}

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const START: u64 = 1_795_348_800_000;
const ALLOWANCE: u32 = 950;

fn at(seconds: u64) -> SystemTime {
    time(START + seconds * SECOND)
}

fn ask(claimant: Claimant, wanted: u32) -> Ask {
    Ask {
        allowance: ALLOWANCE,
        claimant,
        made: 0,
        wanted,
    }
}

fn granted(taken: Taken) -> Lot {
    match taken {
        Taken::Granted(lot) => lot,
        other => panic!("{other:?}"),
    }
}

fn answered(requests: u32) -> Settled {
    Settled {
        answered: requests,
        returned: 0,
    }
}

/// A claimant at work: it makes `rate` requests a second while it holds a lot, until `work` are made.
struct Agent {
    claimant: Claimant,
    rate: u32,
    work: u64,
    begins: u64,
    made: u64,
    lot: Option<(Lot, u32)>,
    asks_at: u64,
    asked_since: Option<u64>,
    longest_wait: u64,
    /// When it made how many.
    sent: Vec<(u64, u32)>,
}

impl Agent {
    fn new(claimant: Claimant, rate: u32, work: u64, begins: u64) -> Self {
        Self {
            claimant,
            rate,
            work,
            begins,
            made: 0,
            lot: None,
            asks_at: 0,
            asked_since: None,
            longest_wait: 0,
            sent: Vec::new(),
        }
    }

    fn has_work(&self, second: u64) -> bool {
        second >= self.begins && self.made < self.work
    }

    fn step(&mut self, ledger: &mut Ledger, second: u64) {
        if !self.has_work(second) {
            return;
        }
        if self.lot.is_none() {
            if second < self.asks_at {
                return;
            }
            let wanted = Ledger::lot(ALLOWANCE).min(u32::try_from(self.work - self.made).unwrap());
            let ask = Ask {
                made: self.made,
                ..ask(self.claimant.clone(), wanted)
            };
            match ledger.take(&ask, at(second)) {
                Taken::Granted(lot) => {
                    let waited = self.asked_since.take().map_or(0, |since| second - since);
                    self.longest_wait = self.longest_wait.max(waited);
                    self.lot = Some((lot, 0));
                }
                Taken::Spent(until) | Taken::Behind(until) | Taken::Paused(until) => {
                    self.asked_since.get_or_insert(second);
                    let until = (millis(until) - START).div_ceil(SECOND);
                    self.asks_at = until.clamp(second + 1, second + 15);
                    return;
                }
                Taken::Unusable(_) => unreachable!(),
            }
        }
        let (lot, spent) = self.lot.as_mut().unwrap();
        let now = self.rate.min(lot.requests - *spent);
        *spent += now;
        self.made += u64::from(now);
        self.sent.push((second, now));
        if *spent == lot.requests || self.made >= self.work {
            let settled = Settled {
                answered: *spent,
                returned: lot.requests - *spent,
            };
            ledger.settle(lot.id, settled, at(second));
            self.lot = None;
        }
    }
}

fn run(agents: &mut [Agent], hours: u64) {
    let mut ledger = Ledger::default();
    for second in 0..hours * 3600 {
        for agent in agents.iter_mut() {
            agent.step(&mut ledger, second);
        }
        if second % 601 == 0 {
            // As a database keeps it.
            let text = serde_json::to_string(&ledger).unwrap();
            ledger = serde_json::from_str(&text).unwrap();
        }
    }
    let mut sent: Vec<u32> = vec![0; usize::try_from(hours * 3600).unwrap()];
    for (second, count) in agents.iter().flat_map(|agent| &agent.sent) {
        sent[usize::try_from(*second).unwrap()] += count;
    }
    let most = sent
        .windows(3600)
        .map(|hour| hour.iter().sum::<u32>())
        .max();
    assert!(most.unwrap() <= ALLOWANCE, "{most:?} in an hour");
}

fn sent_between(agents: &[Agent], from: u64, to: u64) -> u32 {
    let sent = agents.iter().flat_map(|agent| &agent.sent);
    let between = sent.filter(|(second, _)| (from..to).contains(second));
    between.map(|(_, count)| count).sum()
}

fn job(name: &str, weight: u32, forecast: Option<u64>) -> Claimant {
    Claimant::job(name, weight, forecast)
}

#[test]
fn backfills_use_the_hour_by_their_shares() {
    let mut agents: Vec<_> = (1..=12)
        .map(|number| {
            let weight = 1 + u32::from(number > 8);
            let rate = 1 + number % 4;
            Agent::new(
                job(&format!("job {number}"), weight, Some(100_000)),
                rate,
                100_000,
                0,
            )
        })
        .collect();
    run(&mut agents, 5);
    let all = sent_between(&agents, 0, 5 * 3600);
    assert!(all >= 5 * ALLOWANCE * 95 / 100, "{all}");
    let all = f64::from(sent_between(&agents, 0, 5 * 3600));
    let weights: u32 = agents.iter().map(|agent| agent.claimant.weight).sum();
    for agent in &agents {
        let part = f64::from(sent_between(std::slice::from_ref(agent), 0, 5 * 3600)) / all;
        let share = f64::from(agent.claimant.weight) / f64::from(weights);
        assert!(
            (part / share - 1.0).abs() < 0.05,
            "{}: {part} of {share}",
            agent.claimant.name
        );
    }
}

#[test]
fn what_a_slow_job_does_not_use_is_for_others() {
    let slow = Agent::new(job("slow", 1, None), 1, 100_000, 0);
    let mut agents = [slow, Agent::new(job("fast", 1, None), 4, 100_000, 0)];
    // It makes a lot in a second, then is busy with other things for two minutes.
    let mut ledger = Ledger::default();
    let (mut idle_from, mut made) = (0, 0);
    for second in 0..2 * 3600 {
        if second >= idle_from && second % 5 == 0 {
            let lot = ledger.take(&ask(job("slow", 1, None), 9 - made), at(second));
            if let Taken::Granted(lot) = lot {
                ledger.settle(lot.id, answered(lot.requests), at(second));
                agents[0].sent.push((second, lot.requests));
                made += lot.requests;
                if made >= 9 {
                    (idle_from, made) = (second + 120, 0);
                }
            }
        }
        agents[1].step(&mut ledger, second);
    }
    let all = sent_between(&agents, 0, 3600);
    assert!(all >= ALLOWANCE * 95 / 100, "{all}");
    let slow = sent_between(&agents[..1], 3600, 7200);
    assert!(slow >= 200, "{slow}");
}

#[test]
fn a_small_run_does_not_wait_for_a_backfill() {
    let mut agents = vec![Agent::new(job("backfill", 1, Some(20_000)), 4, 20_000, 0)];
    for number in 0_u64..8 {
        // Every ten minutes from a time on when the backfill has spent the hour.
        let name = format!("incremental {number}");
        agents.push(Agent::new(
            job(&name, 1, Some(5)),
            1,
            5,
            1200 + 600 * number,
        ));
    }
    run(&mut agents, 3);
    for agent in &agents[1..] {
        assert!(agent.made >= agent.work, "{}", agent.claimant.name);
        assert!(
            agent.longest_wait <= 15,
            "{}: {} s",
            agent.claimant.name,
            agent.longest_wait
        );
    }
}

#[test]
fn people_go_before_jobs() {
    let mut agents = vec![
        Agent::new(job("backfill", 5, Some(20_000)), 4, 20_000, 0),
        Agent::new(job("often", 1, None), 1, 3_000, 0),
        Agent::new(Claimant::person("User 17"), 1, 5, 2000),
    ];
    run(&mut agents, 2);
    assert_eq!((agents[2].made, agents[2].longest_wait), (5, 0));
}

#[test]
fn one_job_alone_gets_all_that_is_not_kept_for_people_and_small_runs() {
    let mut agents = [Agent::new(job("backfill", 1, Some(20_000)), 4, 20_000, 0)];
    run(&mut agents, 4);
    let sent = sent_between(&agents, 0, 4 * 3600);
    assert!(sent >= 4 * ALLOWANCE * 95 / 100, "{sent}");
}

#[test]
fn lots_of_the_dead_come_back() {
    let mut ledger = Ledger::default();
    let lot = granted(ledger.take(&ask(job("killed", 1, None), 9), at(0)));
    assert_eq!(lot.requests, 9);
    let standing = ledger.standing(ALLOWANCE, at(1));
    assert_eq!((standing.used, standing.reserved), (0, 9));
    let standing = ledger.standing(ALLOWANCE, at(120));
    assert_eq!((standing.used, standing.reserved), (9, 0));
    // It may have sent them; what it says now is too late.
    ledger.settle(
        lot.id,
        Settled {
            answered: 0,
            returned: 9,
        },
        at(121),
    );
    assert_eq!(ledger.standing(ALLOWANCE, at(121)).used, 9);
    let standing = ledger.standing(ALLOWANCE, at(120 + 3600 + 15));
    assert_eq!((standing.used, standing.free()), (0, ALLOWANCE));
}

#[test]
fn what_was_not_sent_is_given_back_at_once() {
    let mut ledger = Ledger::default();
    let lot = granted(ledger.take(&ask(job("short", 1, None), 9), at(0)));
    ledger.settle(
        lot.id,
        Settled {
            answered: 2,
            returned: 7,
        },
        at(5),
    );
    let standing = ledger.standing(ALLOWANCE, at(5));
    assert_eq!(
        (standing.used, standing.reserved, standing.free()),
        (2, 0, ALLOWANCE - 2)
    );
}

#[test]
fn a_pause_holds_for_everybody() {
    let mut ledger = Ledger::default();
    ledger.pause(at(100), at(0));
    ledger.pause(at(50), at(1));
    let asked = ask(Claimant::person("User 17"), 1);
    assert_eq!(ledger.take(&asked, at(99)), Taken::Paused(at(100)));
    granted(ledger.take(&asked, at(100)));
}

#[test]
fn the_standing_says_who_waits_and_when_it_is_done() {
    let mut ledger = Ledger::default();
    let backfill = job("backfill", 1, Some(2_000));
    let mut made = 0;
    loop {
        let asked = Ask {
            made,
            ..ask(backfill.clone(), 9)
        };
        match ledger.take(&asked, at(0)) {
            Taken::Granted(lot) => {
                ledger.settle(lot.id, answered(lot.requests), at(0));
                made += u64::from(lot.requests);
            }
            Taken::Spent(_) | Taken::Behind(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let standing = ledger.standing(ALLOWANCE, at(1));
    let claimant = &standing.claimants[0];
    assert_eq!(
        (claimant.rank, claimant.used),
        (Rank::Large, u32::try_from(made).unwrap())
    );
    assert_eq!(claimant.waits_since, Some(at(0)));
    assert_eq!(claimant.left, Some(2_000 - made));
    assert!(claimant.done_at.unwrap() > at(3600));
    // A few are free for others.
    assert!(standing.free() > 0 && standing.next_free.is_none());
}

/// What happens to a ledger.
#[derive(Debug, Clone)]
enum Step {
    Take {
        who: usize,
        wanted: u32,
    },
    /// So many of the oldest lot were answered, the rest was not sent; `None`: its process is killed.
    End(Option<u32>),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..4, 1_u32..40).prop_map(|(who, wanted)| Step::Take { who, wanted }),
        5 => proptest::option::weighted(0.9, 0_u32..40).prop_map(Step::End),
        3 => (0_u64..900).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Requests may reach the service at any time between the grant and the settling, or the end of the lot.
    #[test]
    fn no_hour_has_more_than_the_allowance(steps in proptest::collection::vec(step(), 1..300)) {
        let allowance = 100;
        let mut ledger = Ledger::default();
        let mut now = 0;
        let mut lots: Vec<(Lot, u64)> = Vec::new();
        // When requests were sent at the latest.
        let mut sent: Vec<(u64, u32)> = Vec::new();
        let claimants = [
            Claimant::person("User 17"),
            job("small", 1, Some(3)),
            job("large", 1, Some(500)),
            job("unknown", 3, None),
        ];
        for step in steps {
            match step {
                Step::Take { who, wanted } => {
                    let asked = Ask { allowance, ..ask(claimants[who].clone(), wanted) };
                    if let Taken::Granted(lot) = ledger.take(&asked, at(now)) {
                        prop_assert!((1..=wanted).contains(&lot.requests));
                        lots.push((lot, now));
                    }
                }
                Step::End(_) if lots.is_empty() => {}
                Step::End(answers) => {
                    let (lot, taken) = lots.remove(0);
                    let ends = taken + LEASE / SECOND;
                    match answers {
                        Some(answers) => {
                            let answers = answers.min(lot.requests);
                            let settled = Settled { answered: answers, returned: lot.requests - answers };
                            ledger.settle(lot.id, settled, at(now));
                            sent.push((now.min(ends), answers));
                        }
                        None => sent.push((ends, lot.requests)),
                    }
                }
                Step::Wait(seconds) => now += seconds,
            }
            let open: u32 = lots.iter().map(|(lot, _)| lot.requests).sum();
            let since = now.saturating_sub(3600);
            let hour = sent.iter().filter(|(second, _)| *second > since || since == 0);
            let hour: u32 = hour.map(|(_, count)| count).sum();
            let open_in_hour: u32 = lots.iter()
                .filter(|(_, taken)| taken + LEASE / SECOND > since)
                .map(|(lot, _)| lot.requests)
                .sum();
            prop_assert!(hour + open_in_hour <= allowance, "{hour} and {open_in_hour} of {open}");
            let standing = ledger.standing(allowance, at(now));
            prop_assert!(standing.used + standing.reserved <= allowance);
        }
    }

    /// Whatever a database holds, and however the clock is set, the ledger goes on.
    #[test]
    fn any_clock_is_survived(times in proptest::collection::vec(0_u64..20_000, 1..60)) {
        let mut ledger = Ledger::default();
        for seconds in times {
            if let Taken::Granted(lot) = ledger.take(&ask(job("a", 1, None), 9), at(seconds)) {
                ledger.settle(lot.id, answered(lot.requests), at(seconds));
            }
            let standing = ledger.standing(ALLOWANCE, at(seconds));
            prop_assert!(standing.used <= ALLOWANCE);
            prop_assert!(standing.next_free.is_none_or(|free| free <= at(seconds + 3600 + 15)));
        }
    }
}

//! Two years in six zones, with both changes of the clocks, kills, shutdowns and a pause, against a plain model.

use bucketline_app::{Overlap, Pause, RunState};
use chrono::{DateTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use crate::schedule_model::{Days, Plain};
use crate::world::{Script, World, job, schedule, secs, time};

const START: &str = "2026-01-01T00:00:17Z";
const END: &str = "2028-01-01T00:00:17Z";

/// From when until when the program is not running, and whether it was killed.
const DOWN: [(&str, &str, bool); 7] = [
    ("2026-01-20T06:03:17Z", "2026-01-20T06:04:17Z", true),
    ("2026-03-28T22:00:17Z", "2026-03-29T06:45:17Z", false),
    ("2026-06-30T00:10:17Z", "2026-07-03T00:10:17Z", true),
    ("2026-10-25T00:20:17Z", "2026-10-25T01:20:17Z", true),
    ("2027-03-14T05:40:17Z", "2027-03-14T13:40:17Z", true),
    ("2027-04-03T14:50:17Z", "2027-04-03T15:20:17Z", false),
    ("2027-10-30T22:10:17Z", "2027-11-03T22:10:17Z", true),
];

/// From when until when the jobs are paused.
const PAUSED: (&str, &str) = ("2026-09-01T12:34:17Z", "2026-09-05T12:34:17Z");

/// A job, and how the model sees it.
struct Case {
    plain: Plain,
    takes: u64,
    overlap: Overlap,
    catch_up: Option<u32>,
}

fn cases() -> Vec<Case> {
    let plain = |text: &str, minutes: &[u32], hours: &[u32], days, named| Plain {
        text: text.to_owned(),
        minutes: minutes.to_vec(),
        hours: hours.to_vec(),
        days,
        named,
        grain: 10,
    };
    let case = |plain, takes, overlap, catch_up| Case {
        plain,
        takes,
        overlap,
        catch_up,
    };
    vec![
        // In the hour that is left out and repeated in most zones.
        case(
            plain("30 2 * * *", &[30], &[2], Days::All, true),
            2407,
            Overlap::Skip,
            None,
        ),
        // Sometimes longer than the interval, so that slots are skipped.
        case(
            plain("0 */6 * * *", &[0], &[0, 6, 12, 18], Days::All, false),
            22_207,
            Overlap::Skip,
            Some(7200),
        ),
        case(
            plain(
                "*/30 0-3 * * 0",
                &[0, 30],
                &[0, 1, 2, 3],
                Days::OfWeek(vec![Weekday::Sun]),
                false,
            ),
            2467,
            Overlap::QueueOne,
            None,
        ),
    ]
}

/// What became of a due time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fate {
    due: DateTime<Utc>,
    state: RunState,
    /// The first due time that shares the run.
    with: DateTime<Utc>,
    /// When the run ended; of those that did not run, nothing.
    ended: Option<DateTime<Utc>>,
}

/// The plain model: one job, one moment after the other.
#[derive(Default)]
struct Model {
    takes: TimeDelta,
    fates: Vec<Fate>,
    /// The first due time of the run that runs, and its end.
    running: Option<(DateTime<Utc>, DateTime<Utc>)>,
    queued: Option<DateTime<Utc>>,
}

impl Model {
    fn of(case: &Case, zone: Tz) -> Vec<Fate> {
        let mut model = Self {
            takes: TimeDelta::seconds(case.takes.cast_signed()),
            ..Self::default()
        };
        let mut due = case.plain.due(zone, time(START), time(END));
        due.retain(|due| !(time(PAUSED.0) < *due && *due <= time(PAUSED.1)));
        let next = |due: DateTime<Utc>| case.plain.due(zone, due, due + TimeDelta::days(8))[0];
        let mut from = 0;
        for (down, up, _) in DOWN {
            let (down, up) = (time(down), time(up));
            let missed = due.partition_point(|due| *due <= down);
            let owed = due.partition_point(|due| *due <= up);
            model.live(&due[from..missed], case.overlap);
            model.restart(&due[missed..owed], down, up, |last| match case.catch_up {
                Some(seconds) => TimeDelta::seconds(seconds.into()),
                None => (next(last) - last).min(TimeDelta::days(1)),
            });
            from = owed;
        }
        model.live(&due[from..], case.overlap);
        model.go_on_until(time(END) + TimeDelta::days(1));
        model.fates
    }

    fn live(&mut self, due: &[DateTime<Utc>], overlap: Overlap) {
        for due in due {
            self.go_on_until(*due);
            let may_queue = overlap == Overlap::QueueOne && self.queued.is_none();
            match self.running {
                None => self.begin(&[*due], *due),
                Some(_) if may_queue => {
                    self.queued = Some(*due);
                    self.fate(&[*due], RunState::Succeeded);
                }
                Some(_) => self.fate(&[*due], RunState::Skipped),
            }
        }
    }

    /// What runs at `down` begins anew at `up`; then what was due meanwhile has its turn.
    fn restart(
        &mut self,
        owed: &[DateTime<Utc>],
        down: DateTime<Utc>,
        up: DateTime<Utc>,
        window: impl Fn(DateTime<Utc>) -> TimeDelta,
    ) {
        self.go_on_until(down);
        if let Some((_, end)) = &mut self.running {
            *end = up + self.takes;
        }
        let Some(last) = owed.last() else { return };
        if up - *last > window(*last).max(TimeDelta::minutes(1)) {
            self.fate(owed, RunState::Missed);
        } else if self.running.is_some() {
            self.fate(owed, RunState::Skipped);
        } else {
            self.begin(owed, up);
        }
    }

    fn begin(&mut self, due: &[DateTime<Utc>], at: DateTime<Utc>) {
        self.running = Some((due[0], at + self.takes));
        self.fate(due, RunState::Succeeded);
    }

    fn fate(&mut self, due: &[DateTime<Utc>], state: RunState) {
        let fates = due.iter().map(|one| Fate {
            due: *one,
            state,
            with: due[0],
            ended: None,
        });
        self.fates.extend(fates);
    }

    fn go_on_until(&mut self, now: DateTime<Utc>) {
        while let Some((first, end)) = self.running
            && end <= now
        {
            for fate in self.fates.iter_mut().filter(|fate| fate.with == first) {
                fate.ended = Some(end);
            }
            self.running = self.queued.take().map(|queued| (queued, end + self.takes));
        }
    }
}

async fn two_years_in(zone: Tz) {
    let mut world = World::new(START).await;
    world.settings.zone = zone;
    world.settings.beat = secs(86_400);
    world.settings.prune_every = secs(30 * 86_400);
    let mut jobs = Vec::new();
    for (n, case) in cases().into_iter().enumerate() {
        let statement = format!("REPLICATE T{n}");
        let mut job = job(&format!("job {n}"), None, &[&statement]);
        let mut given = schedule(&case.plain.text);
        given.overlap = case.overlap;
        given.catch_up = case.catch_up;
        job.schedule = Some(given);
        world
            .runner
            .tell(&statement, [Script::succeeds_in(case.takes)]);
        jobs.push((world.add(&job).await.job.id, case));
    }
    let mut events: Vec<(DateTime<Utc>, Event)> = vec![
        (time(PAUSED.0), Event::Pauses(true)),
        (time(PAUSED.1), Event::Pauses(false)),
        (time(END), Event::Ends),
    ];
    for (down, up, is_killed) in DOWN {
        events.push((
            time(down),
            if is_killed {
                Event::IsKilled
            } else {
                Event::ShutsDown
            },
        ));
        events.push((time(up), Event::Starts));
    }
    events.sort_by_key(|(at, _)| *at);
    world.start();
    for (at, event) in events {
        world.run_until(at).await;
        match event {
            Event::Pauses(pauses) => {
                let pause = Pause {
                    at,
                    why: "a few days off".to_owned(),
                };
                for (job, _) in &jobs {
                    world
                        .store
                        .pause_job(*job, pauses.then_some(&pause), &world.change())
                        .await
                        .unwrap();
                }
                world.handle().wake();
            }
            Event::IsKilled => world.kill().await,
            Event::ShutsDown => world.shut_down().await,
            Event::Starts => world.start(),
            Event::Ends => {}
        }
    }
    // What runs comes to its end; slots after the end do not count.
    world.run_for(TimeDelta::days(1)).await;
    assert_eq!(world.runner.offences(), Vec::<String>::new());
    for (job, case) in jobs {
        let runs = world.runs(job).await;
        let slots = world.slots(job).await;
        let fates: Vec<Fate> = slots
            .iter()
            .filter(|slot| slot.due <= time(END))
            .map(|slot| {
                let run = &runs[runs.partition_point(|run| run.id < slot.run)];
                Fate {
                    due: slot.due,
                    state: run.state,
                    with: slots[slots.partition_point(|other| other.run < slot.run)].due,
                    ended: run.ended_at.filter(|_| run.state == RunState::Succeeded),
                }
            })
            .collect();
        let model = Model::of(&case, zone);
        for (fate, expected) in fates.iter().zip(&model) {
            assert_eq!(fate, expected, "{} in {zone}", case.plain.text);
        }
        assert_eq!(fates.len(), model.len(), "{} in {zone}", case.plain.text);
        for state in [RunState::Succeeded, RunState::Skipped] {
            let is_there = model.iter().any(|fate| fate.state == state);
            assert!(
                is_there || case.takes == 2407,
                "no slot is {state}: {}",
                case.plain.text
            );
        }
    }
}

enum Event {
    Pauses(bool),
    IsKilled,
    ShutsDown,
    Starts,
    Ends,
}

macro_rules! zones {
    ($($name:ident $zone:ident;)*) => {$(
        #[tokio::test]
        async fn $name() {
            two_years_in(Tz::$zone).await;
        }
    )*};
}

zones! {
    slots_and_runs_equal_the_model_in_utc UTC;
    slots_and_runs_equal_the_model_in_vienna Europe__Vienna;
    slots_and_runs_equal_the_model_in_new_york America__New_York;
    slots_and_runs_equal_the_model_in_lord_howe Australia__Lord_Howe;
    slots_and_runs_equal_the_model_in_cairo Africa__Cairo;
    slots_and_runs_equal_the_model_in_santiago America__Santiago;
}

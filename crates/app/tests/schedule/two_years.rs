use bucketline_app::schedule::Schedule;
use chrono::{DateTime, Utc, Weekday};
use chrono_tz::Tz;

use crate::model::{Days, Plain};

/// Zones that change their clocks at different hours, by different lengths, in both hemispheres, and one that does not.
const ZONES: [Tz; 6] = [
    Tz::UTC,
    Tz::Europe__Vienna,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Cairo,
    Tz::America__Santiago,
];

fn plain(text: &str, minutes: Vec<u32>, hours: Vec<u32>, days: Days, named: bool) -> Plain {
    Plain {
        text: text.to_owned(),
        minutes,
        hours,
        days,
        named,
        grain: 10,
    }
}

#[test]
fn for_two_years_in_six_zones_due_times_equal_the_model() {
    let all: Vec<u32> = (0..24).collect();
    let (from, to): (DateTime<Utc>, DateTime<Utc>) = (
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2028-01-01T00:00:00Z".parse().unwrap(),
    );
    for plain in [
        plain(
            "*/10 * * * *",
            vec![0, 10, 20, 30, 40, 50],
            all.clone(),
            Days::All,
            false,
        ),
        plain("0 * * * *", vec![0], all, Days::All, false),
        plain("30 2 * * *", vec![30], vec![2], Days::All, true),
        plain(
            "0 0 ? * 0",
            vec![0],
            vec![0],
            Days::OfWeek(vec![Weekday::Sun]),
            true,
        ),
        plain(
            "0 0,2,12 L * ?",
            vec![0],
            vec![0, 2, 12],
            Days::LastOfMonth,
            true,
        ),
    ] {
        for zone in ZONES {
            let schedule = Schedule::new(&plain.text, zone).unwrap();
            let due: Vec<DateTime<Utc>> = schedule
                .after(from)
                .map(|due| due.to_utc())
                .take_while(|due| *due <= to)
                .collect();
            assert_eq!(due, plain.due(zone, from, to), "{} in {zone}", plain.text);
        }
    }
}

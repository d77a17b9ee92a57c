use bucketline_app::schedule::Schedule;
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::model::{Days, Plain};

fn due(cron: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
    let (from, to): (DateTime<Utc>, DateTime<Utc>) = (from.parse().unwrap(), to.parse().unwrap());
    let schedule = Schedule::new(cron, zone).unwrap();
    schedule
        .after(from)
        .take_while(|due| *due <= to)
        .map(|due| due.format("%H:%M%z").to_string())
        .collect()
}

#[test]
fn when_clocks_go_forward_a_named_time_is_due_after_the_gap_and_an_interval_goes_on() {
    let berlin = |cron| {
        due(
            cron,
            Tz::Europe__Berlin,
            "2026-03-28T23:59:00Z",
            "2026-03-29T02:30:00Z",
        )
    };
    assert_eq!(berlin("30 2 * * *"), ["03:00+0200"]);
    assert_eq!(berlin("30 2,14 * * *"), ["03:00+0200"]);
    assert_eq!(berlin("15,45 2 * * *"), ["03:00+0200"]);
    assert_eq!(berlin("0 1,2,3 * * *"), ["01:00+0100", "03:00+0200"]);
    assert_eq!(
        berlin("*/30 * * * *"),
        [
            "01:00+0100",
            "01:30+0100",
            "03:00+0200",
            "03:30+0200",
            "04:00+0200",
            "04:30+0200"
        ]
    );
    assert_eq!(berlin("*/30 2 * * *"), [""; 0]);
    assert_eq!(berlin("30 1-3 * * *"), ["01:30+0100", "03:30+0200"]);
}

#[test]
fn when_clocks_go_back_a_named_time_is_due_once_and_an_interval_in_both_passes() {
    let berlin = |cron| {
        due(
            cron,
            Tz::Europe__Berlin,
            "2026-10-24T23:00:00Z",
            "2026-10-25T02:15:00Z",
        )
    };
    assert_eq!(berlin("30 2 * * *"), ["02:30+0200"]);
    assert_eq!(berlin("30 2,14 * * *"), ["02:30+0200"]);
    assert_eq!(
        berlin("*/30 * * * *"),
        [
            "01:30+0200",
            "02:00+0200",
            "02:30+0200",
            "02:00+0100",
            "02:30+0100",
            "03:00+0100"
        ]
    );
    assert_eq!(
        berlin("0 * * * *"),
        ["02:00+0200", "02:00+0100", "03:00+0100"]
    );
}

#[test]
fn a_search_from_within_the_repeated_hour_finds_what_is_left_of_it() {
    let from_second_pass = |cron| {
        due(
            cron,
            Tz::Europe__Berlin,
            "2026-10-25T01:10:00Z",
            "2026-10-25T02:00:00Z",
        )
    };
    assert_eq!(
        from_second_pass("*/30 * * * *"),
        ["02:30+0100", "03:00+0100"]
    );
    assert_eq!(from_second_pass("30 2 * * *"), [""; 0]);
}

#[test]
fn midnight_that_is_left_out_and_half_hours_are_seen() {
    // Clocks go forward at midnight.
    let cairo = due(
        "0 0 * * *",
        Tz::Africa__Cairo,
        "2026-04-23T12:00:00Z",
        "2026-04-24T12:00:00Z",
    );
    assert_eq!(cairo, ["01:00+0300"]);
    // By half an hour.
    let lord_howe = |from, to| due("*/15 1-2 * * *", Tz::Australia__Lord_Howe, from, to);
    assert_eq!(
        lord_howe("2026-10-03T14:00:00Z", "2026-10-03T16:15:00Z"),
        [
            "01:00+1030",
            "01:15+1030",
            "01:30+1030",
            "01:45+1030",
            "02:30+1100",
            "02:45+1100"
        ]
    );
    // A whole day was left out.
    let apia = due(
        "0 8 * * *",
        Tz::Pacific__Apia,
        "2011-12-29T12:00:00Z",
        "2012-01-01T00:00:00Z",
    );
    assert_eq!(
        apia,
        ["08:00-1000", "00:00+1400", "08:00+1400", "08:00+1400"]
    );
}

/// The moments at which a zone's offset changes in the years that schedules are run in.
fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
    let offset = |hour: i64| {
        let moment = Utc.timestamp_opt(hour * 3600, 0).unwrap();
        chrono::Offset::fix(&zone.offset_from_utc_datetime(&moment.naive_utc())).local_minus_utc()
    };
    let start = NaiveDate::from_ymd_opt(2026, 1, 1)
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap();
    let first = start.and_utc().timestamp() / 3600;
    // Two years, a week at a time, then the hour in it.
    (0..104)
        .filter_map(|week| {
            let (mut before, mut after) = (first + week * 168, first + (week + 1) * 168);
            if offset(before) == offset(after) {
                return None;
            }
            while after - before > 1 {
                let middle = (before + after) / 2;
                if offset(middle) == offset(before) {
                    before = middle
                } else {
                    after = middle
                }
            }
            Some(Utc.timestamp_opt(after * 3600, 0).unwrap())
        })
        .collect()
}

fn plain() -> impl Strategy<Value = Plain> {
    let minutes = prop_oneof![
        prop::collection::btree_set(0u32..60, 1..4).prop_map(|set| (
            list(&set),
            set.into_iter().collect(),
            true
        )),
        (1u32..31).prop_map(|step| (
            format!("*/{step}"),
            (0..60).step_by(step as usize).collect(),
            false
        )),
        (0u32..59, 2u32..30).prop_map(|(from, step)| {
            (
                format!("{from}/{step}"),
                (from..60).step_by(step as usize).collect(),
                false,
            )
        }),
    ];
    let hours = prop_oneof![
        prop::collection::btree_set(0u32..24, 1..6).prop_map(|set| (
            list(&set),
            set.into_iter().collect(),
            true
        )),
        prop::collection::btree_set(0u32..4, 1..4).prop_map(|set| (
            list(&set),
            set.into_iter().collect(),
            true
        )),
        Just(("*".to_owned(), (0..24).collect(), false)),
        (1u32..12).prop_map(|step| (
            format!("*/{step}"),
            (0..24).step_by(step as usize).collect(),
            false
        )),
        (0u32..12, 12u32..24).prop_map(|(from, to)| (
            format!("{from}-{to}"),
            (from..=to).collect(),
            false
        )),
    ];
    let days = prop_oneof![
        3 => Just(("* *".to_owned(), "*".to_owned(), Days::All)),
        1 => prop::collection::btree_set(1u32..32, 1..9)
            .prop_map(|set| (format!("{} *", list(&set)), "?".to_owned(), Days::OfMonth(set.into_iter().collect()))),
        1 => prop::collection::btree_set(0u8..7, 1..4).prop_map(|set| {
            ("? *".to_owned(), list(&set), Days::OfWeek(set.into_iter().map(weekday).collect()))
        }),
        1 => (1u32..32, 0u8..7).prop_map(|(day, week)| {
            (format!("{day} *"), week.to_string(), Days::Either(vec![day], vec![weekday(week)]))
        }),
        1 => Just(("L *".to_owned(), "?".to_owned(), Days::LastOfMonth)),
    ];
    (minutes, hours, days).prop_map(
        |(
            (minute_text, minutes, minute_named),
            (hour_text, hours, hour_named),
            (day_text, weekday_text, days),
        )| Plain {
            text: format!("{minute_text} {hour_text} {day_text} {weekday_text}"),
            minutes,
            hours,
            days,
            named: minute_named && hour_named,
            grain: 1,
        },
    )
}

fn list<T: ToString>(set: &std::collections::BTreeSet<T>) -> String {
    set.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn weekday(from_sunday: u8) -> Weekday {
    Weekday::try_from((from_sunday + 6) % 7).unwrap()
}

fn equals_the_model(
    plain: &Plain,
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<(), TestCaseError> {
    let schedule = Schedule::new(&plain.text, zone).unwrap();
    let due: Vec<DateTime<Utc>> = schedule
        .after(from)
        .map(|due| due.to_utc())
        .take_while(|due| *due <= to)
        .collect();
    prop_assert_eq!(
        due,
        plain.due(zone, from, to),
        "{} in {} from {}",
        plain.text,
        zone,
        from
    );
    Ok(())
}

#[test]
fn around_every_change_of_every_zone_due_times_equal_the_model() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let plain = plain();
    let mut seen = 0;
    for zone in TZ_VARIANTS {
        for change in changes(zone) {
            seen += 1;
            let case = plain.new_tree(&mut runner).unwrap().current();
            let (from, to) = (change - TimeDelta::hours(30), change + TimeDelta::hours(30));
            equals_the_model(&case, zone, from, to).unwrap();
        }
    }
    assert!(seen > 500, "{seen} changes of clocks in two years");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn in_any_zone_at_any_time_due_times_equal_the_model(
        plain in plain(),
        zone in prop::sample::select(TZ_VARIANTS.to_vec()),
        // 1990 to 2037.
        start in 631_152_000i64..2_145_916_800,
        offset in 0i64..100,
    ) {
        let from = Utc.timestamp_opt(start, 0).unwrap();
        equals_the_model(&plain, zone, from, from + TimeDelta::hours(72))?;
        // A search may begin at any moment.
        let schedule = Schedule::new(&plain.text, zone).unwrap();
        let begin = from + TimeDelta::minutes(offset * 43);
        let expected = plain.due(zone, begin, begin + TimeDelta::hours(72));
        let found = schedule.next_after(begin).map(|due| due.to_utc());
        if let Some(expected) = expected.first() {
            prop_assert_eq!(found, Some(*expected));
        }
    }
}

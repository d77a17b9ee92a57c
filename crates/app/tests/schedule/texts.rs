use bucketline_app::Job;
use bucketline_app::schedule::{Cron, Schedule, zone};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

fn next(cron: &str, count: usize) -> Vec<String> {
    let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let schedule = Schedule::new(cron, Tz::UTC).unwrap();
    let times = schedule.after(from).take(count);
    times
        .map(|due| due.format("%a %m-%d %H:%M").to_string())
        .collect()
}

#[test]
fn texts_of_cron_and_of_cdata_mean_what_they_say() {
    for (cron, expected) in [
        (
            "*/20 * * * *",
            ["Thu 01-01 00:20", "Thu 01-01 00:40", "Thu 01-01 01:00"],
        ),
        // CData's own example: from 3 on.
        (
            "3/15 * * * *",
            ["Thu 01-01 00:03", "Thu 01-01 00:18", "Thu 01-01 00:33"],
        ),
        (
            "0 20/2 * * *",
            ["Thu 01-01 20:00", "Thu 01-01 22:00", "Fri 01-02 20:00"],
        ),
        (
            "0 0 1 10/1 *",
            ["Thu 10-01 00:00", "Sun 11-01 00:00", "Tue 12-01 00:00"],
        ),
        (
            "0 0 ? * 1/2",
            ["Fri 01-02 00:00", "Mon 01-05 00:00", "Wed 01-07 00:00"],
        ),
        (
            "0 0 ? * 7/3",
            ["Sat 01-03 00:00", "Sun 01-04 00:00", "Wed 01-07 00:00"],
        ),
        (
            "30 2 * * ?",
            ["Thu 01-01 02:30", "Fri 01-02 02:30", "Sat 01-03 02:30"],
        ),
        (
            "0 0 l * *",
            ["Sat 01-31 00:00", "Sat 02-28 00:00", "Tue 03-31 00:00"],
        ),
        (
            "0 0 15w * ?",
            ["Thu 01-15 00:00", "Mon 02-16 00:00", "Mon 03-16 00:00"],
        ),
        (
            "0 0 LW * ?",
            ["Fri 01-30 00:00", "Fri 02-27 00:00", "Tue 03-31 00:00"],
        ),
        (
            "0 0 ? * 5#2",
            ["Fri 01-09 00:00", "Fri 02-13 00:00", "Fri 03-13 00:00"],
        ),
        (
            "0 0 ? * fri#2",
            ["Fri 01-09 00:00", "Fri 02-13 00:00", "Fri 03-13 00:00"],
        ),
        (
            "0 0 ? * 5L",
            ["Fri 01-30 00:00", "Fri 02-27 00:00", "Fri 03-27 00:00"],
        ),
        (
            "0 0 ? * FRIL",
            ["Fri 01-30 00:00", "Fri 02-27 00:00", "Fri 03-27 00:00"],
        ),
        (
            "0 0 * * sat-sun",
            ["Sat 01-03 00:00", "Sun 01-04 00:00", "Sat 01-10 00:00"],
        ),
        (
            "0 0 * * 0",
            ["Sun 01-04 00:00", "Sun 01-11 00:00", "Sun 01-18 00:00"],
        ),
        (
            "0 0 * * 7",
            ["Sun 01-04 00:00", "Sun 01-11 00:00", "Sun 01-18 00:00"],
        ),
        (
            "0 0 * * mon",
            ["Mon 01-05 00:00", "Mon 01-12 00:00", "Mon 01-19 00:00"],
        ),
        (
            "0 0 1 jan,JUL *",
            ["Wed 07-01 00:00", "Fri 01-01 00:00", "Thu 07-01 00:00"],
        ),
        (
            "0 0 10 * 1",
            ["Mon 01-05 00:00", "Sat 01-10 00:00", "Mon 01-12 00:00"],
        ),
        (
            "0 0 29 2 *",
            ["Tue 02-29 00:00", "Sun 02-29 00:00", "Fri 02-29 00:00"],
        ),
        (
            "@daily",
            ["Fri 01-02 00:00", "Sat 01-03 00:00", "Sun 01-04 00:00"],
        ),
        (
            "  @Hourly ",
            ["Thu 01-01 01:00", "Thu 01-01 02:00", "Thu 01-01 03:00"],
        ),
    ] {
        assert_eq!(next(cron, 3), expected, "{cron}");
    }
}

#[test]
fn a_text_that_cannot_be_a_schedule_is_refused_with_place_and_hint() {
    for (cron, code, place, hint) in [
        (
            "",
            "BL0100",
            "",
            "minute, hour, day of the month, month, weekday, such as `*/10 * * * *`",
        ),
        ("* * * *", "BL0100", "* * * *", "minute, hour"),
        (
            "0 0 12 * * ?",
            "BL0100",
            "0 0 12 * * ?",
            "there are no seconds: write `0 12 * * ?`",
        ),
        (
            "5 0 12 * * ?",
            "BL0100",
            "5 0 12 * * ?",
            "there are no seconds and no years",
        ),
        ("@often", "BL0100", "@often", "@hourly"),
        ("60 * * * *", "BL0102", "60", "the minute takes 0 to 59"),
        ("* 24 * * *", "BL0102", "24", "the hour takes 0 to 23"),
        (
            "* * 0 * *",
            "BL0102",
            "0",
            "the day of the month takes 1 to 31",
        ),
        (
            "* * * 13 *",
            "BL0102",
            "13",
            "the month takes 1 to 12, or JAN to DEC",
        ),
        ("* * * * 8", "BL0102", "8", "0 and 7 are Sunday"),
        ("* 1,25 * * *", "BL0102", "25", "the hour takes"),
        (
            "99999999999999999999 * * * *",
            "BL0102",
            "99999999999999999999",
            "0 to 59",
        ),
        ("* 22-2 * * *", "BL0102", "22-2", "write `22-23,0-2`"),
        (
            "* * * * FRI-MON",
            "BL0102",
            "FRI-MON",
            "write `FRI-SAT,SUN-MON`",
        ),
        ("* * ? * 5#6", "BL0102", "5#6", "the last is `5L`"),
        ("*/0 * * * *", "BL0103", "*/0", "1 to 59"),
        (
            "*/90 * * * *",
            "BL0103",
            "*/90",
            "starts anew with each hour",
        ),
        ("*/x * * * *", "BL0103", "*/x", "a step is a number"),
        ("/5 * * * *", "BL0101", "/5", "write `*/5`"),
        ("noon * * * *", "BL0101", "noon", "the minute takes"),
        ("1,,2 * * * *", "BL0101", "", "the minute takes"),
        ("-5 * * * *", "BL0101", "-5", "the minute takes"),
        ("? * * * *", "BL0101", "?", "the minute takes"),
        ("*,5 * * * *", "BL0101", "*,5", "write `*` alone"),
        ("0 0 * * L", "BL0101", "L", "`5L` is the last Friday"),
        ("0 0 L-3 * *", "BL0101", "L-3", "`L` (last day)"),
        ("0 0 L,LW * *", "BL0101", "L,LW", "write one of them"),
        ("0 0 * ФЕВ *", "BL0101", "ФЕВ", "JAN to DEC"),
        ("0 0 31 2 *", "BL0104", "31 2", "`L` is the last day"),
        (
            "0 0 30,31 feb ?",
            "BL0104",
            "30,31 feb",
            "`L` is the last day",
        ),
        ("0 0 31W 4,6 *", "BL0104", "31W 4,6", "`L` is the last day"),
    ] {
        let error = Cron::parse(cron).unwrap_err();
        assert_eq!(
            (error.code().as_str(), &cron[error.span().unwrap().range()]),
            (code, place),
            "{cron}: {error}"
        );
        let given = error.hint().unwrap();
        assert!(given.contains(hint), "{cron}: {given}");
    }
}

#[test]
fn a_schedule_is_described_in_words() {
    for (cron, words) in [
        ("* * * * *", "every minute"),
        ("*/10 * * * *", "every 10 minutes"),
        ("*/7 * * * *", "every 7 minutes from each full hour"),
        (
            "3/15 * * * *",
            "every 15 minutes from minute 3 of every hour",
        ),
        ("0 * * * *", "every hour"),
        ("15 * * * *", "at minute 15 of every hour"),
        ("15,45 * * * *", "at minutes 15 and 45 of every hour"),
        ("30 2 * * *", "at 02:30 every day"),
        (
            "0,30 2,14 * * *",
            "at 02:00, 02:30, 14:00 and 14:30 every day",
        ),
        ("30 2 * * 1-5", "at 02:30 Monday to Friday"),
        ("30 2 * * MON,THU", "at 02:30 on Monday and on Thursday"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        (
            "0 0 15W * *",
            "at 00:00 on the workday nearest to day 15 of the month",
        ),
        (
            "0 0 LW 1-3 *",
            "at 00:00 on the last workday of the month in January to March",
        ),
        ("0 0 * * 5#2", "at 00:00 on the second Friday of the month"),
        ("0 0 * * 5L", "at 00:00 on the last Friday of the month"),
        (
            "0 0 10 * 1",
            "at 00:00 on day 10 of the month, and on Monday",
        ),
        (
            "*/30 9-17 * * 1-5",
            "every 30 minutes from 09:00 to 17:59 Monday to Friday",
        ),
        ("0 9-17 * * *", "on the hour from 09:00 to 17:00"),
        ("0 */6 * * *", "on the hour of every 6th hour from 00:00"),
        ("0 0 1 1 *", "at 00:00 on day 1 of the month in January"),
    ] {
        let schedule = Schedule::new(cron, Tz::UTC).unwrap();
        assert_eq!(schedule.describe(), words, "{cron}");
    }
}

#[test]
fn the_text_stays_as_it_was_given() {
    assert_eq!(
        Cron::parse(" 3/15 * ? * MON ").unwrap().as_str(),
        "3/15 * ? * MON"
    );
    assert_eq!(Cron::parse("@daily").unwrap().to_string(), "@daily");
}

#[test]
fn a_zone_goes_by_its_name_whatever_the_case() {
    assert_eq!(zone("europe/vienna").unwrap(), Tz::Europe__Vienna);
    assert_eq!(zone(" UTC ").unwrap(), Tz::UTC);
    assert_eq!(zone("America/New York").unwrap(), Tz::America__New_York);
    for (name, hint) in [
        ("Vienna", "did you mean `Europe/Vienna`?"),
        ("Europe/Viena", "did you mean `Europe/Vienna`?"),
        ("new york", "did you mean `America/New_York`?"),
        (
            "",
            "use a name of the IANA database, such as `Europe/Vienna` or `UTC`",
        ),
        (
            "+02:00",
            "use a name of the IANA database, such as `Europe/Vienna` or `UTC`",
        ),
    ] {
        let error = zone(name).unwrap_err();
        assert_eq!(
            (error.code().as_str(), error.hint()),
            ("BL0105", Some(hint)),
            "{name}"
        );
    }
}

mod any_text {
    use super::*;
    use proptest::prelude::*;

    fn number_or_not() -> impl Strategy<Value = String> {
        prop_oneof![
            (0u8..70).prop_map(|number| number.to_string()),
            prop::sample::select(vec![
                "*", "?", "L", "LW", "15W", "31W", "5#2", "MON", "FRIL", "JAN", "SUN", "7L", "0#5"
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn field() -> impl Strategy<Value = String> {
        let part = (
            number_or_not(),
            prop::option::of(0u8..70),
            prop::option::of(0u8..70),
        );
        let part = part.prop_map(|(from, to, step)| {
            let mut part = from;
            if let Some(to) = to {
                part += &format!("-{to}");
            }
            if let Some(step) = step {
                part += &format!("/{step}");
            }
            part
        });
        prop_oneof![
            3 => Just("*".to_owned()),
            5 => prop::collection::vec(part, 1..3).prop_map(|parts| parts.join(",")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// What is saved can be run: a text is refused with a place, or has due times in this century.
        #[test]
        fn is_refused_with_a_place_or_has_due_times(fields in prop::collection::vec(field(), 5)) {
            let text = fields.join(" ");
            match Schedule::new(&text, Tz::Europe__Berlin) {
                Ok(schedule) => {
                    let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
                    let due = schedule.next_after(from);
                    prop_assert!(due.is_some_and(|due| due.to_utc() > from), "{text}: {due:?}");
                    prop_assert!(!schedule.describe().is_empty());
                }
                Err(error) => {
                    prop_assert!(text.get(error.span().unwrap().range()).is_some(), "{text}: {:?}", error.span());
                    prop_assert_ne!(error.code().as_str(), "BL0100");
                    prop_assert!(!error.to_string().contains("not understood"), "{text}: {error}");
                }
            }
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            if let Err(error) = Cron::parse(&text) {
                prop_assert!(text.get(error.span().unwrap().range()).is_some());
            }
        }
    }
}

#[test]
fn a_job_with_a_wrong_schedule_is_refused_with_the_field_and_the_place() {
    let mut job = Job::new("nightly", "acme", "copy");
    job.schedule =
        Some(serde_json::from_str(r#"{"cron": "0 25 * * *", "zone": "Vienna"}"#).unwrap());
    let problems: Vec<String> = job
        .problems()
        .iter()
        .map(|problem| format!("{} {problem}", problem.code))
        .collect();
    assert_eq!(
        problems,
        [
            "BL0102 schedule.cron, 1:3: 25 is out of range for the hour",
            "BL0105 schedule.zone: there is no time zone `Vienna`",
        ]
    );
}

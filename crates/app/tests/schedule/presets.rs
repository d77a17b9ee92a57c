use std::time::Duration;

use bucketline_app::schedule::{Cron, MonthDay, PRESET_JITTER, Preset, jitter};
use chrono::Weekday;

fn all() -> Vec<(Preset, &'static str)> {
    vec![
        (Preset::Minute { every: 1 }, "* * * * *"),
        (Preset::Minute { every: 5 }, "*/5 * * * *"),
        (Preset::Minute { every: 10 }, "*/10 * * * *"),
        (Preset::Minute { every: 15 }, "*/15 * * * *"),
        (Preset::Minute { every: 20 }, "*/20 * * * *"),
        (Preset::Minute { every: 30 }, "*/30 * * * *"),
        (Preset::Hourly { minute: 0 }, "0 * * * *"),
        (Preset::Hourly { minute: 45 }, "45 * * * *"),
        (
            Preset::Daily {
                hour: 2,
                minute: 30,
            },
            "30 2 * * *",
        ),
        (
            Preset::Weekly {
                weekday: Weekday::Sun,
                hour: 4,
                minute: 0,
            },
            "0 4 * * 0",
        ),
        (
            Preset::Weekly {
                weekday: Weekday::Sat,
                hour: 4,
                minute: 0,
            },
            "0 4 * * 6",
        ),
        (
            Preset::Monthly {
                day: MonthDay::Day(15),
                hour: 0,
                minute: 0,
            },
            "0 0 15 * *",
        ),
        (
            Preset::Monthly {
                day: MonthDay::Last,
                hour: 0,
                minute: 5,
            },
            "5 0 L * *",
        ),
        (
            Preset::Custom {
                cron: "3/15 * * * *".to_owned(),
            },
            "3/15 * * * *",
        ),
    ]
}

#[test]
fn a_preset_writes_cron_and_is_read_back_from_it() {
    for (preset, text) in all() {
        let cron = preset.cron().unwrap();
        assert_eq!(cron.as_str(), text);
        assert_eq!(Preset::of(&cron), preset, "{text}");
        let json = serde_json::to_string(&preset).unwrap();
        assert_eq!(
            serde_json::from_str::<Preset>(&json).unwrap(),
            preset,
            "{json}"
        );
    }
}

#[test]
fn other_texts_that_say_the_same_are_read_as_the_preset() {
    for (text, preset) in [
        ("@hourly", Preset::Hourly { minute: 0 }),
        (
            "@weekly",
            Preset::Weekly {
                weekday: Weekday::Sun,
                hour: 0,
                minute: 0,
            },
        ),
        ("00 02 ? * ?", Preset::Daily { hour: 2, minute: 0 }),
        (
            "0 0 * * MON",
            Preset::Weekly {
                weekday: Weekday::Mon,
                hour: 0,
                minute: 0,
            },
        ),
        (
            "*/7 * * * *",
            Preset::Custom {
                cron: "*/7 * * * *".to_owned(),
            },
        ),
        (
            "0 0 1 * 1",
            Preset::Custom {
                cron: "0 0 1 * 1".to_owned(),
            },
        ),
        (
            "0 0 1 6 *",
            Preset::Custom {
                cron: "0 0 1 6 *".to_owned(),
            },
        ),
    ] {
        assert_eq!(Preset::of(&Cron::parse(text).unwrap()), preset, "{text}");
    }
}

#[test]
fn a_number_that_a_preset_does_not_have_is_refused() {
    for preset in [
        Preset::Minute { every: 7 },
        Preset::Minute { every: 0 },
        Preset::Hourly { minute: 60 },
        Preset::Daily {
            hour: 24,
            minute: 0,
        },
        Preset::Monthly {
            day: MonthDay::Day(32),
            hour: 0,
            minute: 0,
        },
    ] {
        let error = preset.cron().unwrap_err();
        assert_eq!(error.code().as_str(), "BL0106", "{preset:?}");
        assert!(error.hint().is_some(), "{preset:?}");
    }
    let custom = Preset::Custom {
        cron: "0 0 31 2 *".to_owned(),
    };
    assert_eq!(custom.cron().unwrap_err().code().as_str(), "BL0104");
}

#[test]
fn jitter_is_fixed_for_a_job_below_its_bound_and_spread() {
    let of = |job: i64| jitter(&job.to_string(), PRESET_JITTER);
    // Never another value: a new version must not move the jobs of all users.
    assert_eq!((of(1), of(2), of(3)), (secs(13), secs(46), secs(43)));
    let mut seen: Vec<Duration> = (0..1000).map(of).collect();
    assert!(seen.iter().all(|jitter| *jitter < PRESET_JITTER));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 60);
    assert_eq!(jitter("1", Duration::ZERO), Duration::ZERO);
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

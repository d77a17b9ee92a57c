#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use std::time::Duration;

use super::*;

const START: u64 = 1_795_348_800_000;

fn decoded(window: &Window) -> Option<Window> {
    let mut text = String::new();
    window.encode(&mut text);
    Window::decode(&text)
}

#[test]
fn requests_come_back_when_their_minute_is_an_hour_old() {
    let mut window = Window::default();
    assert_eq!(
        window.reserve(START + 59_999, Some(2)),
        Reservation::Granted
    );
    assert_eq!(
        window.reserve(START + MINUTE, Some(2)),
        Reservation::Granted
    );
    let until = START + MINUTE + HOUR;
    assert_eq!(
        window.reserve(START + 90_000, Some(2)),
        Reservation::Spent(time(until))
    );
    assert_eq!(
        window.reserve(until - 1, Some(2)),
        Reservation::Spent(time(until))
    );
    assert_eq!(window.reserve(until, Some(2)), Reservation::Granted);
    // Whoever has a smaller allowance waits for more of them.
    let both = until + MINUTE;
    assert_eq!(
        window.reserve(until, Some(1)),
        Reservation::Spent(time(both + HOUR))
    );
}

#[test]
fn a_request_that_was_never_sent_comes_back() {
    let mut window = Window::default();
    assert_eq!(window.reserve(START, Some(1)), Reservation::Granted);
    window.refund(START + MINUTE, 1);
    assert_eq!(window, Window::default());
    // What left the window meanwhile is not taken off twice.
    window.refund(START + 2 * HOUR, 1);
    assert_eq!(window, Window::default());
}

#[test]
fn pauses_are_prolonged_and_not_shortened() {
    let mut window = Window::default();
    window.pause(START, START + 5000);
    window.pause(START, START + 2000);
    assert_eq!(
        window.reserve(START, None),
        Reservation::Paused(time(START + 5000))
    );
    window.pause(START, START + 9000);
    assert_eq!(
        window.reserve(START + 8999, Some(1)),
        Reservation::Paused(time(START + 9000))
    );
    assert_eq!(window.reserve(START + 9000, Some(1)), Reservation::Granted);
}

/// A clock that was years ahead, and was put right, blocks nobody for years.
#[test]
fn the_future_is_taken_for_now() {
    let ahead = START + 1000 * 24 * HOUR;
    let mut window = Window::default();
    for _ in 0..3 {
        assert_eq!(window.reserve(ahead, Some(3)), Reservation::Granted);
    }
    window.pause(ahead, ahead + 5000);
    assert_eq!(
        window.reserve(START, Some(3)),
        Reservation::Spent(time(START + MINUTE + HOUR))
    );
    assert_eq!(
        window.reserve(START + MINUTE + HOUR, Some(3)),
        Reservation::Granted
    );
}

#[test]
fn a_torn_or_strange_text_is_not_read() {
    let mut window = Window::default();
    for n in 0..5 {
        window.reserve(START + n * MINUTE, Some(100));
    }
    let mut text = String::new();
    window.encode(&mut text);
    assert_eq!(Window::decode(&text), Some(window.clone()));
    // A longer text was there before.
    assert_eq!(Window::decode(&format!("{text}5 1\nend\n")), Some(window));
    for length in 0..text.len() - "\n".len() {
        assert_eq!(
            Window::decode(&text[..length]),
            None,
            "{:?}",
            &text[..length]
        );
    }
    let swapped = "request budget, version 1\npaused-until 0\n7 1\n6 1\nend\n";
    assert_eq!(Window::decode(swapped), None);
}

proptest! {
    /// In no hour are more requests granted than allowed, and never fewer than that within 61
    /// minutes to one who takes all he may; what is written and read between changes nothing.
    #[test]
    fn no_hour_has_more_than_allowed(
        steps in prop::collection::vec(0_u64..400_000, 1..300),
        allowance in 1_u32..30,
    ) {
        let mut window = Window::default();
        let mut now = START;
        let mut granted: Vec<u64> = Vec::new();
        for step in steps {
            now += step;
            match window.reserve(now, Some(allowance)) {
                Reservation::Granted => granted.push(now),
                Reservation::Spent(until) => {
                    let recent = granted.iter().filter(|at| **at + HOUR + MINUTE > now).count();
                    prop_assert!(recent >= allowance as usize);
                    let wait = until.duration_since(time(now)).unwrap();
                    prop_assert!(wait <= Duration::from_millis(HOUR + MINUTE));
                }
                Reservation::Paused(_) => prop_assert!(false),
            }
            let hour: Vec<u64> = granted.iter().copied().filter(|at| *at + HOUR > now).collect();
            prop_assert!(hour.len() <= allowance as usize);
            prop_assert_eq!(decoded(&window), Some(window.clone()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(request budget, version 1\npaused-until 0\n)?[0-9end \n]{0,60}") {
        if let Some(mut window) = Window::decode(&text) {
            let _ = window.reserve(START, Some(3));
        }
    }
}

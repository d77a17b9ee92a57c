//! The last hour's requests, by minute.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::SystemTime;

use super::book::Standing;
use super::ledger::{millis, time};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// A recorded pause further ahead than this comes from a clock that was wrong.
const LONGEST_PAUSE: u64 = 24 * HOUR;

/// Times are milliseconds since the epoch, minutes are counted since the epoch.
///
/// A minute's requests leave the window together, when the last of them could be an hour old: the
/// budget is never overdrawn, and gives each request back at most a minute late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Window {
    paused_until: u64,
    /// Ascending, without doubles.
    minutes: VecDeque<(u64, u32)>,
}

/// Whether a request may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reservation {
    /// Yes, and it is counted.
    Granted,
    /// Not before then: the service asked everybody to wait.
    Paused(SystemTime),
    /// Not before then: the hour's requests are spent.
    Spent(SystemTime),
}

impl Window {
    pub(super) fn reserve(&mut self, now: u64, allowance: Option<u32>) -> Reservation {
        self.tidy(now);
        if self.paused_until > now {
            return Reservation::Paused(time(self.paused_until));
        }
        let Some(allowance) = allowance else {
            return Reservation::Granted;
        };
        if let Some(until) = self.next_free(allowance) {
            return Reservation::Spent(time(until));
        }
        let minute = now / MINUTE;
        match self.minutes.back_mut() {
            Some((last, count)) if *last == minute => *count += 1,
            _ => self.minutes.push_back((minute, 1)),
        }
        Reservation::Granted
    }

    /// Gives back requests that were reserved and never sent.
    pub(super) fn refund(&mut self, now: u64, requests: u32) {
        self.tidy(now);
        let mut left = requests;
        while left > 0
            && let Some((_, count)) = self.minutes.back_mut()
        {
            let returned = left.min(*count);
            left -= returned;
            *count -= returned;
            if *count == 0 {
                self.minutes.pop_back();
            }
        }
    }

    pub(super) fn pause(&mut self, now: u64, until: u64) {
        self.tidy(now);
        self.paused_until = self.paused_until.max(until.min(now + LONGEST_PAUSE));
    }

    pub(super) fn used(&mut self, now: u64) -> u32 {
        self.tidy(now);
        self.total()
    }

    fn total(&self) -> u32 {
        self.minutes
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// When one request is free again; `None` if one is free now.
    fn next_free(&self, allowance: u32) -> Option<u64> {
        let mut total = self.total();
        if total < allowance {
            return None;
        }
        for (minute, count) in &self.minutes {
            total -= count;
            if total < allowance {
                return Some(leaves(*minute));
            }
        }
        // Nothing is ever free with an allowance of 0; a client does not start with one.
        Some(u64::MAX)
    }

    /// Forgets what is over an hour old, and takes what lies in the future, written before a clock
    /// was put right, for now.
    fn tidy(&mut self, now: u64) {
        let current = now / MINUTE;
        while self
            .minutes
            .front()
            .is_some_and(|(minute, _)| leaves(*minute) <= now)
        {
            self.minutes.pop_front();
        }
        let mut ahead = 0_u32;
        while let Some((minute, count)) = self.minutes.back().copied()
            && minute > current
        {
            ahead = ahead.saturating_add(count);
            self.minutes.pop_back();
        }
        if ahead > 0 {
            match self.minutes.back_mut() {
                Some((last, count)) if *last == current => *count = count.saturating_add(ahead),
                _ => self.minutes.push_back((current, ahead)),
            }
        }
        if self.paused_until <= now || self.paused_until > now + LONGEST_PAUSE {
            self.paused_until = 0;
        }
    }

    /// The window as text, one line a minute, that ends with a line that a torn write lacks.
    pub(super) fn encode(&self, text: &mut String) {
        text.clear();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{HEADER}\npaused-until {}", self.paused_until);
        for (minute, count) in &self.minutes {
            let _ = writeln!(text, "{minute} {count}");
        }
        let _ = writeln!(text, "{END}");
    }

    /// Reads what [`encode`](Window::encode) wrote; `None` if it is damaged. What follows the end
    /// line is the rest of a longer text that was there before.
    pub(super) fn decode(text: &str) -> Option<Window> {
        let mut lines = text.lines();
        if lines.next()? != HEADER {
            return None;
        }
        let paused_until = lines.next()?.strip_prefix("paused-until ")?.parse().ok()?;
        let mut minutes = VecDeque::new();
        loop {
            let line = lines.next()?;
            if line == END {
                return Some(Window {
                    paused_until,
                    minutes,
                });
            }
            let (minute, count) = line.split_once(' ')?;
            let (minute, count) = (minute.parse().ok()?, count.parse().ok()?);
            if minutes.back().is_some_and(|(last, _)| *last >= minute) {
                return None;
            }
            minutes.push_back((minute, count));
        }
    }
}

const HEADER: &str = "request budget, version 1";
const END: &str = "end";

fn leaves(minute: u64) -> u64 {
    minute
        .saturating_add(1)
        .saturating_mul(MINUTE)
        .saturating_add(HOUR)
}

/// How the hour stands. By whom it was used is not written down.
pub(super) fn standing(window: &mut Window, allowance: u32, now: SystemTime) -> Standing {
    let now = millis(now);
    let used = window.used(now);
    let next_free = window.next_free(allowance);
    Standing {
        allowance,
        used,
        reserved: 0,
        next_free: next_free.map(time),
        paused_until: (window.paused_until > now).then(|| time(window.paused_until)),
        claimants: Vec::new(),
    }
}

#[cfg(test)]
mod tests;

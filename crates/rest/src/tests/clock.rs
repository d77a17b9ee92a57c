//! Virtual time for pauses. Sockets and their time-outs stay in real time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::clock::Clock;

/// Starts on 2026-11-22 at noon.
#[derive(Debug)]
pub(super) struct TestClock {
    hurried: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: SystemTime,
    naps: Vec<Duration>,
    sleepers: Vec<(SystemTime, oneshot::Sender<()>)>,
}

pub(super) const START: Duration = Duration::from_secs(1_795_348_800);

impl TestClock {
    /// Every pause is over at once, and moves the time by its length.
    pub(super) fn hurried() -> TestClock {
        TestClock::new(true)
    }

    /// Time moves by [`TestClock::advance`] alone.
    pub(super) fn still() -> TestClock {
        TestClock::new(false)
    }

    fn new(hurried: bool) -> TestClock {
        let state = State {
            now: UNIX_EPOCH + START,
            naps: Vec::new(),
            sleepers: Vec::new(),
        };
        TestClock {
            hurried,
            state: Mutex::new(state),
        }
    }

    pub(super) fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap();
        state.now += by;
        let now = state.now;
        let (due, asleep) = state.sleepers.drain(..).partition(|(end, _)| *end <= now);
        state.sleepers = asleep;
        for (_, wake) in due {
            let _ = wake.send(());
        }
    }

    /// How long was slept so far, in order of falling asleep.
    pub(super) fn naps(&self) -> Vec<Duration> {
        self.state.lock().unwrap().naps.clone()
    }

    pub(super) fn slept(&self) -> Duration {
        self.naps().iter().sum()
    }

    /// Waits until so many are asleep.
    pub(super) async fn asleep(&self, count: usize) {
        while self.state.lock().unwrap().sleepers.len() != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        self.state.lock().unwrap().now
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let woken = {
                let mut state = self.state.lock().unwrap();
                state.naps.push(duration);
                let end = state.now + duration;
                if self.hurried {
                    state.now = end;
                    None
                } else {
                    let (wake, woken) = oneshot::channel();
                    state.sleepers.push((end, wake));
                    Some(woken)
                }
            };
            match woken {
                Some(woken) => woken.await.unwrap(),
                None => tokio::task::yield_now().await,
            }
        })
    }
}

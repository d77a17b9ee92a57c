//! Processes that share the hour of one credential through PostgreSQL, against a server that counts strictly, on a clock
//! that runs fast. `HOURS` and `KILLS` make a longer campaign of it, which `cargo x hours` runs.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bucketline_private_postgres::Server;
use bucketline_rest::{Claimant, Client, ClientConfig, Clock, Credential, Problem, Url};

use crate::conformance::place;
use crate::{Budgets, open};

const LIMIT: u32 = 1000;
const PROCESSES: usize = 3;
const JOBS: usize = 4;
/// Hours pass so many times as fast as they do.
const SPEED: u32 = 150;

const SERVER: &str = "BUCKETLINE_TEST_HOUR_SERVER";
const STORE: &str = "BUCKETLINE_TEST_HOUR_STORE";
const BEGAN: &str = "BUCKETLINE_TEST_HOUR_BEGAN";
const PROCESS: &str = "BUCKETLINE_TEST_HOUR_PROCESS";

/// A clock that all processes read alike.
#[derive(Debug, Clone, Copy)]
struct Fast {
    /// Microseconds since 1970.
    began: u64,
}

impl Clock for Fast {
    fn now(&self) -> SystemTime {
        let began = UNIX_EPOCH + Duration::from_micros(self.began);
        let passed = SystemTime::now().duration_since(began).unwrap_or_default();
        began + passed * SPEED
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration / SPEED))
    }
}

/// What a server has seen: when it was asked, by which job.
#[derive(Debug, Default)]
struct Seen {
    requests: Vec<(SystemTime, String)>,
    refused: usize,
}

/// Answers each request, unless there were as many as the limit in the hour before it.
fn serve(clock: Fast) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let all = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&all);
            std::thread::spawn(move || answer(stream, clock, &seen));
        }
    });
    (address, seen)
}

fn answer(stream: TcpStream, clock: Fast, seen: &Mutex<Seen>) {
    stream.set_nodelay(true).unwrap();
    let Ok(mut out) = stream.try_clone() else {
        return;
    };
    let mut lines = BufReader::new(stream).lines();
    // A request has no body, and ends with an empty line.
    while let Some(Ok(first)) = lines.next() {
        while let Some(Ok(line)) = lines.next() {
            if line.is_empty() {
                break;
            }
        }
        let job = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_within = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock.now();
            let hour = now - Duration::from_secs(3600);
            let recent = seen.requests.iter().rev();
            let recent = recent.take_while(|(at, _)| *at > hour).count();
            let is_within = recent < LIMIT as usize;
            match is_within {
                true => seen.requests.push((now, job)),
                false => seen.refused += 1,
            }
            is_within
        };
        let status = if is_within { "200 OK" } else { "429 Too Many" };
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
        if out.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// The job of that number: most are backfills, two with twice the share; one a process makes few requests, often.
fn job(process: usize, number: usize) -> (Claimant, bool) {
    let name = format!("job-{process}-{number}");
    match number {
        0 => (Claimant::job(name, 1, Some(5)), true),
        1 => (Claimant::job(name, 2, Some(1_000_000)), false),
        _ => (Claimant::job(name, 1, Some(1_000_000)), false),
    }
}

#[tokio::test]
#[ignore = "a child of the next test"]
async fn child_makes_requests_for_four_jobs() {
    let Ok(server) = std::env::var(SERVER) else {
        return;
    };
    let variable = |name| std::env::var(name).unwrap();
    let process: usize = variable(PROCESS).parse().unwrap();
    let began = variable(BEGAN).parse().unwrap();
    let clock = Fast { began };
    let store = open(&place(&variable(STORE))).await.unwrap();
    let budgets = Arc::new(Budgets::new(store).by_given_time());
    let mut jobs = Vec::new();
    for number in 0..JOBS {
        let (claimant, is_small) = job(process, number);
        let url = Url::parse(&format!("{server}/{}", claimant.name)).unwrap();
        let credential = Credential::Bearer("planted-secret".into());
        let base = Url::parse(&server).unwrap();
        let mut config = ClientConfig::new(base, credential, "test", Problem::from_text);
        config.requests_per_hour = Some(LIMIT);
        config.budgets = Some(budgets.clone());
        config.claimant = claimant;
        let client = Client::with_clock(config, Arc::new(clock)).unwrap();
        jobs.push(tokio::spawn(async move {
            loop {
                let requests = if is_small { 5 } else { 100 };
                for _ in 0..requests {
                    // What becomes of it, the server has seen.
                    let _ = client.get(&url).await;
                }
                if is_small {
                    client.expect(Some(5));
                    clock.sleep(Duration::from_secs(600)).await;
                }
            }
        }));
    }
    // Until it is killed.
    futures::future::join_all(jobs).await;
}

/// A child that ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(process: usize, server: &str, store: &str, clock: Fast) -> Running {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::hour::child_makes_requests_for_four_jobs",
            "--ignored",
        ])
        .env(SERVER, server)
        .env(STORE, store)
        .env(BEGAN, clock.began.to_string())
        .env(PROCESS, process.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

/// The most requests that any hour has.
fn most_in_an_hour(requests: &[(SystemTime, String)]) -> usize {
    let mut most = 0;
    let mut first = 0;
    for (last, (at, _)) in requests.iter().enumerate() {
        while requests[first].0 + Duration::from_secs(3600) <= *at {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

fn number(variable: &str, otherwise: u32) -> u32 {
    let told = std::env::var(variable).ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Three processes with four jobs each, some of which are killed, use the hour and never more than that.
#[test]
#[allow(clippy::print_stderr)]
fn processes_that_are_killed_share_the_hour_and_never_exceed_it() {
    let Some(postgres) = Server::for_test() else {
        return;
    };
    let (hours, kills) = (number("HOURS", 1), number("KILLS", 1));
    let store = postgres.create_database().unwrap();
    // Its schema is made before the hour begins.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    runtime.block_on(open(&place(&store))).unwrap();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let began = u64::try_from(since.as_micros()).unwrap();
    let clock = Fast { began };
    let (server, seen) = serve(clock);
    let mut running: Vec<_> = (0..PROCESSES)
        .map(|process| start(process, &server, &store, clock))
        .collect();
    let all = Duration::from_secs(3600) * hours;
    for kill in 0..kills {
        runtime.block_on(clock.sleep(all / (kills + 1)));
        let process = kill as usize % PROCESSES;
        drop(std::mem::replace(
            &mut running[process],
            start(process, &server, &store, clock),
        ));
    }
    let end = UNIX_EPOCH + Duration::from_micros(began) + all;
    let left = end.duration_since(clock.now()).unwrap_or_default();
    runtime.block_on(clock.sleep(left));
    drop(running);

    let seen = seen.lock().unwrap();
    let mut by_job = BTreeMap::new();
    for (_, job) in &seen.requests {
        *by_job.entry(job.as_str()).or_insert(0) += 1;
    }
    let most = most_in_an_hour(&seen.requests);
    let made = seen.requests.len();
    eprintln!("{made} requests in {hours} h, {most} in an hour at most: {by_job:?}");
    assert_eq!(seen.refused, 0);
    assert!(most <= LIMIT as usize, "{most}");
    // How much is used, and by whom, depends on what else the machine does: the campaign looks at it.
    if std::env::var("HOURS").is_err() {
        return;
    }
    // A kill loses the open lots of its process.
    let lost = kills * u32::try_from(JOBS).unwrap() * 10;
    let least = (LIMIT * hours * 95 / 100).saturating_sub(lost);
    assert!(made >= least as usize, "{made} of {least}");
    // Backfills got what their shares are, small runs what they needed.
    let backfills = by_job.iter().filter(|(job, _)| !job.ends_with("-0"));
    let weight = |job: &str| if job.ends_with("-1") { 2.0 } else { 1.0 };
    let (sum, weights) = backfills
        .clone()
        .fold((0.0, 0.0), |(sum, weights), (job, made)| {
            (sum + f64::from(*made), weights + weight(job))
        });
    for (job, made) in backfills {
        let share = sum * weight(job) / weights;
        // One lot may be under way at the end, and one is lost by a kill.
        let lots = 2.0 * 10.0;
        let apart = (f64::from(*made) - share).abs();
        assert!(
            apart <= (share * 0.05).max(lots),
            "{job}: {made} of {share}"
        );
    }
}

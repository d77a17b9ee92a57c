//! Runs targets for a while: `cargo x fuzz`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people watch"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bucketline_fuzz::{Mutator, TARGETS, Target, found};
use clap::Parser;

/// How long one input may take: far more than any should, in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// Bytes of stack, as a thread of an embedding program has them.
const STACK: usize = 2 << 20;

/// Bytes of memory, those of the program included.
const MEMORY: u64 = 4 << 30;

/// Damages input for readers of foreign bytes until one crashes, hangs or takes too much memory.
#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Minutes for each target, instead.
    #[arg(long, conflicts_with = "seconds")]
    minutes: Option<u64>,
    /// This target alone.
    #[arg(long)]
    target: Option<String>,
    /// What the damage is derived from; a new one each time if left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Read this one input.
    #[arg(long, requires = "target")]
    input: Option<PathBuf>,
    /// Read inputs, and keep the current one in this file.
    #[arg(long, hide = true, requires_all = ["target", "seed"])]
    current: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let duration = Duration::from_secs(arguments.minutes.map_or(arguments.seconds, |it| it * 60));
    let chosen = |target: &&Target| {
        arguments
            .target
            .as_deref()
            .is_none_or(|name| name == target.name)
    };
    let targets: Vec<&Target> = TARGETS.iter().filter(chosen).collect();
    let Some(first) = targets.first() else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!(
            "error: there is no such target; the targets are {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    };
    if let Some(input) = &arguments.input {
        let read = std::fs::read(input).map(|bytes| (first.read)(&bytes));
        return ExitCode::from(u8::from(read.is_err()));
    }
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    if let Some(current) = arguments.current {
        return work(first, seed, &current);
    }
    let mut failed = false;
    for target in targets {
        match watch(target, seed, duration) {
            Ok(inputs) => println!("{}: {inputs} inputs, seed {seed}", target.name),
            Err(why) => {
                failed = true;
                eprintln!("error: {}: {why} (seed {seed})", target.name);
            }
        }
    }
    ExitCode::from(u8::from(failed))
}

/// Reads inputs without end, and says each second how many. Ends with the first that the target does not survive.
fn work(target: &'static Target, seed: u64, current: &Path) -> ExitCode {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, setrlimit};
        if let Err(error) = setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY) {
            eprintln!("error: memory cannot be limited: {error}");
            return ExitCode::FAILURE;
        }
    }
    let current = current.to_owned();
    let run = move || {
        let corpus = target.inputs();
        let mut mutator = Mutator::new(seed);
        let mut told = Instant::now();
        for count in 0_u64.. {
            let known = usize::try_from(count)
                .ok()
                .and_then(|count| corpus.get(count));
            let input = known.cloned().unwrap_or_else(|| mutator.mutate(&corpus));
            if std::fs::write(&current, &input).is_err() {
                break;
            }
            (target.read)(&input);
            if told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                println!("{count}");
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run);
    let ended = thread.map(std::thread::JoinHandle::join);
    ExitCode::from(u8::from(!matches!(ended, Ok(Ok(())))))
}

/// Lets another process work, so long; how many inputs it has read, or what has become of it.
fn watch(target: &Target, seed: u64, duration: Duration) -> Result<u64, String> {
    let failed = |error: std::io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(failed)?;
    let current = folder.path().join("input");
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args([
            "--target",
            target.name,
            "--seed",
            &seed.to_string(),
            "--current",
        ])
        .arg(&current)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let counts = counts(&mut child);
    let start = Instant::now();
    let mut inputs = 0;
    let why = loop {
        if start.elapsed() >= duration {
            break None;
        }
        match counts.recv_timeout(LONGEST) {
            Ok(count) => inputs = count,
            Err(RecvTimeoutError::Timeout) => break Some("it hangs"),
            Err(RecvTimeoutError::Disconnected) => break Some("it crashes"),
        }
    };
    // It has ended by itself if this fails.
    let _ = child.kill();
    let _ = child.wait();
    match why {
        None => Ok(inputs),
        Some(why) => {
            let name = format!("{}-{seed}-{inputs}", target.name);
            let kept = found().join(name);
            std::fs::create_dir_all(found()).map_err(failed)?;
            std::fs::copy(&current, &kept).map_err(failed)?;
            Err(format!("{why} with {}", kept.display()))
        }
    }
}

fn counts(child: &mut Child) -> Receiver<u64> {
    let (sender, receiver) = channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line.parse().unwrap_or(0)).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

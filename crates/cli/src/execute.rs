//! Running scripts and showing what happens.

use std::io;
use std::pin::pin;

use bucketline::{Event, Run, Session};
use futures::StreamExt;
use tokio::time::{Duration, MissedTickBehavior, interval};

use crate::ending::Ending;
use crate::error::{Error, Result};
use crate::interrupt::Interrupts;
use crate::output::Output;
use crate::reporter::Reporter;
use crate::script::Script;

/// Where results and everything else go.
pub(crate) struct Stage {
    pub(crate) output: Output,
    pub(crate) reporter: Reporter,
    pub(crate) interrupts: Interrupts,
}

/// Runs scripts in order. If one of them has a syntax error, none is begun.
pub(crate) async fn run_all(
    session: &Session,
    scripts: &[Script],
    stage: &mut Stage,
) -> Result<Ending> {
    if !check(session, scripts, &mut stage.reporter) {
        return Ok(Ending::Usage);
    }
    let mut ending = Ending::Success;
    for (index, script) in scripts.iter().enumerate() {
        let several = scripts.len() > 1;
        if let (true, Some(name)) = (several, &script.name) {
            stage.reporter.script(name);
        }
        let ran = run(session, script, stage).await?;
        ending = ending.max(ran.ending);
        if ran.stopped {
            let rest = scripts.len() - index - 1;
            if rest > 0 {
                let scripts = if rest == 1 {
                    "1 script was"
                } else {
                    &format!("{rest} scripts were")
                };
                stage.reporter.note(&format!("{scripts} not begun"));
            }
            break;
        }
    }
    stage.reporter.sum_up();
    Ok(ending)
}

/// Says what scripts would do, one after the other.
pub(crate) async fn plan_all(
    session: &Session,
    scripts: &[Script],
    stage: &mut Stage,
) -> Result<Ending> {
    if !check(session, scripts, &mut stage.reporter) {
        return Ok(Ending::Usage);
    }
    let mut ending = Ending::Success;
    for script in scripts {
        let events = session.plan(&script.text);
        ending = ending.max(follow(events, script, stage).await?.ending);
    }
    Ok(ending)
}

/// Draws the syntax errors of several scripts; whether there are none. Those of a single one are drawn when it is run.
fn check(session: &Session, scripts: &[Script], reporter: &mut Reporter) -> bool {
    if scripts.len() == 1 {
        return true;
    }
    let mut good = true;
    for script in scripts {
        for error in session.mistakes(&script.text) {
            good = false;
            reporter.failed(&error, script);
        }
    }
    good
}

/// How a script ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) ending: Ending,
    /// What follows it is not to be begun.
    pub(crate) stopped: bool,
}

/// Runs one script. Ctrl-C or a request to terminate drops it: what was committed stays.
pub(crate) async fn run(session: &Session, script: &Script, stage: &mut Stage) -> Result<Ran> {
    follow(session.run(&script.text), script, stage).await
}

/// Shows what happens until it ends or is stopped.
async fn follow(mut events: Run<'_>, script: &Script, stage: &mut Stage) -> Result<Ran> {
    let Stage {
        output,
        reporter,
        interrupts,
    } = stage;
    let mut stopped = pin!(interrupts.stopped());
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ran = Ran {
        ending: Ending::Success,
        stopped: false,
    };
    let mut place = Place::default();
    loop {
        let event = tokio::select! {
            biased;
            stop = &mut stopped => {
                drop(events);
                reporter.finish();
                output.end(false).map_err(Error::Output)?;
                reporter.line(&format!("{stop}; what was committed stays{place}"));
                return Ok(Ran {
                    ending: stop.into(),
                    stopped: true,
                });
            }
            event = events.next() => event,
            _ = ticks.tick(), if reporter.is_live() || output.is_paging() => {
                if output.is_left() {
                    drop(events);
                    return Ok(place.left_by_reader(output, reporter));
                }
                if !output.is_paging() {
                    reporter.tick();
                }
                continue;
            }
        };
        let Some(event) = event else { break };
        let printed = match &event {
            Event::Columns(schema) => output.begin(schema),
            Event::Rows(batch) => {
                reporter.step_aside();
                output.rows(batch)
            }
            Event::Ended { .. } => {
                if output.is_open() {
                    reporter.step_aside();
                }
                output.end(true)
            }
            Event::Failed(_) => output.end(false),
            _ => Ok(()),
        };
        match printed {
            Ok(()) => {}
            // Nobody reads on, as in `| head`: no more is fetched for them.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                drop(events);
                return Ok(place.left_by_reader(output, reporter));
            }
            Err(error) => return Err(Error::Output(error)),
        }
        reporter.hear(&event, script);
        match event {
            Event::Started { number, total, .. } => place = Place { number, total },
            Event::Failed(error) => {
                reporter.failed(&error, script);
                ran.ending = ran.ending.max(Ending::of(&error));
            }
            Event::Stopped { .. } => ran.stopped = true,
            _ => {}
        }
    }
    Ok(ran)
}

/// Where in a script the run is.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    number: usize,
    total: usize,
}

impl Place {
    fn remaining(self) -> usize {
        self.total - self.number
    }

    /// The reader of the results went away. That is no failure unless statements were left out.
    fn left_by_reader(self, output: &mut Output, reporter: &mut Reporter) -> Ran {
        output.abandon();
        reporter.finish();
        let ending = match self.remaining() {
            0 => Ending::Success,
            _ => {
                reporter.note(&format!("nobody reads the results any more{self}"));
                Ending::Failed
            }
        };
        Ran {
            ending,
            stopped: true,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.remaining() {
            0 => Ok(()),
            1 => f.write_str("; 1 statement was not run"),
            more => write!(f, "; {more} statements were not run"),
        }
    }
}

//! Running scripts and showing what happens.

use std::io;

use bucketline::{Event, Run, Session};
use futures::StreamExt;
use tokio::time::{Duration, MissedTickBehavior, interval};

use crate::diagnostic::Diagnostic;
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
    if scripts.len() > 1 && !check(session, scripts, &mut stage.reporter) {
        return Ok(Ending::Usage);
    }
    let mut ending = Ending::Success;
    for (index, script) in scripts.iter().enumerate() {
        let several = scripts.len() > 1;
        if let (true, Some(name)) = (several, &script.name) {
            stage.reporter.line(&format!("-- {name}"));
        }
        ending = ending.max(run(session, script, stage).await?);
        if !ending.goes_on() {
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
    Ok(ending)
}

/// Says what scripts would do, one after the other.
pub(crate) async fn plan_all(
    session: &Session,
    scripts: &[Script],
    stage: &mut Stage,
) -> Result<Ending> {
    if scripts.len() > 1 && !check(session, scripts, &mut stage.reporter) {
        return Ok(Ending::Usage);
    }
    let mut ending = Ending::Success;
    for script in scripts {
        let events = session.plan(&script.text);
        ending = ending.max(follow(events, script, stage).await?);
    }
    Ok(ending)
}

/// Draws the syntax errors of all scripts; whether there are none.
fn check(session: &Session, scripts: &[Script], reporter: &mut Reporter) -> bool {
    let mut good = true;
    for script in scripts {
        for error in session
            .parse(&script.text)
            .into_iter()
            .filter_map(std::result::Result::err)
        {
            good = false;
            draw(&error.into(), script, reporter);
        }
    }
    good
}

fn draw(error: &bucketline::Error, script: &Script, reporter: &mut Reporter) {
    let text = Diagnostic::of_script(error, script).draw(reporter.is_coloured());
    reporter.block(&text);
}

/// Runs one script. Ctrl-C drops it: what was committed stays.
pub(crate) async fn run(session: &Session, script: &Script, stage: &mut Stage) -> Result<Ending> {
    follow(session.run(&script.text), script, stage).await
}

/// Shows what happens until it ends, or Ctrl-C drops it.
async fn follow(mut events: Run<'_>, script: &Script, stage: &mut Stage) -> Result<Ending> {
    let Stage {
        output,
        reporter,
        interrupts,
    } = stage;
    let mut pressed = interrupts.arm();
    let mut ticks = interval(Duration::from_millis(100));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ending = Ending::Success;
    let mut place = Place::default();
    loop {
        let event = tokio::select! {
            biased;
            Ok(()) = &mut pressed => {
                drop(events);
                reporter.finish();
                output.end(false).map_err(Error::Output)?;
                reporter.line(&format!("interrupted; what was committed stays{place}"));
                return Ok(Ending::Interrupted);
            }
            event = events.next() => event,
            _ = ticks.tick(), if reporter.is_live() => {
                reporter.tick();
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
                reporter.finish();
                return Ok(place.left_by_reader(reporter));
            }
            Err(error) => return Err(Error::Output(error)),
        }
        reporter.hear(&event, script);
        match event {
            Event::Started { number, total, .. } => place = Place { number, total },
            Event::Failed(error) => {
                draw(&error, script, reporter);
                ending = ending.max(Ending::of(&error));
            }
            _ => {}
        }
    }
    Ok(ending)
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
    fn left_by_reader(self, reporter: &mut Reporter) -> Ending {
        if self.remaining() == 0 {
            return Ending::Success;
        }
        reporter.note(&format!("nobody reads the results any more{self}"));
        Ending::Failed
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

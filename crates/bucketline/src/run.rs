//! A running script as a stream of events.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bucketline_core::Reach;
use bucketline_core::code::session as code;
use bucketline_replicate::{Event as Progress, Events, ScriptRun};
use bucketline_source::figures::counted;
use bucketline_source::{Loss, Losses, Observer, ReadContext};
use bucketline_sql::{
    self as sql, Located, OptionName, ParameterValue, Parameters, Script, Statement,
};
use futures::Stream;
use futures::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Error, Event, Session, statement};

/// The events of a running script, or of a check. Dropping it cancels that; what was committed stays.
pub struct Run<'a> {
    // Polled only when every event so far was taken, so that a slow reader slows the script down.
    driver: Option<BoxFuture<'a, ()>>,
    events: UnboundedReceiver<Event>,
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("running", &self.driver.is_some())
            .finish_non_exhaustive()
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(session: &'a Session, script: &str, parameters: Parameters) -> Self {
        let read = Script::read(script, &parameters);
        Self::driven(|voice| {
            Box::pin(async move { drive(session, read, parameters, &voice).await })
        })
    }

    /// Events of whatever `drive` does with its voice.
    pub(crate) fn driven(drive: impl FnOnce(Voice) -> BoxFuture<'a, ()>) -> Self {
        let (sender, events) = unbounded_channel();
        Self {
            driver: Some(drive(Voice::new(sender))),
            events,
        }
    }
}

impl Stream for Run<'_> {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Poll::Ready(event) = self.events.poll_recv(context) {
                return Poll::Ready(event);
            }
            match &mut self.driver {
                Some(driver) => match driver.as_mut().poll(context) {
                    // What it said before it ended, and the end of the channel, are still to be taken.
                    Poll::Ready(()) => self.driver = None,
                    Poll::Pending => return self.events.poll_recv(context),
                },
                None => return self.events.poll_recv(context),
            }
        }
    }
}

/// Carries events out of a script; a note that repeats is said once.
#[derive(Clone)]
pub(crate) struct Voice {
    sender: UnboundedSender<Event>,
    notes: Arc<Mutex<Vec<String>>>,
    losses: Arc<Mutex<Losses>>,
    /// Values of the statement whose loss was told.
    lost: Arc<AtomicU64>,
}

impl Voice {
    fn new(sender: UnboundedSender<Event>) -> Self {
        Self {
            sender,
            notes: Arc::default(),
            losses: Arc::default(),
            lost: Arc::default(),
        }
    }

    /// A voice that nobody hears.
    pub(crate) fn unheard() -> Self {
        Self::new(unbounded_channel().0)
    }

    /// Says something. Nobody may be listening any more.
    pub(crate) fn say(&self, event: Event) {
        event.log();
        drop(self.sender.send(event));
    }

    /// Says what was lost of values since the last call.
    fn tell_losses(&self) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let losses = std::mem::take(&mut *losses);
        losses.notes().for_each(|note| self.note(&note));
        self.lost.fetch_add(losses.values(), Ordering::Relaxed);
    }

    /// Says what else the statement lost of values; gives how many those are in all.
    fn settle_losses(&self) -> u64 {
        self.tell_losses();
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// The same voice as the executor of REPLICATE wants it.
    pub(crate) fn events(&self) -> Arc<dyn Events> {
        Arc::new(self.clone())
    }
}

impl Observer for Voice {
    fn note(&self, text: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.iter().any(|known| known == text) {
            notes.push(text.to_owned());
            self.say(Event::Note(text.to_owned()));
        }
    }

    fn lost(&self, loss: Loss, values: u64) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.add(loss, values);
    }

    fn waiting(&self, reason: &str, duration: Duration) {
        self.say(Event::Waiting {
            reason: reason.to_owned(),
            duration,
        });
    }
}

impl Events for Voice {
    fn event(&self, event: &Progress<'_>) {
        match event {
            Progress::Note { text } => self.note(text),
            Progress::Lost { loss, values } => self.lost((*loss).clone(), *values),
            other => {
                if let Progress::Ended { .. } = other {
                    self.tell_losses();
                }
                if let Some(event) = Event::from_progress(other) {
                    self.say(event);
                }
            }
        }
    }
}

/// The script; none if one of its statements has a syntax error.
pub(crate) fn without_mistakes(
    (script, mistakes): (Script, Vec<sql::Error>),
    voice: &Voice,
) -> Option<Script> {
    if mistakes.is_empty() {
        return Some(script);
    }
    for mistake in mistakes {
        voice.say(Event::Failed(mistake));
    }
    voice.say(Event::Stopped {
        remaining: script.len(),
    });
    None
}

/// Runs the statements in order. A script with a syntax error is not begun; a failed statement stops it, unless
/// only slices of it failed, or it lost values. `ContinueOnError` says otherwise of either.
async fn drive(
    session: &Session,
    read: (Script, Vec<sql::Error>),
    mut parameters: Parameters,
    voice: &Voice,
) {
    let Some(mut script) = without_mistakes(read, voice) else {
        return;
    };
    let shared = ScriptRun::new(session.run_options.clone());
    let total = script.len();
    for index in 0..total {
        let (located, mistaken) = match script.statement(index, &parameters) {
            Some(Err(error)) => (script.draft(index, &parameters), Some(error)),
            read => (read, None),
        };
        let Some(Ok(Located {
            mut statement,
            span,
        })) = located
        else {
            mistaken
                .into_iter()
                .for_each(|error| voice.say(Event::Failed(error)));
            return;
        };
        let set = match &statement {
            Statement::SetParameter(set) => Some(set.name.text.clone()),
            _ => None,
        };
        voice.say(Event::Started {
            number: index + 1,
            total,
            text: statement.masked(),
            span,
        });
        let context = ReadContext::new(Arc::new(voice.clone())).within(shared.scan());
        let started = Instant::now();
        let scene = statement::Scene {
            session,
            shared: &shared,
            context: &context,
            voice,
        };
        let settled = session.options().settle(&mut statement);
        let options = settled.as_ref().ok();
        let goes_on = options.and_then(|options| options.flag(OptionName::ContinueOnError));
        let fails_by_loss =
            options.and_then(|options| options.text(OptionName::LostValues)) == Some("FAIL");
        let executed = match (settled, mistaken) {
            (_, Some(error)) => Err(error),
            (Ok(options), None) => Box::pin(scene.execute_within(statement, &options)).await,
            (Err(error), None) => Err(error),
        };
        if let Some(name) = set.filter(|_| executed.is_ok()) {
            let value = session.parameters().find_named(&name).cloned();
            parameters = parameters.named(name, value.unwrap_or(ParameterValue::Null));
        }
        let lost_values = voice.settle_losses();
        let executed = match executed {
            Ok(_) if fails_by_loss && lost_values > 0 => Err(lost(lost_values)),
            executed => executed,
        };
        match executed {
            Ok(done) => voice.say(Event::Ended {
                rows: done.rows,
                lost_values,
                requests: done.requests.unwrap_or_else(|| context.requests()),
                elapsed: started.elapsed(),
            }),
            Err(error) => {
                let goes_on = goes_on.unwrap_or(error.reach() == Reach::Statement);
                voice.say(Event::Failed(error.or_at(span)));
                if !goes_on {
                    voice.say(Event::Stopped {
                        remaining: total - index - 1,
                    });
                    return;
                }
            }
        }
    }
}

/// Values could not be kept as the source has them, and the statement is to fail then. What it read is there.
fn lost(values: u64) -> Error {
    let message = format!(
        "{} could not be kept as the source has them, and LostValues = FAIL",
        counted(values, "value")
    );
    Error::new(code::LOST_VALUES, message)
        .with_hint("the notes say which; the other values are there")
        .with_reach(Reach::Statement)
        .partial()
}

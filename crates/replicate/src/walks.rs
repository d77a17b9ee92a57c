//! Walking the slices of one query, several at a time.

use crate::error::is_of_source;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};

use crate::record::Slices;
use crate::survey::{Part, Survey};
use crate::walk::Walker;
use crate::{Error, Event, Result, SliceReport};

/// What became of the slices of a query, by their places in the survey.
pub(crate) struct Walked {
    pub(crate) ended: Vec<(usize, SliceReport)>,
    /// The failure of one of them, if some failed.
    pub(crate) failure: Option<Error>,
}

/// Walks the slices of one query. One `of_several` that meets what all of its slices would fails alone.
pub(crate) async fn walk(
    walker: &Walker<'_>,
    of_several: bool,
    survey: &Survey,
    states: &Slices,
) -> Result<Walked> {
    let parts = survey.slices.iter().enumerate();
    let mut order: Vec<(usize, &Part)> = parts.filter(|(_, it)| it.arm == walker.arm).collect();
    // What was never read comes first: a run that ends for lack of requests must not keep it waiting for ever.
    order.sort_by_key(|(_, part)| states.get(&part.id).is_some_and(|state| !state.is_unread()));
    // Boxed one by one: a closure that returns them would keep the whole run from being `Send`.
    let mut walks: Vec<BoxFuture<'_, Result<_>>> = Vec::with_capacity(order.len());
    for &(place, part) in &order {
        // Of a slice that is another query's now, nothing is known of how this one reads it.
        let state = states.get(&part.id).map(|state| match state.arm {
            arm if arm == part.arm => state.clone(),
            _ => state.unread(part.arm),
        });
        walks.push(Box::pin(async move {
            let (report, failure) = walker.walk(part, state).await?;
            Ok((place, report, failure))
        }));
    }
    let mut walks = stream::iter(walks).buffer_unordered(walker.work.source().concurrency().max(1));
    let mut ended = Vec::with_capacity(order.len());
    let mut last = None;
    let mut broken = None;
    while let Some(walked) = walks.next().await {
        match walked {
            Ok((place, report, failure)) => {
                ended.push((place, report));
                last = failure.or(last);
            }
            Err(error) if of_several && is_of_source(&error) => {
                broken = Some(error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    drop(walks);
    if let Some(error) = broken {
        let is_unread = |place: usize| ended.iter().all(|(other, _)| *other != place);
        let unread: Vec<_> = order
            .into_iter()
            .filter(|(place, _)| is_unread(*place))
            .collect();
        for (place, part) in unread {
            walker.load.discard(&part.id).await?;
            let report = SliceReport::failed(part.slice.label.clone(), &error);
            walker.voice.say(&Event::SliceEnded { slice: &report });
            ended.push((place, report));
        }
        last = Some(error);
    }
    Ok(Walked {
        ended,
        failure: last,
    })
}

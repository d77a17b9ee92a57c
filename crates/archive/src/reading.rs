//! Reading one archive as a stream of pages.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use bucketline_core::code::archive as code;
use bucketline_source::decode::{Decoder, mend};
use bucketline_source::{
    End, Error, Loss, Lost, Owner, Page, PageStream, ReadContext, Reading, Result, ScanPlan, Slice,
};
use futures::{StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::document::each_entry;
use crate::entry;
use crate::fault::Fault;
use crate::keys::Keys;
use crate::listing;
use crate::settings::{Limits, Settings};
use crate::zip::Document;

/// Bytes of entries that make a page, however few the rows are.
const PAGE_BYTES: usize = 4 << 20;

type Sender = mpsc::Sender<Result<Page>>;

/// The pages of one archive. Nothing is opened before the stream is polled; a thread for blocking work
/// then reads at most a page ahead, and stops when the stream is dropped.
pub(crate) fn read(
    settings: Arc<Settings>,
    plan: Arc<ScanPlan>,
    slice: Slice,
    reading: Reading,
    context: ReadContext,
) -> PageStream {
    let started = async move {
        let (sender, receiver) = mpsc::channel(1);
        match find(&settings, &plan, &slice, &reading, &context).await {
            Ok(path) => {
                let rows = Rows::new(&plan, &slice, &reading, sender, context);
                tokio::task::spawn_blocking(move || run(rows, path, &settings.limits));
            }
            // The channel has room for it.
            Err(error) => drop(sender.try_send(Err(error))),
        }
        stream::unfold(receiver, |mut receiver| async {
            Some((receiver.recv().await?, receiver))
        })
    };
    stream::once(started).flatten().boxed()
}

async fn find(
    settings: &Arc<Settings>,
    plan: &ScanPlan,
    slice: &Slice,
    reading: &Reading,
    context: &ReadContext,
) -> Result<PathBuf> {
    if matches!(reading, Reading::Changes(_)) {
        return Err(Error::new(
            code::UNSUPPORTED,
            format!(
                "{} of an archive have no change column to read by",
                plan.request.table.name
            ),
        ));
    }
    let archives = listing::all(settings, context).await?;
    let archive = archives.iter().find(|archive| archive.uuid == slice.id.0);
    archive.map(|archive| archive.path.clone()).ok_or_else(|| {
        Error::new(
            code::NO_FILE,
            format!("the archive of {} is not there any more", slice.label),
        )
    })
}

fn run(mut rows: Rows, path: PathBuf, limits: &Limits) {
    match rows.read(&path, limits) {
        Ok(()) | Err(Fault::Stopped) => {}
        Err(fault) => drop(rows.sender.blocking_send(Err(fault.about(&path)))),
    }
}

/// The rows of a table, gathered into pages.
struct Rows {
    plan: Arc<ScanPlan>,
    parents: Vec<Option<String>>,
    label: String,
    decoder: Decoder,
    /// Rows still wanted.
    wanted: usize,
    /// The entries' member that no two share.
    key: Option<&'static str>,
    keys: Keys,
    /// Entries without it.
    unnamed: u64,
    /// Halves of surrogate pairs in the entries.
    halves: u64,
    position: u64,
    /// The page being gathered: an object with the list of its entries.
    page: Vec<u8>,
    count: usize,
    sender: Sender,
    context: ReadContext,
}

impl Rows {
    fn new(
        plan: &Arc<ScanPlan>,
        slice: &Slice,
        reading: &Reading,
        sender: Sender,
        context: ReadContext,
    ) -> Self {
        let request = &plan.request;
        let limit = request
            .limit
            .filter(|_| plan.limited && *reading == Reading::Scan);
        Self {
            decoder: Decoder::new(&request.table, &request.columns),
            wanted: limit.unwrap_or(usize::MAX),
            key: match request.table.rows.as_str() {
                "issues" | "comments" => Some("id"),
                "milestones" | "versions" | "components" => Some("name"),
                _ => None,
            },
            keys: Keys::default(),
            unnamed: 0,
            halves: 0,
            position: 0,
            page: Vec::new(),
            count: 0,
            plan: Arc::clone(plan),
            parents: slice.parents.clone(),
            label: slice.label.clone(),
            sender,
            context,
        }
    }

    /// Reads an archive to its end. The document is unpacked twice: its checksum is behind the last row, and no
    /// row of a damaged one may be given.
    fn read(&mut self, path: &std::path::Path, limits: &Limits) -> Result<(), Fault> {
        let mut file = bucketline_files::open(path)?;
        let document = Document::find(&mut file, limits)?;
        io::copy(
            &mut self.stoppable(document.open(&mut file, limits)?),
            &mut io::sink(),
        )?;
        let unpacked = self.stoppable(document.open(&mut file, limits)?);
        let list = self.plan.request.table.rows.clone();
        if self.wanted > 0 {
            each_entry(unpacked, &list, limits.entry_bytes, |entry| {
                self.accept(entry, &list)
            })?;
        }
        if let (Some(key), 1..) = (self.key, self.unnamed) {
            self.lose(Lost::Keyless { list, key }, self.unnamed);
        }
        if self.halves > 0 {
            self.lose(Lost::Halves, self.halves);
        }
        self.send(true)
    }

    fn stoppable<R: Read>(&self, document: R) -> Stoppable<R> {
        Stoppable {
            document,
            sender: self.sender.clone(),
        }
    }

    fn accept(&mut self, entry: &str, list: &str) -> Result<(), Fault> {
        let before = self.page.len();
        let separator = if self.count == 0 {
            format!("{{\"{list}\":[")
        } else {
            ",".to_owned()
        };
        self.page.extend_from_slice(separator.as_bytes());
        self.position += 1;
        let (entry, halves) = mend(entry);
        let entry = entry.as_ref();
        let key =
            entry::append(entry, self.position, self.key, &mut self.page).map_err(|error| {
                Fault::Layout(format!("entry {} of `{list}`: {error}", self.position))
            })?;
        match key {
            // Nothing can refer to it, and the copy could not tell it from another one.
            None | Some("null") if self.key.is_some() => {
                self.unnamed += 1;
                self.page.truncate(before);
                return Ok(());
            }
            Some(key) if !self.keys.insert(key) => {
                return Err(Fault::Twice {
                    list: list.to_owned(),
                    key: key.to_owned(),
                });
            }
            _ => {}
        }
        self.halves += halves;
        self.count += 1;
        self.wanted -= 1;
        if self.wanted == 0 {
            self.send(true)?;
            return Err(Fault::Stopped);
        }
        if self.count == self.plan.page_size || self.page.len() >= PAGE_BYTES {
            self.send(false)?;
        }
        Ok(())
    }

    fn lose(&self, how: Lost, values: u64) {
        let loss = Loss {
            subject: format!("{} of {}", self.plan.request.table.name, self.label),
            how,
        };
        self.context.observer().lost(loss, values);
    }

    /// Hands over the page gathered, and begins another.
    fn send(&mut self, is_last: bool) -> Result<(), Fault> {
        if self.count == 0 {
            let list = &self.plan.request.table.rows;
            self.page
                .extend_from_slice(format!("{{\"{list}\":[").as_bytes());
        }
        self.page.extend_from_slice(b"]}");
        let decoded = self.decoder.decode(&self.page, &self.parents);
        let decoded = decoded.map_err(Fault::Rows)?;
        self.page.clear();
        self.count = 0;
        for (how, values) in decoded.lost {
            self.lose(how, values);
        }
        let end = is_last.then_some(End::Complete { unstable_pages: 0 });
        let mut page = Page::new(decoded.rows, None, end);
        if is_last && self.unnamed > 0 {
            // Any row that a copy has may be one of them.
            page.unread = vec![Owner(Vec::new())];
        }
        let sent = self.sender.blocking_send(Ok(page));
        sent.map_err(|_| Fault::Stopped)
    }
}

/// A document that ends in an error once nobody wants it.
struct Stoppable<R> {
    document: R,
    sender: Sender,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sender.is_closed() {
            return Err(Fault::Stopped.into());
        }
        self.document.read(buffer)
    }
}

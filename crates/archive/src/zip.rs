//! The one file of a ZIP archive that is read: the tracker's document.
//!
//! The directory is streamed and of its entries only the document's is kept, so that an archive may
//! have any number of files (docs/decisions/0009).

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::Limits;
use crate::fault::Fault;

/// The document's name by version of the format, the newest first.
const NAMES: [&str; 2] = ["db-2.0.json", "db-1.0.json"];

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_HEADER: &[u8] = b"PK\x01\x02";
const END_RECORD: &[u8] = b"PK\x05\x06";
const END_RECORD_64: &[u8] = b"PK\x06\x06";
const END_LOCATOR_64: &[u8] = b"PK\x06\x07";

const END_RECORD_LENGTH: usize = 22;
const END_RECORD_64_LENGTH: usize = 56;
const END_LOCATOR_64_LENGTH: usize = 20;
/// The longest comment, which is all that may follow the end record.
const COMMENT_LIMIT: usize = u16::MAX as usize;

/// Documents up to this size are packed as tightly as they like: repetition alone is no harm.
const HARMLESS_BYTES: u64 = 1 << 20;

/// Where an archive's document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    name: &'static str,
    method: u16,
    encrypted: bool,
    /// Of the unpacked bytes.
    pub(crate) checksum: u32,
    packed_bytes: u64,
    /// Unpacked.
    pub(crate) bytes: u64,
    header: u64,
}

impl Document {
    /// Finds the document in an archive's directory. Reads the directory alone.
    pub(crate) fn find(mut file: impl Read + Seek, limits: &Limits) -> Result<Self, Fault> {
        let directory = Directory::locate(&mut file)?;
        if directory.files > limits.files {
            return Err(Fault::Limit {
                what: format!("it says that it holds {} files", directory.files),
                limit: limits.files,
                unit: "are",
            });
        }
        file.seek(SeekFrom::Start(directory.start))?;
        let mut headers = BufReader::new(file.take(directory.bytes));
        let mut found: [Option<Self>; NAMES.len()] = Default::default();
        for _ in 0..directory.files {
            let Some((version, document)) = next_document(&mut headers)? else {
                continue;
            };
            if found[version].replace(document).is_some() {
                return Err(Fault::Several(NAMES[version]));
            }
        }
        found.into_iter().flatten().next().ok_or(Fault::NoDocument)
    }

    /// The unpacked document. Reading ends in an error unless length and checksum are right.
    ///
    /// # Errors
    /// If it cannot be unpacked, or goes beyond the limits by what the directory says; more than that
    /// is never unpacked.
    pub(crate) fn open<F: Read + Seek>(
        &self,
        mut file: F,
        limits: &Limits,
    ) -> Result<Unpacked<F>, Fault> {
        if self.encrypted {
            return Err(Fault::Encrypted(self.name));
        }
        self.check(limits)?;
        file.seek(SeekFrom::Start(self.header))?;
        let mut header = [0; 30];
        file.read_exact(&mut header)?;
        if !header.starts_with(LOCAL_HEADER) {
            return Err(damaged(format!(
                "{} is not where the directory says",
                self.name
            )));
        }
        let skipped = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        let start = self.header.checked_add(header.len() as u64 + skipped);
        let start = start.ok_or_else(|| damaged("a place in it is beyond its end"))?;
        file.seek(SeekFrom::Start(start))?;
        let packed = file.take(self.packed_bytes);
        let content = match self.method {
            0 => Content::Stored(packed),
            8 => Content::Deflated(DeflateDecoder::new(packed)),
            method => {
                return Err(Fault::Method {
                    name: self.name,
                    method,
                });
            }
        };
        Ok(Unpacked {
            content,
            name: self.name,
            left: self.bytes,
            checksum: self.checksum,
            crc: Crc::new(),
        })
    }

    fn check(&self, limits: &Limits) -> Result<(), Fault> {
        let Self {
            name,
            bytes,
            packed_bytes,
            ..
        } = self;
        if *bytes > limits.document_bytes {
            return Err(Fault::Limit {
                what: format!("{name} unpacks to {bytes} bytes"),
                limit: limits.document_bytes,
                unit: "are",
            });
        }
        if *bytes > HARMLESS_BYTES && *bytes > packed_bytes.saturating_mul(limits.ratio) {
            return Err(Fault::Limit {
                what: format!("{name} unpacks from {packed_bytes} bytes to {bytes}"),
                limit: limits.ratio,
                unit: "times as many are",
            });
        }
        Ok(())
    }
}

/// Reads a directory header; gives the document with its version's index if it is the document's.
fn next_document(headers: &mut impl Read) -> Result<Option<(usize, Document)>, Fault> {
    let mut header = [0; 46];
    headers.read_exact(&mut header)?;
    if !header.starts_with(DIRECTORY_HEADER) {
        return Err(damaged("its directory is broken"));
    }
    let mut text = |at: usize| -> io::Result<Vec<u8>> {
        let mut text = vec![0; usize::from(u16_at(&header, at))];
        headers.read_exact(&mut text)?;
        Ok(text)
    };
    let (name, extra, _comment) = (text(28)?, text(30)?, text(32)?);
    let Some(version) = version(&name) else {
        return Ok(None);
    };
    let mut wide = wide_values(&extra);
    let mut value = |at: usize| match u32_at(&header, at) {
        u32::MAX => wide
            .next()
            .ok_or_else(|| damaged("its directory lacks a size")),
        value => Ok(u64::from(value)),
    };
    // In the order in which the wide ones follow each other.
    let (bytes, packed_bytes, header_at) = (value(24)?, value(20)?, value(42)?);
    let document = Document {
        name: NAMES[version],
        method: u16_at(&header, 10),
        encrypted: u16_at(&header, 8) & 1 != 0,
        checksum: u32_at(&header, 16),
        packed_bytes,
        bytes,
        header: header_at,
    };
    Ok(Some((version, document)))
}

/// Which version's document a file is by its name: at the top, or in the one folder that was packed
/// whole. A name is compared and never used as a path.
fn version(name: &[u8]) -> Option<usize> {
    let mut parts = name.rsplitn(3, |byte| matches!(byte, b'/' | b'\\'));
    let last = parts.next()?;
    let folder = parts.next();
    if parts.next().is_some() || folder == Some(b"attachments") {
        return None;
    }
    NAMES.iter().position(|known| known.as_bytes() == last)
}

/// The 64-bit values of a directory header, in their order.
fn wide_values(extra: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut fields = extra;
    let field = std::iter::from_fn(move || {
        let (head, rest) = fields.split_at_checked(4)?;
        let (field, rest) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
        fields = rest;
        Some((u16_at(head, 0), field))
    })
    .find_map(|(id, field)| (id == 1).then_some(field));
    let values = field.unwrap_or_default().chunks_exact(8);
    values.map(|value| u64_at(value, 0))
}

/// Where the directory is and how long.
#[derive(Debug)]
struct Directory {
    files: u64,
    bytes: u64,
    start: u64,
}

impl Directory {
    fn locate(file: &mut (impl Read + Seek)) -> Result<Self, Fault> {
        let length = file.seek(SeekFrom::End(0))?;
        let room = (END_LOCATOR_64_LENGTH + END_RECORD_LENGTH + COMMENT_LIMIT) as u64;
        let mut tail = Vec::new();
        let tail_start = length.saturating_sub(room);
        file.seek(SeekFrom::Start(tail_start))?;
        file.by_ref().take(room).read_to_end(&mut tail)?;
        let Some(end) = end_record(&tail) else {
            let mut begin = [0; 4];
            file.rewind()?;
            return Err(match file.read_exact(&mut begin) {
                Ok(()) if begin == LOCAL_HEADER => damaged("it ends before its directory of files"),
                Ok(()) => Fault::NotZip,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Fault::NotZip,
                Err(error) => error.into(),
            });
        };
        let record = &tail[end..];
        if u16_at(record, 4) != u16_at(record, 6) {
            return Err(damaged("it is one part of a split archive"));
        }
        let locator = end
            .checked_sub(END_LOCATOR_64_LENGTH)
            .map(|start| &tail[start..end])
            .filter(|locator| locator.starts_with(END_LOCATOR_64));
        let Some(locator) = locator else {
            return Ok(Self {
                files: u64::from(u16_at(record, 10)),
                bytes: u64::from(u32_at(record, 12)),
                start: u64::from(u32_at(record, 16)),
            });
        };
        file.seek(SeekFrom::Start(u64_at(locator, 8)))?;
        let mut record = [0; END_RECORD_64_LENGTH];
        file.read_exact(&mut record)?;
        if !record.starts_with(END_RECORD_64) {
            return Err(damaged("the end of its directory is broken"));
        }
        Ok(Self {
            files: u64_at(&record, 32),
            bytes: u64_at(&record, 40),
            start: u64_at(&record, 48),
        })
    }
}

/// Where the end record begins: the last one whose comment reaches just to the end.
fn end_record(tail: &[u8]) -> Option<usize> {
    let last = tail.len().checked_sub(END_RECORD_LENGTH)?;
    (0..=last).rev().find(|&at| {
        let record = &tail[at..];
        record.starts_with(END_RECORD)
            && usize::from(u16_at(record, 20)) == record.len() - END_RECORD_LENGTH
    })
}

/// A document as it is unpacked.
#[derive(Debug)]
pub(crate) struct Unpacked<F> {
    content: Content<F>,
    name: &'static str,
    left: u64,
    checksum: u32,
    crc: Crc,
}

#[derive(Debug)]
enum Content<F> {
    Stored(io::Take<F>),
    Deflated(DeflateDecoder<io::Take<F>>),
}

impl<F: Read> Read for Unpacked<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.content {
            Content::Stored(content) => content.read(buffer)?,
            Content::Deflated(content) => content.read(buffer)?,
        };
        self.crc.update(&buffer[..count]);
        let wrong = match self.left.checked_sub(count as u64) {
            None => Some("is longer"),
            Some(left) => {
                self.left = left;
                let at_end = count == 0;
                match (left, self.crc.sum() == self.checksum) {
                    (1.., _) if at_end => Some("is shorter"),
                    (0, false) if at_end => Some("has another checksum"),
                    _ => None,
                }
            }
        };
        match wrong {
            Some(wrong) => {
                let what = format!("{} {wrong} than the directory says", self.name);
                Err(damaged(what).into())
            }
            None => Ok(count),
        }
    }
}

fn damaged(what: impl Into<String>) -> Fault {
    Fault::Damaged(what.into())
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

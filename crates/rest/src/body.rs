//! An answer's body: whole, decompressed, and no longer than is accepted.

use std::error::Error as StdError;
use std::io::{self, BufRead as _, Read};

use bucketline_core::json::{BYTE_ORDER_MARK, without_mark};
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING,
};
use reqwest::{Response, Version};
use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::retry::Cause;
use crate::transport::Fault;

/// What of an error answer is read: messages are short, and whoever sends more is not asking to be
/// read.
pub(crate) const MAX_REFUSAL: u64 = 64 * 1024;
/// A service that compresses more often than this does not mean to save anything.
const MOST_CODINGS: usize = 4;

/// What the body is read by.
struct Plan {
    /// In the order in which they were applied.
    codings: Vec<Coding>,
    /// Bytes that are to come, where the server says.
    length: Option<u64>,
    /// The end of the body is marked: the connection's end does not pass for it.
    is_framed: bool,
    is_json: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

/// Reads the body of an answer to its end. Of an answer other than success the first 64 KiB
/// count; the rest is not waited for.
///
/// A connection that ends, or a stream that is reset, may pass for the end of the body. So the
/// length that was announced is held against what came, and JSON without such a length must be
/// whole.
pub(crate) async fn read(
    response: &mut Response,
    headers: &mut HeaderMap,
    max_body: u64,
) -> Result<Bytes, Fault> {
    let is_success = response.status().is_success();
    let limit = if is_success {
        max_body
    } else {
        MAX_REFUSAL.min(max_body)
    };
    let plan = Plan::new(response.version(), headers)?;
    let mut body = Vec::new();
    let mut is_shortened = false;
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Fault::of(error, Cause::CutBody))?
    {
        // What cannot be compressed grows a little when it is.
        let spare = if plan.codings.is_empty() {
            0
        } else {
            limit / 512 + 4096
        };
        let left = (limit + spare).saturating_sub(body.len() as u64);
        if chunk.len() as u64 > left {
            if is_success {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk[..usize::try_from(left).unwrap_or(chunk.len())]);
            is_shortened = true;
            break;
        }
        body.extend_from_slice(&chunk);
    }
    let received = body.len() as u64;
    if !is_shortened && plan.length.is_some_and(|length| received < length) {
        return Err(cut("fewer bytes came than were announced"));
    }
    let read = plan.decoded(body, limit);
    let body = match read {
        Ok(body) => body,
        Err(Unfit::TooLarge(first)) if !is_success => first,
        Err(Unfit::TooLarge(_)) => return Err(too_large()),
        Err(Unfit::Damaged(error, first)) => {
            if !is_shortened {
                return Err(Fault {
                    cause: Cause::CutBody,
                    source: Some(error.into()),
                });
            }
            first
        }
    };
    if is_success && !plan.is_whole(response.status().as_u16(), &body) {
        return Err(cut("its JSON breaks off"));
    }
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok(body.into())
}

enum Unfit {
    /// With what is accepted of it.
    TooLarge(Vec<u8>),
    /// With what came before.
    Damaged(io::Error, Vec<u8>),
}

impl Plan {
    fn new(version: Version, headers: &HeaderMap) -> Result<Plan, Fault> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_chunked = version == Version::HTTP_11 && headers.contains_key(TRANSFER_ENCODING);
        let length = text(CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
        let kind = text(CONTENT_TYPE).map(str::to_ascii_lowercase);
        Ok(Plan {
            codings: codings(headers)?,
            length: length.filter(|_| !is_chunked),
            is_framed: is_chunked || length.is_some(),
            is_json: kind.map(|kind| kind.contains("json")),
        })
    }

    /// The body without its codings, the last of which was applied last.
    fn decoded(&self, body: Vec<u8>, limit: u64) -> Result<Vec<u8>, Unfit> {
        let mut body = body;
        for coding in self.codings.iter().rev() {
            if !body.is_empty() {
                body = coding.decode(&body, limit)?;
            }
        }
        if body.len() as u64 > limit {
            body.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            return Err(Unfit::TooLarge(body));
        }
        Ok(body)
    }

    /// Whether the body can be all of it. JSON shows where it ends; where nothing came, that it was to be no JSON must
    /// have been said.
    fn is_whole(&self, status: u16, body: &[u8]) -> bool {
        let body = match BYTE_ORDER_MARK.starts_with(body) {
            true => &[],
            false => without_mark(body),
        };
        let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let may_be_json = matches!(start, None | Some(b'{' | b'['));
        if self.is_framed || !self.is_json.unwrap_or(may_be_json) || status == 204 {
            return true;
        }
        !breaks_off(body)
    }
}

/// Whether a text is the beginning of JSON and not the whole. An error within a number at the end is none of the end
/// to the parser, unless another digit comes.
pub(crate) fn breaks_off(body: &[u8]) -> bool {
    let category = |body: &[u8]| {
        let read = serde_json::from_slice::<IgnoredAny>(body);
        read.map_err(|error| error.classify()).err()
    };
    match category(body) {
        None => false,
        Some(Category::Eof) => true,
        Some(_) if matches!(body.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E')) => {
            matches!(category(&[body, b"0"].concat()), None | Some(Category::Eof))
        }
        Some(_) => false,
    }
}

/// The codings of a body (RFC 9110, section 8.4), whose names have no case.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Fault> {
    let refuse = |why: String| Fault {
        cause: Cause::Coding,
        source: Some(why.into()),
    };
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for name in value.split(',').map(str::trim) {
            match name {
                "" | "identity" => {}
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                other => {
                    let other = bucketline_secret::cut(other);
                    return Err(refuse(format!(
                        "it is encoded with {other}, and gzip was asked for"
                    )));
                }
            }
        }
    }
    if codings.len() > MOST_CODINGS {
        return Err(refuse(format!("it is encoded {} times", codings.len())));
    }
    Ok(codings)
}

impl Coding {
    fn decode(self, body: &[u8], limit: u64) -> Result<Vec<u8>, Unfit> {
        let mut decoded = Vec::new();
        match self {
            Coding::Gzip => {
                let mut rest = body;
                // A body of several members is what they say one after the other (RFC 1952).
                loop {
                    decode_into(&mut decoded, &mut GzDecoder::new(&mut rest), limit)?;
                    // What else follows, such as padding, is passed over as gzip(1) does.
                    if !rest.starts_with(&[0x1f]) {
                        return Ok(decoded);
                    }
                }
            }
            // Some servers send the bare stream, although the name stands for zlib's format.
            Coding::Deflate if !is_zlib(body) => {
                decode_into(&mut decoded, &mut DeflateDecoder::new(body), limit)?;
            }
            Coding::Deflate => decode_into(&mut decoded, &mut ZlibDecoder::new(body), limit)?,
        }
        Ok(decoded)
    }
}

/// Whether it begins like zlib's format (RFC 1950, section 2.2).
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => {
            method & 0x0f == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0
        }
        _ => false,
    }
}

fn decode_into(decoded: &mut Vec<u8>, decoder: &mut dyn Read, limit: u64) -> Result<(), Unfit> {
    let left = limit.saturating_sub(decoded.len() as u64);
    let mut decoder = io::BufReader::with_capacity(64 * 1024, decoder);
    match (&mut decoder).take(left).read_to_end(decoded) {
        Err(error) => Err(Unfit::Damaged(error, std::mem::take(decoded))),
        // The checksum at the end is read with what is beyond.
        Ok(_) => match decoder.fill_buf() {
            Err(error) => Err(Unfit::Damaged(error, std::mem::take(decoded))),
            Ok([]) => Ok(()),
            Ok(_) => Err(Unfit::TooLarge(std::mem::take(decoded))),
        },
    }
}

fn too_large() -> Fault {
    Fault {
        cause: Cause::TooLarge,
        source: None,
    }
}

fn cut(why: &'static str) -> Fault {
    let why: Box<dyn StdError + Send + Sync> = why.into();
    Fault {
        cause: Cause::CutBody,
        source: Some(why),
    }
}

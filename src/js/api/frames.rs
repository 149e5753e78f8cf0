//! Frames: their headers are read, their bodies are passed on.

use js_sys::Uint8Array;

use super::bytes::Bytes;
use super::failed::Failed;
use crate::entry::frame::{self, Corrupt, PREFIX_BYTES};
use crate::wire::api::Refusal;

/// What a client is told of bytes that are not a frame: it sent them, or they are stored.
pub(super) type NoFrame = fn(Corrupt) -> Refusal;

pub(super) fn bad_frame(corrupt: Corrupt) -> Refusal {
    Refusal::BadFrame { reason: corrupt.as_str().to_owned() }
}

pub(super) fn corrupt_entry(corrupt: Corrupt) -> Refusal {
    Refusal::CorruptEntry { reason: corrupt.as_str().to_owned() }
}

/// The header of a frame whose body is still to be read.
pub(super) struct Header {
    /// As it is stored.
    pub(super) bytes: Uint8Array,
    /// Of the entry.
    pub(super) generation: u64,
    /// How long the body is to be.
    pub(super) body_bytes: u64,
}

impl Header {
    /// How long the whole frame is to be.
    pub(super) fn total(&self) -> u64 {
        self.body_bytes.saturating_add(self.bytes.length().into())
    }
}

/// Reads the header of a frame.
pub(super) async fn header(bytes: &mut Bytes, no_frame: NoFrame) -> Result<Header, Failed> {
    let prefix_bytes = u32::try_from(PREFIX_BYTES).unwrap_or(u32::MAX);
    let prefix = bytes.take(prefix_bytes).await?;
    let length = frame::header_bytes(&prefix.to_vec()).map_err(no_frame)?;
    let length = u32::try_from(length).map_err(|_| no_frame(Corrupt::Metadata))?;
    let metadata = bytes.take(length.saturating_sub(prefix_bytes)).await?;
    let header = Uint8Array::new_with_length(prefix_bytes.saturating_add(metadata.length()));
    header.set(&prefix, 0);
    header.set(&metadata, prefix_bytes);
    let entry = frame::read_header(&header.to_vec()).map_err(no_frame)?;
    Ok(Header { bytes: header, generation: entry.generation, body_bytes: entry.body_bytes() })
}

/// The rest of a frame, if it is as long as its header says.
pub(super) async fn body(bytes: &mut Bytes, header: &Header, no_frame: NoFrame) -> Result<Uint8Array, Failed> {
    let length = u32::try_from(header.body_bytes).map_err(|_| no_frame(Corrupt::BodyLength))?;
    let body = bytes.take(length).await?;
    if body.length() == length && bytes.ended().await? {
        return Ok(body);
    }
    Err(no_frame(Corrupt::BodyLength).into())
}

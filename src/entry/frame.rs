//! The stored form of an entry: a fixed prefix, its metadata as JSON, then the body bytes one part after another.
//!
//! ```text
//! bytes  0..4   "1GEN"
//! byte   4      format version
//! bytes  5..8   zero
//! bytes  8..12  length of the metadata, big endian
//! bytes 12..    metadata, then the body
//! ```
//!
//! Only the prefix and the metadata ever pass through this module; the body stays with the host.

use crate::entry::Entry;

/// The format that this build writes. It reads this one only: an unknown version is a miss, and overwritten.
pub const VERSION: u8 = 1;

/// How many bytes stand in front of the metadata.
pub const PREFIX_BYTES: usize = 12;

/// Metadata beyond this is not believed, so that a corrupt length cannot ask for gigabytes.
pub const METADATA_LIMIT: usize = 1 << 20;

const MAGIC: [u8; 4] = *b"1GEN";

/// Why stored bytes are not an entry. The reader treats every one as a miss and counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrupt {
    /// It ends before its metadata or its body does.
    Truncated,
    /// It does not begin as a frame does.
    NotAFrame,
    /// It was written in another format version.
    UnknownVersion(u8),
    /// The metadata is not what this version writes, or too long.
    Metadata,
    /// There are more or fewer body bytes than the metadata says.
    BodyLength,
}

impl Corrupt {
    /// A stable word for logs and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NotAFrame => "not-a-frame",
            Self::UnknownVersion(_) => "unknown-version",
            Self::Metadata => "bad-metadata",
            Self::BodyLength => "body-length",
        }
    }
}

/// The bytes in front of the body of `entry`.
#[must_use]
pub fn header(entry: &Entry) -> Vec<u8> {
    // Text keys and numbers written to memory: there is nothing in an entry that JSON cannot hold.
    let metadata = serde_json::to_vec(entry).unwrap_or_default();
    let length = u32::try_from(metadata.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(PREFIX_BYTES.saturating_add(metadata.len()));
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, 0, 0, 0]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&metadata);
    out
}

/// How many bytes the header of a stored value takes, told by its first [`PREFIX_BYTES`].
///
/// # Errors
/// When the bytes do not begin a frame of this version.
pub fn header_bytes(prefix: &[u8]) -> Result<usize, Corrupt> {
    let prefix: &[u8; PREFIX_BYTES] =
        prefix.get(..PREFIX_BYTES).and_then(|bytes| bytes.try_into().ok()).ok_or(Corrupt::Truncated)?;
    let [a, b, c, d, version, _, _, _, l0, l1, l2, l3] = *prefix;
    if [a, b, c, d] != MAGIC {
        return Err(Corrupt::NotAFrame);
    }
    if version != VERSION {
        return Err(Corrupt::UnknownVersion(version));
    }
    let metadata = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    if metadata > METADATA_LIMIT {
        return Err(Corrupt::Metadata);
    }
    Ok(PREFIX_BYTES.saturating_add(metadata))
}

/// Reads a header, and checks it against the length of the whole stored value.
///
/// # Errors
/// When the bytes are not a header of this version, or the body is not as long as the header says.
pub fn read(header: &[u8], total_bytes: u64) -> Result<Entry, Corrupt> {
    let entry = read_header(header)?;
    let expected = entry.body_bytes().saturating_add(header_bytes(header)? as u64);
    if expected == total_bytes { Ok(entry) } else { Err(Corrupt::BodyLength) }
}

/// Reads a header whose body is still on its way.
///
/// # Errors
/// When the bytes are not a header of this version.
pub fn read_header(header: &[u8]) -> Result<Entry, Corrupt> {
    let metadata = header.get(PREFIX_BYTES..header_bytes(header)?).ok_or(Corrupt::Truncated)?;
    serde_json::from_slice(metadata).map_err(|_| Corrupt::Metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::example;

    fn stored() -> (Vec<u8>, u64) {
        let header = header(&example());
        let total = header.len() as u64 + example().body_bytes();
        (header, total)
    }

    #[test]
    fn a_header_read_back_is_the_entry_that_was_written() {
        let (header, total) = stored();
        assert_eq!(header_bytes(&header), Ok(header.len()));
        assert_eq!(read(&header, total), Ok(example()));
    }

    #[test]
    fn a_value_of_another_version_is_not_read() {
        let (mut header, total) = stored();
        header[4] = 9;
        assert_eq!(read(&header, total), Err(Corrupt::UnknownVersion(9)));
    }

    #[test]
    fn a_truncated_body_is_noticed_without_reading_it() {
        let (header, total) = stored();
        assert_eq!(read(&header, total - 1), Err(Corrupt::BodyLength));
    }

    #[test]
    fn a_foreign_value_is_not_a_frame() {
        assert_eq!(read(b"{\"lastModified\":1}", 18), Err(Corrupt::NotAFrame));
        assert_eq!(read(b"", 0), Err(Corrupt::Truncated));
    }

    #[test]
    fn an_absurd_metadata_length_is_refused() {
        let mut prefix = stored().0;
        prefix[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(header_bytes(&prefix), Err(Corrupt::Metadata));
    }
}

//! Whole numbers that every end can hold.
//!
//! JavaScript holds whole numbers exactly up to 2^53 - 1 (`Number.MAX_SAFE_INTEGER`). A larger one is refused where a frame, a row
//! or a message is read, so that no route and no copy of the ledger is ever built on a number that its readers would round.

use serde::{Deserialize, Deserializer, de::Error};

/// The largest whole number that JavaScript holds exactly.
pub(crate) const LARGEST: u64 = (1 << 53) - 1;

fn checked<E: Error>(number: u64) -> Result<u64, E> {
    if number > LARGEST { Err(E::custom(format_args!("{number} is above {LARGEST}"))) } else { Ok(number) }
}

/// A number, for `deserialize_with`.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    checked(u64::deserialize(deserializer)?)
}

/// The largest generation that a row is believed to have handed out: 2^46 more can follow before numbers end. Generations begin at
/// the time of day, so that only a damaged row is beyond.
const LARGEST_HANDED_OUT: u64 = LARGEST - (1 << 46);

/// The generation that a row has handed out last. A row with a larger one is unreadable: the next one would be no number of JavaScript's.
pub(crate) fn handed_out<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > LARGEST_HANDED_OUT {
        return Err(Error::custom(format_args!("{number} is above {LARGEST_HANDED_OUT}")));
    }
    Ok(number)
}

/// A number that may be left out.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<u64>::deserialize(deserializer)?.map(checked).transpose()
}

/// A number with something else, or nothing.
pub(crate) fn optional_pair<'de, D, T>(deserializer: D) -> Result<Option<(u64, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let pair = Option::<(u64, T)>::deserialize(deserializer)?;
    pair.map(|(number, beside)| Ok((checked(number)?, beside))).transpose()
}

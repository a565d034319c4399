//! AMF0 values, as RTMP commands and FLV script data carry them.
//!
//! Reading is [`decode`] for one value and [`Decoder`] for a message of several; writing is
//! [`encode`]. Nothing here knows RTMP: which value is a command name is the caller's business.
//!
//! A decoder never trusts a count or length: memory grows with the bytes that are there, nesting and
//! the number of values are bounded by [`Limits`], and each error says at which byte it happened.
//!
//! Spec: AMF 0 (Adobe, 2007) §2; the few AMF 3 values behind the `avmplus` marker: AMF 3 §3.
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod decode;
mod encode;
mod error;
mod value;

pub use decode::{Decoder, Limits, decode};
pub use encode::{encode, encode_all};
pub use error::{Error, ErrorKind};
pub use value::Value;

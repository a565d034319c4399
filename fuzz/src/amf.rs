//! AMF0.

use amf0::{Decoder, Limits, decode, encode};
use bytes::BytesMut;

/// Decodes a message of AMF0 values; each value must survive being written and read again.
///
/// # Panics
/// When it does not.
pub fn amf0_decode(data: &[u8]) {
    let limits = Limits::default();
    let mut decoder = Decoder::new(data, &limits);
    loop {
        let before = decoder.offset();
        match decoder.next_value() {
            Ok(Some(value)) => {
                assert!(
                    decoder.offset() > before,
                    "a value takes at least its marker"
                );
                // Compared as bytes: NaN is not equal to itself.
                let mut first = BytesMut::new();
                encode(&value, &mut first);
                let (again, len) = decode(&first, &limits).expect("what was written can be read");
                assert_eq!(len, first.len());
                let mut second = BytesMut::new();
                encode(&again, &mut second);
                assert_eq!(first, second);
            }
            Ok(None) => {
                assert_eq!(decoder.offset(), data.len());
                return;
            }
            Err(error) => {
                assert!(error.offset() <= data.len());
                return;
            }
        }
    }
}

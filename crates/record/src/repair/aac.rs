//! AAC: cut behind the last whole ADTS frame.

use std::io;

use super::{cut, open};
use crate::storage::Storage;

pub(super) fn repair(storage: &dyn Storage, path: &str) -> io::Result<bool> {
    let Some(mut file) = open(storage, path)? else {
        return Ok(false);
    };
    let (size, mut at) = (file.size()?, 0);
    loop {
        let mut header = [0; 7];
        if file.read_at(at, &mut header)? < 7 || header[0] != 0xff || header[1] & 0xf6 != 0xf0 {
            break;
        }
        // aac_frame_length, 13 bits over bytes 3 to 5 (ISO/IEC 13818-7 §6.2.1).
        let len =
            u64::from(header[3] & 3) << 11 | u64::from(header[4]) << 3 | u64::from(header[5]) >> 5;
        if len < 7 || at + len > size {
            break;
        }
        at += len;
    }
    if at == 0 {
        return Ok(false);
    }
    cut(file.as_mut(), at)?;
    Ok(true)
}

//! Where the packets are: finds size and place by the sync bytes, and finds them again.
//!
//! ```text
//! 188   47 … 187 bytes
//! 192   time code 4 | 47 … 187 bytes                     (M2TS: BDAV, cameras)
//! 204   47 … 187 bytes | Reed-Solomon parity 16          (broadcast)
//! ```
//!
//! A place counts when sync bytes follow it at the distance of the packets: four more before
//! anything was read, two more when the size is known. What is decided depends on the bytes alone,
//! never on how they were pushed: unless the input has ended, it waits for as many as it looks at.

use super::super::packet::PACKET_LEN;

/// `sync_byte` (ISO/IEC 13818-1 §2.4.3.3).
const SYNC: u8 = 0x47;
/// Distances of packets.
const SIZES: [usize; 3] = [188, 192, 204];
/// Bytes between a packet's 188 and the next.
const LARGEST: usize = 204;
/// Sync bytes that must follow the first for a new size.
const FOLLOW_NEW: usize = 4;
/// Sync bytes that must follow the first to go on.
const FOLLOW_KNOWN: usize = 2;

/// What [`find`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A packet's sync byte at this place, packets are this far apart.
    At { at: usize, distance: usize },
    /// Nothing before this place; more bytes are needed to judge it.
    NotBefore(usize),
}

/// Looks for packets in `bytes`, of a distance that may be known. `ended`: no more bytes come.
pub(super) fn find(bytes: &[u8], known: Option<usize>, ended: bool) -> Found {
    let mut from = 0;
    loop {
        let Some(at) = bytes
            .get(from..)
            .and_then(|rest| memchr::memchr(SYNC, rest))
            .map(|at| from + at)
        else {
            return Found::NotBefore(bytes.len());
        };
        let (reach, follow) = match known {
            Some(distance) => (FOLLOW_KNOWN * distance, FOLLOW_KNOWN),
            None => (FOLLOW_NEW * LARGEST, FOLLOW_NEW),
        };
        if at + reach >= bytes.len() && !ended {
            return Found::NotBefore(at);
        }
        let fits = |distance: usize| {
            at + PACKET_LEN <= bytes.len()
                && (1..=follow)
                    .filter_map(|n| bytes.get(at + n * distance))
                    .all(|&byte| byte == SYNC)
        };
        let mut sizes = SIZES
            .into_iter()
            .filter(|&size| known.is_none_or(|known| size == known));
        if let Some(distance) = sizes.find(|&distance| fits(distance)) {
            return Found::At { at, distance };
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(distance: usize, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; distance * count];
        bytes
            .iter_mut()
            .step_by(distance)
            .for_each(|byte| *byte = SYNC);
        bytes
    }

    #[test]
    fn each_size_is_found_behind_garbage_with_sync_bytes() {
        for distance in SIZES {
            let mut bytes = vec![SYNC, 1, SYNC, 2, 3];
            bytes.extend(packets(distance, 6));
            assert_eq!(find(&bytes, None, false), Found::At { at: 5, distance });
        }
    }

    #[test]
    fn too_few_bytes_wait_unless_the_input_ended() {
        let bytes = packets(188, 4);
        assert_eq!(find(&bytes, None, false), Found::NotBefore(0));
        assert_eq!(
            find(&bytes, None, true),
            Found::At {
                at: 0,
                distance: 188
            }
        );
        assert_eq!(
            find(&bytes, Some(188), false),
            Found::At {
                at: 0,
                distance: 188
            }
        );
        assert_eq!(find(&bytes[..187], None, true), Found::NotBefore(187));
        assert_eq!(find(&[0; 9], None, false), Found::NotBefore(9));
    }

    #[test]
    fn known_size_is_not_given_up() {
        let mut bytes = packets(192, 3);
        bytes.extend(packets(188, 9));
        assert_eq!(
            find(&bytes[192..], Some(188), false),
            Found::At {
                at: 384,
                distance: 188
            }
        );
    }
}

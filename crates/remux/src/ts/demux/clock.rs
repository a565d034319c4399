//! 33-bit times on one clock of 64 bits.

/// A turn of the clock: 26.5 hours at 90 kHz.
const TURN: i64 = 1 << 33;

/// The clock of a program; its first time is taken as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// The latest decode time of any stream.
    pub(super) newest: Option<i64>,
}

impl Clock {
    /// Presentation and decode time of 33 bits each, unwrapped: the decode time in the turn that is
    /// nearest to `last`, the stream's last one, or to the program's newest.
    pub(super) fn place(&mut self, (pts, dts): (u64, u64), last: Option<i64>) -> (i64, i64) {
        let dts = match last.or(self.newest) {
            Some(reference) => nearest(dts, reference),
            None => dts.cast_signed(),
        };
        self.newest = Some(dts);
        (nearest(pts, dts), dts)
    }
}

/// `time` in the turn that is nearest to `reference`.
fn nearest(time: u64, reference: i64) -> i64 {
    let ahead = time.cast_signed().wrapping_sub(reference).rem_euclid(TURN);
    reference.wrapping_add(if ahead >= TURN / 2 {
        ahead - TURN
    } else {
        ahead
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_over_the_turn_in_both_directions() {
        let turn = TURN.cast_unsigned();
        let mut clock = Clock::default();
        assert_eq!(
            clock.place((turn - 900, turn - 4_500), None),
            (TURN - 900, TURN - 4_500)
        );
        // The presentation has wrapped, the decoding has not.
        assert_eq!(
            clock.place((900, turn - 900), None),
            (TURN + 900, TURN - 900)
        );
        assert_eq!(
            clock.place((2_700, 2_700), None),
            (TURN + 2_700, TURN + 2_700)
        );
        // Another stream, a little behind.
        assert_eq!(
            clock.place((turn - 1, turn - 1), None),
            (TURN - 1, TURN - 1)
        );
        let mut clock = Clock::default();
        assert_eq!(clock.place((turn - 1_800, 0), None), (-1_800, 0));
    }
}

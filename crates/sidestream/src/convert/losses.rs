//! What of the input was lost, in one sentence.

use std::time::Duration;

use crate::describe::{precise, traffic};
use remux::Damage;

/// What of an input could not be read.
#[derive(Debug, Default)]
pub struct Losses {
    first: Option<Place>,
    count: u64,
    bytes: u64,
    /// The byte behind what was lost last.
    end: u64,
}

#[derive(Debug)]
struct Place {
    damage: Damage,
    /// Media time of the last unit before it.
    at: Duration,
}

impl Losses {
    /// Part of the input is lost, behind `at` of its media.
    pub fn add(&mut self, damage: &Damage, at: Duration) {
        self.count += 1;
        // Tracks may lose the same bytes.
        let start = damage.bytes.start.max(self.end).min(damage.bytes.end);
        self.bytes += damage.bytes.end - start;
        self.end = self.end.max(damage.bytes.end);
        self.first.get_or_insert_with(|| Place {
            damage: damage.clone(),
            at,
        });
    }

    /// Whether nothing is lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Bytes that are lost.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Damaged places.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `damaged from byte 1880 (0:00:01.320) to the end, 2.1 MB lost: what`; `None`: nothing is
    /// lost. `len`: bytes of the input, where known.
    #[must_use]
    pub fn sentence(&self, len: Option<u64>) -> Option<String> {
        let Place { damage, at } = self.first.as_ref()?;
        let to = match Some(damage.bytes.end) >= len && len.is_some() {
            true => "to the end".to_owned(),
            false => format!("to byte {}", damage.bytes.end),
        };
        let lost = traffic(self.bytes);
        let start = damage.bytes.start;
        let at = precise(*at);
        let what = &damage.what;
        Some(match self.count {
            1 => format!("damaged from byte {start} ({at}) {to}, {lost} lost: {what}"),
            count => format!(
                "damaged in {count} places, {lost} lost, the first from byte {start} ({at}) {to}: {what}"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(bytes: std::ops::Range<u64>) -> Damage {
        Damage {
            bytes,
            track: None,
            what: "a tag is cut off".into(),
        }
    }

    #[test]
    fn one_damage_is_told_whole_and_many_are_summed_up() {
        let mut losses = Losses::default();
        assert_eq!(losses.sentence(Some(9)), None);
        losses.add(&damage(100..1_100), Duration::from_millis(6_040));
        assert_eq!(
            losses.sentence(Some(1_100)).as_deref(),
            Some("damaged from byte 100 (0:00:06.040) to the end, 1 kB lost: a tag is cut off")
        );
        losses.add(&damage(900..2_100), Duration::ZERO);
        assert_eq!(
            losses.sentence(None).as_deref(),
            Some(
                "damaged in 2 places, 2 kB lost, the first from byte 100 (0:00:06.040) to byte 1100: a tag is cut off"
            )
        );
    }
}

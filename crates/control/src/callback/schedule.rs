//! When a callback is tried again, and when it is given up.

use std::time::Duration;

/// A plan of attempts.
///
/// Times count from the moment at which a delivery became the first in its line, so that a callback that waited behind a
/// failing one of the same channel still has its whole plan before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// At once, after 5, 15, 30 and 60 s, every 60 s until about 15 min have passed, after 2, 4, 8, 16, 32 and 60 min, then hourly
    /// until `max_age` (`None`: until it is acknowledged). From the sixth attempt on a delay is up to 10 % shorter or longer, so
    /// that the callbacks of an hour's outage do not return all at once.
    Long {
        /// Age at which a delivery is given up; `None` never.
        max_age: Option<Duration>,
    },
    /// At once and then 12 times after 60 s, as Tencent's live events are today.
    TencentCss,
}

/// What follows after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another attempt after this delay.
    After(Duration),
    /// None: the delivery is dead.
    GiveUp,
}

/// Attempts before which a delay is exact.
const EXACT_ATTEMPTS: u32 = 5;

impl Schedule {
    /// The default age at which a delivery is given up.
    pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(72 * 3600);

    /// What follows after `failed` attempts (1 or more), the last of which ended `age` after the first was due.
    ///
    /// `luck` in 0 ..= 1 chooses the place of a jittered delay: 0 the shortest, 1 the longest.
    pub fn after(self, failed: u32, age: Duration, luck: f64) -> Next {
        match self {
            Self::TencentCss if failed <= 12 => Next::After(Duration::from_secs(60)),
            Self::TencentCss => Next::GiveUp,
            Self::Long { max_age } => {
                let exact = delay(failed);
                let delay = if failed + 1 > EXACT_ATTEMPTS {
                    exact.mul_f64(0.9 + 0.2 * luck.clamp(0.0, 1.0))
                } else {
                    exact
                };
                match max_age {
                    Some(max_age) if age + delay > max_age => Next::GiveUp,
                    _ => Next::After(delay),
                }
            }
        }
    }
}

/// The delay after `failed` attempts, before jitter.
fn delay(failed: u32) -> Duration {
    /// The first attempts follow each other quickly: a restart of the receiver is the usual reason.
    const FIRST: [u64; 4] = [5, 15, 30, 60];
    /// 110 s after the first attempt the minutes begin; thirteen of them reach 14 min 50 s.
    const MINUTES: u32 = 13;
    const GROWING: [u64; 6] = [2, 4, 8, 16, 32, 60];
    let index = failed.saturating_sub(1);
    let seconds = if let Some(seconds) = FIRST.get(index as usize) {
        *seconds
    } else if index < 4 + MINUTES {
        60
    } else {
        GROWING
            .get((index - 4 - MINUTES) as usize)
            .copied()
            .unwrap_or(60)
            * 60
    };
    Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All delays of a schedule in seconds, each attempt failing at once.
    fn delays(schedule: Schedule, luck: f64) -> Vec<u64> {
        let (mut age, mut delays) = (Duration::ZERO, Vec::new());
        while let Next::After(delay) = schedule.after(delays.len() as u32 + 1, age, luck) {
            age += delay;
            delays.push(delay.as_secs());
            assert!(delays.len() < 1000, "a schedule with an age must end");
        }
        delays
    }

    #[test]
    fn seventy_two_hours_are_the_stated_steps() {
        let mut expected = vec![5, 15, 30, 60];
        expected.extend([60; 13]);
        expected.extend([120, 240, 480, 960, 1920, 3600]);
        let spent: u64 = expected.iter().sum();
        expected.extend(vec![3600; ((72 * 3600 - spent) / 3600) as usize]);
        let schedule = Schedule::Long {
            max_age: Some(Schedule::DEFAULT_MAX_AGE),
        };
        assert_eq!(delays(schedule, 0.5), expected);
        assert_eq!(expected.len(), 92, "attempts after the first");
    }

    #[test]
    fn it_tries_at_least_as_often_as_tencent_in_the_first_quarter() {
        let schedule = Schedule::Long {
            max_age: Some(Duration::from_secs(15 * 60)),
        };
        assert!(delays(schedule, 0.5).len() >= 12);
    }

    #[test]
    fn jitter_begins_with_the_sixth_attempt_and_stays_within_a_tenth() {
        let schedule = Schedule::Long { max_age: None };
        for failed in 1..=200 {
            let seconds = |luck| match schedule.after(failed, Duration::ZERO, luck) {
                Next::After(delay) => delay.as_secs_f64(),
                Next::GiveUp => panic!("without an age it never gives up"),
            };
            let (low, exact, high) = (seconds(0.0), seconds(0.5), seconds(1.0));
            if failed < 5 {
                assert_eq!((low, high), (exact, exact), "after {failed} failures");
            } else {
                assert!(
                    (low - 0.9 * exact).abs() < 1e-3 && (high - 1.1 * exact).abs() < 1e-3,
                    "after {failed} failures"
                );
            }
        }
    }

    #[test]
    fn tencent_css_is_twelve_repeats_a_minute_apart() {
        assert_eq!(delays(Schedule::TencentCss, 0.9), vec![60; 12]);
    }
}

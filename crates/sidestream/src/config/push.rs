//! Which streams a `[[push]]` takes and where it sends them.

use media::StreamName;

use super::Push;

impl Push {
    /// A target for the streams that `pattern` matches (`live/*`).
    #[must_use]
    pub fn new(pattern: &str, url: &str) -> Self {
        Self {
            matches: pattern.to_owned(),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// Whether this target takes the stream.
    #[must_use]
    pub fn takes(&self, name: &StreamName) -> bool {
        takes(&self.matches, &self.stream, name)
    }

    /// The URL for one stream, with its parts filled in; `key` becomes the last part.
    ///
    /// # Errors
    /// What is wrong with the URL; the text says nothing of the key.
    pub fn target_url(
        &self,
        app: &str,
        stream: &str,
        key: Option<&str>,
    ) -> Result<rtmp::Url, rtmp::ParseUrlError> {
        let mut url = self.url.replace("{app}", app).replace("{stream}", stream);
        if let Some(key) = key {
            url = format!("{}/{key}", url.trim_end_matches('/'));
        }
        url.parse()
    }
}

/// Whether a rule with this pattern, or this stream's name, takes the stream.
pub(super) fn takes(pattern: &str, stream: &str, name: &StreamName) -> bool {
    if stream.is_empty() {
        matches(pattern.as_bytes(), name.as_str().as_bytes())
    } else {
        StreamName::from_path(stream).is_ok_and(|stream| stream == *name)
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any run of bytes, `/` included.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // Linear: on a mismatch only the latest star is tried further on.
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    p = after + 1;
                    t = from + 1;
                    star = Some((after, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether there is a text that both patterns match.
pub(super) fn overlap(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // For the rest of `a` from one byte on: whether it overlaps each rest of `b`. From the end to
    // the start, since each answer needs those of shorter rests.
    let mut shorter = vec![false; b.len() + 1];
    for from_a in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for from_b in (0..=b.len()).rev() {
            // A star takes nothing more, or one more byte of the other.
            let less_a = from_a < a.len() && shorter[from_b];
            let less_b = from_b < b.len() && row[from_b + 1];
            row[from_b] = match (a.get(from_a), b.get(from_b)) {
                (None, None) => true,
                (Some(b'*'), _) | (_, Some(b'*')) => less_a || less_b,
                (Some(x), Some(y)) => x == y && shorter[from_b + 1],
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
        shorter = row;
    }
    shorter[0]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_overlap_where_a_name_matches_both() {
        for (a, b) in [
            ("*", "live/*"),
            ("live/*", "live/cam1"),
            ("*/cam1", "live/*"),
            ("a*c", "ab*"),
            ("**", "*"),
            ("live/cam1", "live/cam1"),
            ("*a*b", "*b"),
        ] {
            assert!(overlap(a, b) && overlap(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("live/*", "vod/*"),
            ("*/cam1", "*/cam2"),
            ("live/cam1", "live/cam"),
            ("a*c", "a*b"),
            ("", "a"),
        ] {
            assert!(!overlap(a, b) && !overlap(b, a), "{a} {b}");
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        let takes = |pattern: &str, name: &str| {
            Push::new(pattern, "").takes(&StreamName::from_path(name).unwrap())
        };
        assert!(takes("live/*", "live/cam1"));
        assert!(takes("*", "live/room/cam1"));
        assert!(takes("*/cam*1", "live/cam-a-b1"));
        assert!(takes("live/cam1", "live/cam1"));
        assert!(!takes("live/*", "other/cam1"));
        assert!(!takes("live/cam", "live/cam1"));
        assert!(!takes("*/cam*1", "live/cam-a-b2"));
    }

    #[test]
    fn the_key_of_a_file_is_the_last_part() {
        let push = Push::new("*", "rtmp://a.example/{app}");
        let url = push.target_url("live", "cam1", Some("s3cret")).unwrap();
        assert_eq!((url.app(), url.stream_key()), ("live", "s3cret"));
        assert_eq!(url.to_string(), "rtmp://a.example/live/****");
    }
}

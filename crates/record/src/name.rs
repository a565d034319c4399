//! Where files go: a template filled in with what is known when a file begins.

use jiff::Zoned;
use jiff::fmt::strtime;
use media::StreamName;

use crate::error::Error;

/// Longest part of a path in bytes that is left as it is; file systems allow 255, and extensions
/// and a number may follow.
const MAX_PART_BYTES: usize = 200;

/// A path below the recording root with `{placeholders}`:
///
/// | placeholder | stands for |
/// |---|---|
/// | `{app}`, `{stream}` | the two parts of the stream's name |
/// | `{start:%Y%m%d-%H%M%S}` | local time of the file's first unit, as `strftime` writes it |
/// | `{index}` | the number of the file within the recording, from 0 |
/// | `{id}` | the recording's id |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    App,
    Stream,
    Start(String),
    Index,
    Id,
}

/// What a template is filled in with.
#[derive(Debug)]
pub(crate) struct Fill<'a> {
    pub(crate) stream: &'a StreamName,
    pub(crate) start: &'a Zoned,
    pub(crate) index: u32,
    pub(crate) id: &'a str,
}

impl std::str::FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::Template {
            template: text.to_owned(),
            what,
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            if rest[open..].starts_with('}') {
                return Err(wrong("\"}\" without \"{\"".to_owned()));
            }
            parts.push(Part::Text(rest[..open].to_owned()));
            let Some(close) = rest[open..].find('}') else {
                return Err(wrong("\"{\" without \"}\"".to_owned()));
            };
            parts.push(placeholder(&rest[open + 1..open + close]).map_err(wrong)?);
            rest = &rest[open + close + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        let this = Self {
            parts,
            text: text.to_owned(),
        };
        // What it gives for an ordinary stream tells whether the fixed parts are sound.
        let stream = StreamName::from_path("app/stream").expect("a good name");
        let sample = this.text_of(&Fill {
            stream: &stream,
            start: &Zoned::default(),
            index: 0,
            id: "rec_0",
        });
        check(&sample).map_err(|what| wrong(what.to_owned()))?;
        Ok(this)
    }
}

fn placeholder(inside: &str) -> Result<Part, String> {
    let (name, format) = inside.split_once(':').unwrap_or((inside, ""));
    match (name, format) {
        ("app", "") => Ok(Part::App),
        ("stream", "") => Ok(Part::Stream),
        ("index", "") => Ok(Part::Index),
        ("id", "") => Ok(Part::Id),
        ("start", "") => Ok(Part::Start("%Y%m%d-%H%M%S".to_owned())),
        ("start", format) => match strtime::format(format, &Zoned::default()) {
            Ok(_) => Ok(Part::Start(format.to_owned())),
            Err(error) => Err(format!("{{start:{format}}}: {error}")),
        },
        _ => Err(format!(
            "unknown {{{inside}}}; there are {{app}}, {{stream}}, {{start:%Y%m%d-%H%M%S}}, {{index}}, {{id}}"
        )),
    }
}

fn check(path: &str) -> Result<(), &'static str> {
    if path.starts_with('/') {
        return Err("it begins with \"/\"; paths are meant below the recording folder");
    }
    for part in path.split('/') {
        if part.is_empty() {
            return Err("a part of the path is empty");
        }
        if part.starts_with('.') {
            return Err("a part of the path begins with \".\"");
        }
        if part.chars().any(|c| c.is_control() || c == '\\') {
            return Err("control characters and \"\\\" are not allowed");
        }
    }
    Ok(())
}

impl Template {
    /// A template of one file name without placeholders, whatever characters it has.
    ///
    /// # Errors
    /// [`Error::Template`]: the name would be changed, as it begins with a dot, has a slash, a
    /// backslash or control characters, or more than 200 bytes.
    pub fn literal(name: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Template {
            template: name.to_owned(),
            what: what.to_owned(),
        };
        check(name).map_err(wrong)?;
        if name.contains('/') {
            return Err(wrong("it has a \"/\"; this is the name of one file"));
        }
        if name.len() > MAX_PART_BYTES {
            return Err(wrong("it is longer than 200 bytes"));
        }
        Ok(Self {
            parts: vec![Part::Text(name.to_owned())],
            text: name.to_owned(),
        })
    }

    /// The path of a file without its extension: every part safe, and short enough.
    pub(crate) fn path(&self, fill: &Fill<'_>) -> String {
        let text = self.text_of(fill);
        let parts = text.split('/').filter(|part| !part.is_empty());
        let safe: Vec<String> = parts.map(safe_part).collect();
        safe.join("/")
    }

    fn text_of(&self, fill: &Fill<'_>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::App => out.push_str(fill.stream.app()),
                Part::Stream => out.push_str(fill.stream.stream()),
                Part::Start(format) => {
                    // Formatted once when it was read: it cannot fail.
                    out.push_str(&strtime::format(format, fill.start).unwrap_or_default());
                }
                Part::Index => out.push_str(&fill.index.to_string()),
                Part::Id => out.push_str(fill.id),
            }
        }
        out
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Stream names are safe by themselves; what a template joins to them need not be.
fn safe_part(part: &str) -> String {
    let mut safe: String = part
        .chars()
        .map(|c| match c {
            '\\' => '_',
            c if c.is_control() => '_',
            c => c,
        })
        .collect();
    if safe.starts_with('.') {
        safe.insert(0, '_');
    }
    if safe.len() > MAX_PART_BYTES {
        let hash = fnv(safe.as_bytes());
        let mut end = MAX_PART_BYTES - 17;
        while !safe.is_char_boundary(end) {
            end -= 1;
        }
        safe.truncate(end);
        safe.push_str(&format!("~{hash:016x}"));
    }
    safe
}

/// FNV-1a: tells long names apart that begin alike.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fill(template: &str, name: &str) -> String {
        let start = jiff::civil::date(2026, 11, 21).at(9, 5, 7, 0);
        let start = start.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        let template: Template = template.parse().unwrap();
        template.path(&Fill {
            stream: &StreamName::from_path(name).unwrap(),
            start: &start,
            index: 3,
            id: "rec_1",
        })
    }

    #[test]
    fn placeholders_are_filled_in() {
        assert_eq!(
            fill(
                "{app}/{stream}/{start:%Y%m%d-%H%M%S}-{index}",
                "live/room/a"
            ),
            "live/room/a/20261121-090507-3"
        );
        assert_eq!(fill("{start:%Y/%m}/{id}", "live/a"), "2026/11/rec_1");
        assert_eq!(fill("all-{start}", "live/a"), "all-20261121-090507");
    }

    #[test]
    fn a_literal_name_is_kept_as_it_is() {
        let literal = Template::literal("a {b} %Y").unwrap();
        let fill = Fill {
            stream: &StreamName::from_path("live/a").unwrap(),
            start: &jiff::Zoned::default(),
            index: 0,
            id: "rec_1",
        };
        assert_eq!(literal.path(&fill), "a {b} %Y");
        for bad in ["", ".a", "a/b", "a\\b", &"x".repeat(201)] {
            assert!(Template::literal(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_template_cannot_leave_the_root() {
        for bad in [
            "",
            "/{app}",
            "../{app}",
            "{app}/../{stream}",
            "{app}//{stream}",
            "{app}/",
            ".x",
            "a\\b",
            "a\nb",
            "{app",
            "app}",
            "{nothing}",
            "{app:x}",
            "{start:%!}",
        ] {
            assert!(bad.parse::<Template>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let (a, b) = ("房".repeat(84) + "a", "房".repeat(84) + "b");
        let (a, b) = (
            fill("{stream}-{index}", &format!("live/{a}")),
            fill("{stream}-{index}", &format!("live/{b}")),
        );
        assert!(a.len() <= 200 && b.len() <= 200, "{} {}", a.len(), b.len());
        assert_ne!(a, b);
    }
}

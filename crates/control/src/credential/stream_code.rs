//! Stream codes: what a member's source is called in URLs.
//!
//! | rule | code |
//! |---|---|
//! | `classic_md5` | `BIZID_MD5(room_user_source)` |
//! | `plain` | `APPID_room_user_source` |
//! | custom | a [`Template`] |

use std::fmt;
use std::str::FromStr;

use media::{NameError, StreamName};

use super::hex::md5_hex;
use super::identity::{Identity, Source};

/// How stream codes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamCodeRule {
    /// `BIZID_` and the MD5 of `room_user_source`, in UTF-8. Rooms and users of any characters.
    ClassicMd5 {
        /// The service's business id, `8888`.
        bizid: String,
    },
    /// `APPID_room_user_source`: readable, and a published key needs no earlier call.
    Plain {
        /// The app's id; without `_`.
        sdk_app_id: String,
    },
    /// A template.
    Custom {
        /// The template.
        template: Template,
        /// For `{app_id}`.
        sdk_app_id: String,
        /// For `{bizid}`.
        bizid: String,
    },
}

/// Why no code can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The room holds the separator, so that the code could mean another room.
    #[error("room {0:?} contains \"_\", which a plain stream code cannot; use classic_md5")]
    Separator(String),
    /// A character that URLs give another meaning.
    #[error("a stream code cannot contain {0:?}; use classic_md5 for such ids")]
    Character(char),
    /// The code is no stream name.
    #[error("{0}; use classic_md5 for such ids")]
    Name(#[from] NameError),
}

impl StreamCodeRule {
    /// The code of a member's source.
    ///
    /// # Errors
    /// [`CodeError`]: `plain` and custom codes hold what a stream name may hold (Unicode letters
    /// and digits, `-`, `_`, `.`).
    pub fn code(&self, member: &Identity) -> Result<String, CodeError> {
        let (room, user, source) = (member.room(), member.user(), member.source());
        let code = match self {
            Self::ClassicMd5 { bizid } => return Ok(format!("{bizid}_{}", digest(member))),
            Self::Plain { sdk_app_id } => {
                if room.contains('_') {
                    return Err(CodeError::Separator(room.to_owned()));
                }
                format!("{sdk_app_id}_{room}_{user}_{source}")
            }
            Self::Custom {
                template,
                sdk_app_id,
                bizid,
            } => template.fill(member, sdk_app_id, bizid),
        };
        // A `%` would be decoded on the way in: refuse it as the name would be.
        if let Some(ch) = code.chars().find(|ch| *ch == '%' || *ch == '/') {
            return Err(CodeError::Character(ch));
        }
        StreamName::parse("live", &code)?;
        Ok(code)
    }
}

/// `MD5(room_user_source)`.
fn digest(member: &Identity) -> String {
    let source = member.source().as_str();
    md5_hex(&[member.room(), "_", member.user(), "_", source])
}

/// Reads `APPID_room_user_source`. The user may hold `_`; the app's id and the room may not.
pub(super) fn parse_plain(key: &str) -> Option<(&str, Identity)> {
    let (rest, source) = key.rsplit_once('_')?;
    let source: Source = source.parse().ok()?;
    let (sdk_app_id, rest) = rest.split_once('_')?;
    let (room, user) = rest.split_once('_')?;
    let is_id = !sdk_app_id.is_empty() && sdk_app_id.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id {
        return None;
    }
    Some((sdk_app_id, Identity::new(room, user, source).ok()?))
}

/// A stream code with placeholders: `{app_id}`, `{bizid}`, `{room}`, `{user}`, `{source}`, and
/// `{md5}` for the MD5 of `room_user_source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    AppId,
    Bizid,
    Room,
    User,
    Source,
    Md5,
}

const PLACEHOLDERS: [(&str, Piece); 6] = [
    ("app_id", Piece::AppId),
    ("bizid", Piece::Bizid),
    ("room", Piece::Room),
    ("user", Piece::User),
    ("source", Piece::Source),
    ("md5", Piece::Md5),
];

/// Why a template is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error("{{{0}}} is none of {{app_id}}, {{bizid}}, {{room}}, {{user}}, {{source}}, {{md5}}")]
    Unknown(String),
    /// `{` without `}`, or the reverse.
    #[error("a brace without its partner")]
    Brace,
    /// Members would share a code.
    #[error("needs {{md5}}, or {{room}}, {{user}} and {{source}}: otherwise members share a code")]
    Ambiguous,
    /// Two placeholders without text between them: where one ends cannot be told.
    #[error("two placeholders need text between them: otherwise members share a code")]
    Adjacent,
    /// A character that URLs give another meaning.
    #[error("a stream code cannot contain {0:?}")]
    Character(char),
    /// Text that a stream name cannot hold.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Template {
    fn fill(&self, member: &Identity, sdk_app_id: &str, bizid: &str) -> String {
        let mut code = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => code.push_str(text),
                Piece::AppId => code.push_str(sdk_app_id),
                Piece::Bizid => code.push_str(bizid),
                Piece::Room => code.push_str(member.room()),
                Piece::User => code.push_str(member.user()),
                Piece::Source => code.push_str(member.source().as_str()),
                Piece::Md5 => code.push_str(&digest(member)),
            }
        }
        code
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('{') {
                let (name, after) = inner.split_once('}').ok_or(TemplateError::Brace)?;
                let found = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
                let (_, piece) = found.ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
                pieces.push(piece.clone());
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                let (literal, after) = rest.split_at(end);
                if literal.contains('}') {
                    return Err(TemplateError::Brace);
                }
                if let Some(ch) = literal.chars().find(|ch| matches!(ch, '%' | '/')) {
                    return Err(TemplateError::Character(ch));
                }
                pieces.push(Piece::Text(literal.to_owned()));
                rest = after;
            }
        }
        let has = |piece: &Piece| pieces.contains(piece);
        let named = has(&Piece::Room) && has(&Piece::User) && has(&Piece::Source);
        if !named && !has(&Piece::Md5) {
            return Err(TemplateError::Ambiguous);
        }
        let is_text = |piece: &Piece| matches!(piece, Piece::Text(_));
        let adjacent = pieces.windows(2).any(|pair| !pair.iter().any(is_text));
        if adjacent && !has(&Piece::Md5) {
            return Err(TemplateError::Adjacent);
        }
        let template = Self(pieces);
        // An example shows whether the text around the placeholders can be part of a name.
        let example =
            Identity::new("1", "u", Source::Main).map_err(|_| TemplateError::Ambiguous)?;
        StreamName::parse("live", &template.fill(&example, "1", "1"))?;
        Ok(template)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                other => {
                    let name = PLACEHOLDERS.iter().find(|(_, known)| known == other);
                    write!(f, "{{{}}}", name.map_or("", |(name, _)| name))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn member(room: &str, user: &str, source: Source) -> Identity {
        Identity::new(room, user, source).unwrap()
    }

    fn classic() -> StreamCodeRule {
        let bizid = "8888".to_owned();
        StreamCodeRule::ClassicMd5 { bizid }
    }

    fn plain() -> StreamCodeRule {
        let sdk_app_id = "1400000001".to_owned();
        StreamCodeRule::Plain { sdk_app_id }
    }

    #[test]
    fn g1_classic_stream_codes() {
        assert_eq!(
            classic().code(&member("293710", "14y2l2c", Source::Main)),
            Ok("8888_81265058829fd2e50c8ec2ac78d55127".to_owned())
        );
        assert_eq!(
            classic().code(&member("12345", "userA", Source::Main)),
            Ok("8888_8d0261436c375bb0dea901d86d7d70e8".to_owned())
        );
    }

    #[test]
    fn plain_codes_are_read_back_with_underscores_in_the_user() {
        let anchor = member("8001", "anchor_7", Source::Aux);
        let code = plain().code(&anchor).unwrap();
        assert_eq!(code, "1400000001_8001_anchor_7_aux");
        assert_eq!(parse_plain(&code), Some(("1400000001", anchor)));
        for key in [
            "cam1",
            "1_2_main",
            "1_2_3_other",
            "x_2_3_main",
            "__ _main",
            "1__u_main",
        ] {
            assert_eq!(parse_plain(key), None, "{key}");
        }
    }

    #[test]
    fn ids_that_a_name_cannot_hold_are_refused_and_classic_takes_them() {
        let anchor = member("a room", "张三@home..", Source::Main);
        assert!(matches!(plain().code(&anchor), Err(CodeError::Name(_))));
        let code = classic().code(&anchor).unwrap();
        assert!(StreamName::parse("live", &code).is_ok());
        assert_eq!(
            plain().code(&member("a_b", "c", Source::Main)),
            Err(CodeError::Separator("a_b".to_owned()))
        );
        // `%2F` would become `/` on its way in.
        assert!(plain().code(&member("1", "a%2Fb", Source::Main)).is_err());
    }

    #[test]
    fn templates_are_checked_when_they_are_read() {
        let template: Template = "t-{room}.{user}-{source}".parse().unwrap();
        let rule = StreamCodeRule::Custom {
            template,
            sdk_app_id: "1".to_owned(),
            bizid: "2".to_owned(),
        };
        let code = rule.code(&member("8001", "anchor_7", Source::Main));
        assert_eq!(code, Ok("t-8001.anchor_7-main".to_owned()));
        let refused = |text: &str| text.parse::<Template>().unwrap_err().to_string();
        assert_eq!(
            refused("{room}_{uzer}"),
            "{uzer} is none of {app_id}, {bizid}, {room}, {user}, {source}, {md5}"
        );
        assert!(refused("{room}_{user}").starts_with("needs {md5}"));
        assert!(refused("{room}{user}_{source}").starts_with("two placeholders"));
        assert_eq!(refused("a{room"), "a brace without its partner");
        assert_eq!(refused("a}b{md5}"), "a brace without its partner");
        assert!(refused("a/{md5}").contains("'/'"));
        assert!(refused("-{md5}").contains("begins with"));
        assert!(refused("").starts_with("needs"));
    }

    proptest! {
        #[test]
        fn plain_codes_round_trip(room in "[a-z0-9.-]{1,20}", user in "[\\w.-]{1,40}", aux: bool) {
            let source = if aux { Source::Aux } else { Source::Main };
            let anchor = member(&room, &user, source);
            if let Ok(code) = plain().code(&anchor) {
                prop_assert_eq!(parse_plain(&code), Some(("1400000001", anchor)));
            }
        }

        #[test]
        fn classic_codes_are_stream_names(room in "\\PC{1,50}", user in "\\PC{1,50}") {
            let code = classic().code(&member(&room, &user, Source::Main)).unwrap();
            prop_assert!(StreamName::parse("live", &code).is_ok());
        }

        #[test]
        fn no_text_breaks_the_readers(text in "\\PC{0,80}") {
            let _ = parse_plain(&text);
            if let Ok(template) = text.parse::<Template>() {
                prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}

//! Whose stream is it that is published under this key?
//!
//! In this order: a key that the API handed out, a stream code that is known, a plain stream code
//! (`APPID_room_user_source`), `groupid` and `userid` in the query, and at last the policy for
//! publishes that nobody announced.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use media::StreamName;

use super::identity::{Identity, Source};
use super::query::Query;
use super::stream_code::{CodeError, StreamCodeRule, parse_plain};

/// What is known about a stream key before it is read.
pub trait Directory {
    /// Whom a key that was handed out stands for; whether it is still good is not asked here.
    fn issued(&self, stream_key: &str) -> Option<Identity>;

    /// Whose source has this stream code, because it was announced or has published before.
    fn by_code(&self, code: &str) -> Option<Identity>;
}

/// What happens to a publish that nobody announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownPublish {
    /// It is refused.
    #[default]
    Reject,
    /// It is taken: the app is the room, the stream key the user.
    Adopt,
}

/// How a publish was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a key that was handed out.
    IssuedKey,
    /// By its stream code.
    StreamCode,
    /// By its plain stream code.
    PlainCode,
    /// By `groupid` and `userid` in the query.
    Query,
    /// Not at all: adopted.
    Adopted,
}

/// A publish whose stream is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Whose source it is.
    pub identity: Identity,
    /// The stream's name; differs from the published one when that was a key or an alias.
    pub stream: StreamName,
    /// How it was recognised.
    pub via: Via,
}

/// Why a publish is nobody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// Nobody announced it.
    #[error(
        "nobody announced this stream, and streams.unknown_publish is \"reject\"; start a channel \
         or ask for a publish key first"
    )]
    Rejected,
    /// The member cannot have a stream code.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The key is no user id.
    #[error("the stream key names no user: {0}")]
    Identity(#[from] super::identity::IdentityError),
}

/// Finds the stream of a publish to `name` with `query`.
///
/// `sdk_app_id` is the app's id, which a plain stream code has to begin with.
///
/// # Errors
/// [`Unknown`].
pub fn resolve(
    name: &StreamName,
    query: &Query<'_>,
    directory: &dyn Directory,
    rule: &StreamCodeRule,
    sdk_app_id: &str,
    unknown: UnknownPublish,
) -> Result<Resolved, Unknown> {
    let key = name.stream();
    if let Some(identity) = directory.issued(key) {
        return coded(name, identity, rule, Via::IssuedKey);
    }
    if let Some(identity) = directory.by_code(key) {
        return Ok(Resolved {
            identity,
            stream: name.clone(),
            via: Via::StreamCode,
        });
    }
    if let Some((app_id, identity)) = parse_plain(key)
        && app_id == sdk_app_id
    {
        return coded(name, identity, rule, Via::PlainCode);
    }
    if let Some(identity) = of_query(query) {
        return coded(name, identity, rule, Via::Query);
    }
    match unknown {
        UnknownPublish::Reject => Err(Unknown::Rejected),
        UnknownPublish::Adopt => Ok(Resolved {
            identity: Identity::new(name.app(), key, Source::Main)?,
            stream: name.clone(),
            via: Via::Adopted,
        }),
    }
}

/// The stream of a member under the app it published to.
fn coded(
    name: &StreamName,
    identity: Identity,
    rule: &StreamCodeRule,
    via: Via,
) -> Result<Resolved, Unknown> {
    let code = rule.code(&identity)?;
    let stream = StreamName::parse(name.app(), &code).map_err(CodeError::from)?;
    Ok(Resolved {
        identity,
        stream,
        via,
    })
}

/// `groupid=8001&userid=YW5jaG9yXzc=`, the camera unless `source=aux`.
fn of_query(query: &Query<'_>) -> Option<Identity> {
    let room = query.get("groupid").filter(|room| *room != "0")?;
    let user = decode_user(query.get("userid")?)?;
    let source = match query.get("source") {
        Some(source) => source.parse().ok()?,
        None => Source::Main,
    };
    Identity::new(room, user, source).ok()
}

/// Base64 as it arrives in queries: with or without padding, in either alphabet, `+` perhaps
/// turned into a space on the way.
fn decode_user(text: &str) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let standard: String = text
        .chars()
        .map(|ch| match ch {
            '-' | ' ' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    String::from_utf8(LENIENT.decode(standard).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Default)]
    struct Known {
        issued: HashMap<String, Identity>,
        codes: HashMap<String, Identity>,
    }

    impl Directory for Known {
        fn issued(&self, stream_key: &str) -> Option<Identity> {
            self.issued.get(stream_key).cloned()
        }

        fn by_code(&self, code: &str) -> Option<Identity> {
            self.codes.get(code).cloned()
        }
    }

    fn classic() -> StreamCodeRule {
        let bizid = "8888".to_owned();
        StreamCodeRule::ClassicMd5 { bizid }
    }

    fn someone(room: &str, user: &str, source: Source) -> Identity {
        Identity::new(room, user, source).unwrap()
    }

    fn find(
        known: &Known,
        key: &str,
        query: &str,
        unknown: UnknownPublish,
    ) -> Result<Resolved, Unknown> {
        let name = StreamName::parse("live", key).unwrap();
        let query = Query::parse(query);
        resolve(&name, &query, known, &classic(), "1400000001", unknown)
    }

    #[test]
    fn each_way_is_tried_in_order() {
        // A key that all five ways would take, each as another user.
        let key = "1400000001_8001_plain_main";
        let query = "groupid=8001&userid=cXVlcnk=";
        let mut known = Known::default();
        known
            .issued
            .insert(key.to_owned(), someone("8001", "issued", Source::Aux));
        known
            .codes
            .insert(key.to_owned(), someone("8001", "code", Source::Main));
        let expect = |known: &Known, key: &str, query: &str, user: &str, via: Via| {
            let found = find(known, key, query, UnknownPublish::Adopt).unwrap();
            assert_eq!((found.identity.user(), found.via), (user, via));
            found.stream
        };
        let stream = expect(&known, key, query, "issued", Via::IssuedKey);
        let aux = classic()
            .code(&someone("8001", "issued", Source::Aux))
            .unwrap();
        assert_eq!(stream.as_str(), format!("live/{aux}"));
        known.issued.clear();
        let stream = expect(&known, key, query, "code", Via::StreamCode);
        assert_eq!(stream.stream(), key);
        known.codes.clear();
        let stream = expect(&known, key, query, "plain", Via::PlainCode);
        let main = classic()
            .code(&someone("8001", "plain", Source::Main))
            .unwrap();
        assert_eq!(stream.stream(), main);
        expect(&known, "cam1", query, "query", Via::Query);
        let stream = expect(&known, "cam1", "", "cam1", Via::Adopted);
        assert_eq!(stream.as_str(), "live/cam1");
        let rejected = find(&known, "cam1", "", UnknownPublish::Reject);
        assert_eq!(rejected, Err(Unknown::Rejected));
    }

    #[test]
    fn a_plain_code_of_another_app_is_not_taken() {
        let known = Known::default();
        let found = find(&known, "1400000002_8001_u_main", "", UnknownPublish::Reject);
        assert_eq!(found, Err(Unknown::Rejected));
    }

    #[test]
    fn user_ids_are_read_in_every_base64_that_arrives() {
        // "a>>?" is YT4+Pw== ; base64url YT4-Pw ; a form decoder makes "YT4 Pw==" of it.
        for text in ["YT4+Pw==", "YT4+Pw", "YT4-Pw", "YT4 Pw==", "YT4%2BPw%3D%3D"] {
            let query = format!("groupid=8001&userid={text}&source=aux");
            let found = find(&Known::default(), "x", &query, UnknownPublish::Reject);
            assert_eq!(
                found.unwrap().identity,
                someone("8001", "a>>?", Source::Aux)
            );
        }
        for query in [
            "groupid=8001&userid=!!",
            "groupid=8001&userid=",
            "groupid=0&userid=cXVlcnk=",
            "groupid=8001&userid=cXVlcnk=&source=mix",
            "groupid=8001&userid=/w==",
            "groupid=8001",
            "userid=cXVlcnk=",
        ] {
            let found = find(&Known::default(), "x", query, UnknownPublish::Reject);
            assert_eq!(found, Err(Unknown::Rejected), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_key_and_no_query_breaks_it(
            key in "([0-9]{1,3}|_|main|aux|[\\w.-]){1,60}",
            query in "(groupid=|userid=|source=|&|%|[A-Za-z0-9+/=]|\\PC){0,80}",
        ) {
            if let Ok(name) = StreamName::parse("live", &key) {
                let query = Query::parse(&query);
                let known = Known::default();
                for unknown in [UnknownPublish::Reject, UnknownPublish::Adopt] {
                    let found = resolve(&name, &query, &known, &classic(), "1", unknown);
                    if let Ok(found) = found {
                        prop_assert_eq!(found.stream.app(), "live");
                    }
                }
            }
        }
    }
}

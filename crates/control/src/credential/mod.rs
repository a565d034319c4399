//! Who may publish what, and who may watch it: stream codes, signed URLs, issued keys, passwords
//! and tokens. Everything here is a function of its arguments; `now` is a parameter.
//!
//! ```text
//!   rtmp://host/{app}/{stream key}?txSecret=…&txTime=…&record=mp4&groupid=…&userid=…
//!                      │            └── UrlKeys::verify      │        └───┐
//!                      │                                RecordRequest     │
//!                      └─ resolve(): issued key ▸ known stream code ▸ plain code ▸ query ▸ policy
//! ```
//!
//! A stream code names a member's source to the outside: [`StreamCodeRule`] makes it, [`resolve`]
//! finds its way back. Secrets are [`Secret`]s: compared in constant time, never shown.

mod api_key;
mod hex;
mod identity;
mod play_token;
mod publish_key;
mod query;
mod record_request;
mod resolve;
mod secret;
mod stream_code;
mod url_keys;

pub use api_key::{ApiKeyHash, BadHash, new_api_key};
pub use identity::{Identity, IdentityError, Source};
pub use play_token::{PlayTokens, TokenError, TokenUse};
pub use publish_key::{IssuedKey, KeyDigest, KeyUse, KeyUseError, new_publish_key};
pub use query::{Query, masked};
pub use record_request::{RecordFormat, RecordMedia, RecordRequest};
pub use resolve::{Directory, Resolved, Unknown, UnknownPublish, Via, resolve};
pub use secret::Secret;
pub use stream_code::{CodeError, StreamCodeRule, Template, TemplateError};
pub use url_keys::{SignedTime, UrlKeys, UrlSignature, UrlSignatureError};

//! `/v1`: everything that operators and programs ask.
//!
//! One resource is one file; each says its [`Route`]s, which are at once what is dispatched, what
//! `/openapi.json` tells and what `/docs` shows.
//!
//! ```text
//! router::frame ─▶ access: who ─▶ dispatch ─┬─▶ rate: how often
//!                                           ├─▶ table: which route, which scope
//!                                           ├─▶ the body, read once and bounded
//!                                           └─▶ the handler of a resource
//! ```
//!
//! Methods tell paths of streams apart: a GET names a stream to its end, so that a stream may be
//! called `publisher`; a DELETE always has one of two endings. The slashes of a name may be
//! written as they are or as `%2F`.

mod access;
mod answer;
mod ask;
mod channel_start;
mod channels;
mod deliveries;
mod dispatch;
mod docs;
mod events;
mod files;
mod idempotency;
mod ingests;
mod input;
mod ladders;
mod members;
mod moderation;
mod openapi;
mod play;
mod policy;
mod poster;
mod publisher;
mod rate;
mod recordings;
mod reload;
mod rooms;
mod route;
mod server;
mod sources;
mod stream;
mod streams;
mod table;
mod targets;
mod usage;
mod view;
mod viewer;
mod webhooks;
mod wire;
mod words;

pub use access::{FixedKeys, Grant, Keys, OpenMode, Scope};
pub use play::{PlayTokens, Token};
pub use reload::{Misconfigured, Reload, Reloaded};
pub use wire::{PushTarget, Recording};

pub(crate) use access::{admit, is_operator, same};
pub(crate) use dispatch::{dispatch, read as read_body};
pub(crate) use docs::{docs, docs_style};
pub(crate) use input::decoded;
pub(crate) use ladders::load as load_ladders;
pub(crate) use openapi::document;
pub(crate) use rate::Rates;
pub(crate) use table::Table;
pub(crate) use view::{PlayUrl, urls};

use media::StreamName;

use input::{Text, Whole};
use route::Route;

/// Tells where streams are pushed to. Must not block.
pub trait PushTargets: Send + Sync + 'static {
    /// The targets of one stream.
    fn of(&self, stream: &StreamName) -> Vec<PushTarget>;
}

/// Tells what is recorded. Must not block.
pub trait Recordings: Send + Sync + 'static {
    /// The recordings of one stream that have not ended.
    fn of(&self, stream: &StreamName) -> Vec<Recording>;

    /// How many recordings are in each state, by its word.
    fn states(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Counters since the start: name and unit, a sentence, the count.
    fn totals(&self) -> Vec<(&'static str, &'static str, u64)> {
        Vec::new()
    }
}

/// What a list's query says of its page.
fn page(limit: Whole<1, 1000>, cursor: Option<Text<1, 1024>>) -> control::request::Page {
    control::request::Page {
        limit: limit.small(),
        cursor: cursor.map(|cursor| cursor.0),
    }
}

/// All routes, in the order in which they are shown.
pub(crate) fn table() -> Table {
    let resources: Vec<(&'static str, Vec<Route>)> = vec![
        ("Rooms", rooms::routes()),
        ("Rooms", members::routes()),
        ("Rooms", ingests::routes()),
        ("Channels", channel_start::routes()),
        ("Channels", play::routes()),
        ("Channels", channels::routes()),
        ("Push targets", targets::routes()),
        ("Recordings", recordings::routes()),
        ("Files", files::routes()),
        ("Events", events::routes()),
        ("Callbacks", webhooks::routes()),
        ("Callbacks", deliveries::routes()),
        ("Policy", policy::routes()),
        ("Streams", streams::routes()),
        ("Streams", sources::routes()),
        ("Usage", usage::routes()),
        ("Server", server::routes()),
        // A name with its slash written as %2F is a stream's, not a code.
        ("Streams", stream::routes()),
        ("Streams", poster::routes()),
        ("Streams", moderation::routes()),
        ("Streams", publisher::routes()),
        ("Streams", viewer::routes()),
        ("Ladders", ladders::routes()),
        ("Configuration", reload::routes()),
    ];
    let mut all = Vec::new();
    for (tag, routes) in resources {
        all.extend(routes.into_iter().map(|route| route.of(tag)));
    }
    Table::new(all)
}

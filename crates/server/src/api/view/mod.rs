//! The control plane's nouns as clients see them. Fields are only added; times are RFC 3339 in UTC;
//! units are in the names.

mod channel;
mod event;
mod file;
mod recording;
mod room;
mod target;

pub(super) use channel::{ChannelView, Urls, etag};
pub(crate) use channel::{PlayUrl, urls};
pub(super) use event::EventView;
pub(super) use file::{FileView, PLAYLIST};
pub(super) use recording::RecordingView;
pub(super) use room::{MemberView, RoomView};
pub(super) use target::TargetView;

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Array, ObjectBuilder, Ref, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// A page of a list.
#[derive(Serialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// What `cursor=` is for the next page; null on the last.
    pub(super) next_cursor: Option<String>,
}

/// Each kind of page has a name of its own; the derived one is the same for all.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let item = Ref::from_schema_name(T::name());
        let cursor = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new()
            .property("items", Array::new(item))
            .required("items")
            .property("next_cursor", ObjectBuilder::new().schema_type(cursor))
            .required("next_cursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Page", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
    }
}

/// Something that was accepted and not done, or done and worth knowing.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Warning {
    /// `DOUBLE_RECORDING` and the like.
    pub(super) code: String,
    pub(super) detail: String,
}

impl From<&control::request::Warning> for Warning {
    fn from(warning: &control::request::Warning) -> Self {
        use control::request::Warning as Known;
        let detail = match warning {
            Known::DoubleRecording => "it is being recorded already: there will be two copies",
            Known::CompatMatrix => "by the compatible rules: MP4 only, no callback",
            _ => "",
        };
        Self {
            code: warning.as_str().to_owned(),
            detail: detail.to_owned(),
        }
    }
}

/// Why something ended, failed or waits.
#[derive(Serialize, ToSchema)]
pub(super) struct CauseView {
    /// The public number of an interruption.
    errcode: u32,
    text: String,
}

impl From<&control::model::Cause> for CauseView {
    fn from(cause: &control::model::Cause) -> Self {
        Self {
            errcode: cause.errcode,
            text: cause.text.clone(),
        }
    }
}

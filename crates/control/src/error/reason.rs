//! The table of reasons: numbers that programs branch on, and what they mean.
//!
//! Numbers up to `xx49` of each range are public and keep their public meaning; our own are
//! `xx50`–`xx99`. A row without a status is never the answer of a call: it is a note inside one, or an event.

use std::time::Duration;

/// A row of the table.
struct Row {
    code: u32,
    name: &'static str,
    status: u16,
    retry: bool,
    compat: u32,
    title: &'static str,
}

macro_rules! reasons {
    ($($(#[$meta:meta])* $variant:ident, $code:literal, $name:literal, $status:literal, $retry:literal, $compat:literal, $title:literal;)+) => {
        /// Why a call was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason { $(#[doc = $title] $variant,)+ }

        impl Reason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        code: $code, name: $name, status: $status, retry: $retry, compat: $compat, title: $title,
                    }),+
                }
            }
        }
    };
}

// variant, code, name, HTTP status, retry helps, number on the compatible surface, title
reasons! {
    FileNameMissing, 30000002, "FILE_NAME_MISSING", 422, false, 30000002, "a manual recording needs a file name";
    FormatUnsupported, 30000050, "FORMAT_UNSUPPORTED", 422, false, 30000050, "this recording format cannot be written";
    QuotaRecordings, 30000251, "QUOTA_RECORDINGS", 429, false, 30000251, "too many recordings at once";
    RecordingStorageUnavailable, 30000255, "RECORDING_STORAGE_UNAVAILABLE", 503, true, 2, "recordings cannot be stored";
    RecordingAlreadyStopped, 30000412, "RECORDING_ALREADY_STOPPED", 200, false, 30000412, "the recording has stopped already";
    RecordingExists, 30000415, "RECORDING_EXISTS", 409, false, 30000415, "this user is being recorded already";
    DuoRoomRecordingUnsupported, 30000450, "DUO_ROOM_RECORDING_UNSUPPORTED", 422, false, 1, "two-person rooms cannot be recorded";
    RecordingNotFound, 30000451, "RECORDING_NOT_FOUND", 404, false, 30000412, "no such recording or file";

    RequestUnparsable, 40000000, "REQUEST_UNPARSABLE", 400, false, 40000000, "the request cannot be read";
    BodyMissing, 40000001, "BODY_MISSING", 400, false, 40000001, "the request has no body";
    OperationMissing, 40000002, "OPERATION_MISSING", 400, false, 40000002, "the request names no operation";
    ProtocolInvalid, 40000003, "PROTOCOL_INVALID", 422, false, 40000003, "no such output protocol";
    SourceInvalid, 40000004, "SOURCE_INVALID", 422, false, 40000004, "no such source";
    OperationUnknown, 40000005, "OPERATION_UNKNOWN", 400, false, 40000005, "no such operation";
    UserInvalid, 40000006, "USER_INVALID", 422, false, 40000006, "the user id is wrong";
    RoomZero, 40000007, "ROOM_ZERO", 422, false, 40000007, "the room id is 0 and no relation id leads to a room";
    FieldInvalid, 40000050, "FIELD_INVALID", 422, false, 50002, "a field is wrong";
    MixingUnsupported, 40000051, "MIXING_UNSUPPORTED", 422, false, 40000004, "streams are not mixed: one channel has one source";
    TargetUrlInvalid, 40000052, "TARGET_URL_INVALID", 422, false, 50004, "this URL cannot be pushed to";
    IdempotencyKeyReused, 40000053, "IDEMPOTENCY_KEY_REUSED", 422, false, 40000053, "this idempotency key came with another request";
    Unauthenticated, 40000054, "UNAUTHENTICATED", 401, false, 1001, "no valid credentials";
    PermissionDenied, 40000055, "PERMISSION_DENIED", 403, false, 1001, "these credentials do not allow it";
    CallbackUrlForbidden, 40000056, "CALLBACK_URL_FORBIDDEN", 422, false, 40000056, "callbacks may not go there";
    PayloadTooLarge, 40000057, "PAYLOAD_TOO_LARGE", 413, false, 40000057, "the request is too long";
    AppUnknown, 40000058, "APP_UNKNOWN", 403, false, 1002, "no such app";
    ResourceNotFound, 40000059, "RESOURCE_NOT_FOUND", 404, false, 40000451, "no such thing";

    PlaneRequestEncode, 40000201, "PLANE_REQUEST_ENCODE", 500, false, 40000201, "the media plane could not be asked";
    PlaneUnreachable, 40000207, "PLANE_UNREACHABLE", 503, true, 40000207, "the media plane is not there";
    PlaneTimeout, 40000208, "PLANE_TIMEOUT", 504, true, 6012, "no media in time";
    PlaneOverloaded, 40000250, "PLANE_OVERLOADED", 503, true, 40000207, "the media plane takes no more";
    QuotaChannels, 40000251, "QUOTA_CHANNELS", 429, false, 20101, "too many channels at once";
    ServiceNotEnabled, 40000252, "SERVICE_NOT_ENABLED", 403, false, 20318, "the live service is not enabled for this app";
    AccountArrears, 40000253, "ACCOUNT_ARREARS", 402, false, 20406, "the account is in arrears";
    TargetConnectFailed, 40000254, "TARGET_CONNECT_FAILED", 0, true, 40000254, "the push target could not be reached";
    StorageUnavailable, 40000255, "STORAGE_UNAVAILABLE", 503, true, 40000255, "the state cannot be stored at the moment";
    RateLimited, 40000256, "RATE_LIMITED", 429, true, 40000500, "too soon, or too often";
    QuotaTargets, 40000257, "QUOTA_TARGETS", 422, false, 40000257, "too many push targets";

    PlaneReplyInvalid, 40000301, "PLANE_REPLY_INVALID", 502, true, 40000301, "the media plane's answer cannot be read";
    PlaneReplyNoHost, 40000303, "PLANE_REPLY_NO_HOST", 502, true, 40000303, "the media plane named no host";
    PlaneReplyNoPort, 40000304, "PLANE_REPLY_NO_PORT", 502, true, 40000304, "the media plane named no port";
    PlaneReplyNoResult, 40000305, "PLANE_REPLY_NO_RESULT", 502, true, 40000305, "the media plane gave no result";
    PlaneReplyUrlTooLong, 40000306, "PLANE_REPLY_URL_TOO_LONG", 502, false, 40000306, "a URL became too long";
    PlaneGenerationMismatch, 40000350, "PLANE_GENERATION_MISMATCH", 502, true, 40000302, "an outdated media plane answered";

    RegistryUnavailable, 40000401, "REGISTRY_UNAVAILABLE", 503, true, 40000401, "the state cannot be read at the moment";
    RegistryData, 40000402, "REGISTRY_DATA", 503, true, 40000402, "the stored state is damaged";
    RoomNotFound, 40000403, "ROOM_NOT_FOUND", 404, false, 40000403, "no such room";
    RegistryTimeout, 40000404, "REGISTRY_TIMEOUT", 504, true, 40000404, "the state could not be read in time";
    RegistryReplyInvalid, 40000405, "REGISTRY_REPLY_INVALID", 502, true, 40000405, "the state's answer cannot be read";
    RoomClosed, 40000410, "ROOM_CLOSED", 410, false, 40000410, "the room is closed";
    UserNotInRoom, 40000411, "USER_NOT_IN_ROOM", 409, false, 40000411, "the user is not in the room";
    AlreadyStopped, 40000412, "ALREADY_STOPPED", 200, false, 40000412, "the channel has stopped already";
    OperationInternal, 40000414, "OPERATION_INTERNAL", 500, true, 40000414, "an internal fault";
    ChannelExists, 40000415, "CHANNEL_EXISTS", 409, false, 40000415, "this user already has a bypass channel";
    NotPublishing, 40000450, "NOT_PUBLISHING", 409, true, 40000411, "the source is not publishing";
    ChannelNotFound, 40000451, "CHANNEL_NOT_FOUND", 404, false, 40000412, "no such channel";
    StreamForbidden, 40000452, "STREAM_FORBIDDEN", 423, false, 40000411, "the stream is forbidden";
    VersionConflict, 40000453, "VERSION_CONFLICT", 412, false, 40000453, "it was changed in the meantime";
    IdempotentInProgress, 40000454, "IDEMPOTENT_IN_PROGRESS", 409, true, 40000454, "a request with this idempotency key still runs";
    ChannelNotInRoom, 40000455, "CHANNEL_NOT_IN_ROOM", 409, false, 40000411, "the channel belongs to another room";
    AutoManaged, 40000456, "AUTO_MANAGED", 200, false, 0, "the channel is managed by the policy";
    LadderClash, 40000464, "LADDER_CLASH", 409, false, 40000464, "another ladder is in the way";
}

impl Reason {
    /// The number of the native API.
    #[must_use]
    pub fn code(self) -> u32 {
        self.row().code
    }

    /// The name: `CHANNEL_EXISTS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it means, in general.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// The number on the compatible surface.
    #[must_use]
    pub fn compat_code(self) -> u32 {
        self.row().compat
    }

    /// The HTTP status; 0 for what is never a call's answer.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().status
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        self.row().retry
    }

    /// Who refused: `request`, `record`, `plane`, or `control`.
    #[must_use]
    pub fn module(self) -> &'static str {
        match self.code() {
            30_000_000..=39_999_999 => "record",
            40_000_000..=40_000_099 => "request",
            40_000_200..=40_000_399 => "plane",
            _ => "control",
        }
    }

    /// How long to wait before trying again, unless the error says otherwise.
    #[must_use]
    pub fn usual_wait(self) -> Option<Duration> {
        self.is_retryable().then_some(Duration::from_secs(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_in_order() {
        for pair in Reason::ALL.windows(2) {
            assert!(pair[0].code() < pair[1].code(), "{pair:?}");
        }
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn the_numbers_of_the_specification() {
        for (reason, code, compat, status) in [
            (Reason::ChannelExists, 40000415, 40000415, 409),
            (Reason::RoomZero, 40000007, 40000007, 422),
            (Reason::MixingUnsupported, 40000051, 40000004, 422),
            (Reason::DuoRoomRecordingUnsupported, 30000450, 1, 422),
            (Reason::RateLimited, 40000256, 40000500, 429),
            (Reason::StorageUnavailable, 40000255, 40000255, 503),
            (Reason::AutoManaged, 40000456, 0, 200),
        ] {
            let found = (reason.code(), reason.compat_code(), reason.status());
            assert_eq!(found, (code, compat, status), "{reason:?}");
        }
    }
}

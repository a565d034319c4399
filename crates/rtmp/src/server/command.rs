//! What the client says: its messages, taken as requests.

use std::time::Duration;

use amf0::Value;

use super::session::{Connection, Decision};
use super::stream::Role;
use super::{
    ConnectRequest, PlayRequest, PublishMode, PublishRequest, ServerEvent, ServerSession,
    UnpublishReason, answer,
};
use crate::chunk::Message;
use crate::message::{Aggregate, Command, Data, type_id};
use crate::{Capabilities, Error};

impl ServerSession {
    pub(super) fn handle_message(&mut self, message: Message) -> Result<(), Error> {
        match message.type_id {
            type_id::COMMAND_AMF0 | type_id::COMMAND_AMF3 => {
                let command =
                    Command::parse(&message, &self.core.limits.amf).map_err(|source| {
                        Error::Command {
                            offset: self.core.offset(),
                            source,
                        }
                    })?;
                if let Some(command) = command {
                    self.handle_command(message.message_stream_id, &command)?;
                }
            }
            type_id::AGGREGATE => {
                Aggregate::new(message).for_each(|message| self.handle_media(message))
            }
            _ => self.handle_media(message),
        }
        Ok(())
    }

    /// Audio, video and data of a publisher; everything else is skipped.
    fn handle_media(&mut self, message: Message) {
        let Some(message_stream_id) = self.streams.publisher(message.message_stream_id) else {
            return;
        };
        let Message {
            timestamp,
            payload,
            type_id,
            ..
        } = message;
        if payload.is_empty() {
            return;
        }
        let event = match type_id {
            type_id::VIDEO => ServerEvent::Video {
                message_stream_id,
                timestamp,
                payload,
            },
            type_id::AUDIO => ServerEvent::Audio {
                message_stream_id,
                timestamp,
                payload,
            },
            type_id::DATA_AMF0 | type_id::DATA_AMF3 => {
                match Data::parse(type_id, payload, &self.core.limits.amf) {
                    Some(Data::Call {
                        name,
                        values: payload,
                    }) => ServerEvent::Data {
                        message_stream_id,
                        timestamp,
                        name,
                        payload,
                    },
                    Some(Data::Clear { name }) => ServerEvent::ClearDataFrame {
                        message_stream_id,
                        timestamp,
                        name,
                    },
                    None => return,
                }
            }
            _ => return,
        };
        self.events.push_back(event);
    }

    fn handle_command(&mut self, stream: u32, command: &Command) -> Result<(), Error> {
        let transaction_id = command.transaction_id;
        match self.connection {
            Connection::Rejected => return Ok(()),
            // Commands before connect have nobody to answer them.
            Connection::New => {
                if command.name == "connect" {
                    self.handle_connect(command);
                }
                return Ok(());
            }
            Connection::Accepted => {}
        }
        match command.name.as_str() {
            "connect" => {
                let code = "NetConnection.Connect.Rejected";
                let error = answer::error(transaction_id, code, "Already connected.");
                self.core.send_command(0, &error);
            }
            "createStream" => return self.handle_create_stream(stream, transaction_id),
            // The name in these is never used: it may differ from the one in publish.
            "releaseStream" => self.send_result(stream, transaction_id, Value::Undefined),
            "FCPublish" => {
                self.send_result(stream, transaction_id, Value::Undefined);
                self.core.send_command(
                    stream,
                    &answer::fc("onFCPublish", "NetStream.Publish.Start"),
                );
            }
            "FCUnpublish" => {
                self.send_result(stream, transaction_id, Value::Undefined);
                let code = "NetStream.Unpublish.Success";
                self.core
                    .send_command(stream, &answer::fc("onFCUnpublish", code));
                // Only a promise to end what is published under exactly that name.
                let name = command.argument(1).as_str().unwrap_or_default();
                if let Some(id) = self.streams.published_as(name) {
                    self.end_role(id, UnpublishReason::FcUnpublish);
                }
            }
            "publish" => self.handle_publish(stream, command),
            "play" => self.handle_play(stream, command),
            "closeStream" => self.end_role(stream, UnpublishReason::CloseStream),
            "deleteStream" => {
                if let Some(id) = command.argument(1).as_u32() {
                    self.end_role(id, UnpublishReason::DeleteStream);
                    self.streams.remove(id);
                }
            }
            "pause" | "pauseRaw" => self.handle_pause(stream, command),
            "receiveAudio" | "receiveVideo" if self.plays(stream) => {
                let Some(on) = command.argument(1).as_bool() else {
                    return Ok(());
                };
                self.events.push_back(if command.name == "receiveAudio" {
                    ServerEvent::ReceiveAudio {
                        message_stream_id: stream,
                        on,
                    }
                } else {
                    ServerEvent::ReceiveVideo {
                        message_stream_id: stream,
                        on,
                    }
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_connect(&mut self, command: &Command) {
        let object = command.object();
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let (app, query) = split_query(text("app"));
        let tc_url = text("tcUrl").to_owned();
        let query = query.or_else(|| split_query(&tc_url).1);
        let enhanced = Capabilities::from_properties(object);
        // Only AMF0 is ever sent, which is AMF 3's base; what was asked for is confirmed.
        let asked = object.get("objectEncoding").and_then(Value::as_f64);
        let object_encoding = if asked == Some(3.0) { 3.0 } else { 0.0 };
        self.decision = Some(Decision::Connect {
            transaction_id: command.transaction_id,
            enhanced: enhanced.is_some(),
            object_encoding,
        });
        self.events
            .push_back(ServerEvent::Connect(Box::new(ConnectRequest {
                app,
                query,
                flash_ver: text("flashVer").to_owned(),
                tc_url,
                enhanced,
                object_encoding,
            })));
    }

    fn handle_create_stream(&mut self, stream: u32, transaction_id: f64) -> Result<(), Error> {
        let max = self.core.limits.message_streams;
        let Some(id) = self.streams.create(max) else {
            let max = u64::try_from(max).unwrap_or(u64::MAX);
            let offset = self.core.offset();
            return Err(Error::LimitReached {
                what: "message streams",
                max,
                offset,
            });
        };
        self.send_result(stream, transaction_id, Value::from(id));
        Ok(())
    }

    fn handle_publish(&mut self, message_stream_id: u32, command: &Command) {
        let name = match command.argument(1) {
            // `publish(false)` ends publishing.
            Value::Boolean(false) => {
                return self.end_role(message_stream_id, UnpublishReason::CloseStream);
            }
            Value::Null | Value::Undefined => "",
            value => match value.as_str() {
                Some(name) => name,
                None => {
                    let code = "NetStream.Publish.BadName";
                    let description = "The stream name is not a string.";
                    return self.send_status(message_stream_id, "error", code, description);
                }
            },
        };
        if self.streams.role(message_stream_id).is_none() {
            let description = "No such message stream: createStream comes first.";
            let code = "NetStream.Publish.Failed";
            return self.send_status(message_stream_id, "error", code, description);
        }
        self.end_role(message_stream_id, UnpublishReason::Replaced);
        let (key, query) = split_query(name);
        let mode = match command.argument(2).as_str() {
            Some("record") => PublishMode::Record,
            Some("append") => PublishMode::Append,
            _ => PublishMode::Live,
        };
        self.decision = Some(Decision::Publish {
            message_stream_id,
            name: name.into(),
        });
        let request = PublishRequest {
            message_stream_id,
            key,
            query,
            mode,
        };
        self.events.push_back(ServerEvent::Publish(request));
    }

    fn handle_play(&mut self, message_stream_id: u32, command: &Command) {
        let name = command.argument(1).as_str();
        let failure = match (name, self.streams.role(message_stream_id)) {
            (Some(_), Some(_)) => None,
            (None, _) => Some("The stream name is not a string."),
            (_, None) => Some("No such message stream: createStream comes first."),
        };
        if let Some(description) = failure {
            return self.send_status(
                message_stream_id,
                "error",
                "NetStream.Play.Failed",
                description,
            );
        }
        self.end_role(message_stream_id, UnpublishReason::Replaced);
        let (name, query) = split_query(name.unwrap_or_default());
        let start = command.argument(2).as_f64().unwrap_or(-2.0);
        let reset = match command.argument(4) {
            Value::Boolean(reset) => *reset,
            Value::Number(reset) => *reset != 0.0,
            _ => false,
        };
        self.decision = Some(Decision::Play {
            message_stream_id,
            reset,
        });
        let request = PlayRequest {
            message_stream_id,
            name,
            query,
            start,
            reset,
        };
        self.events.push_back(ServerEvent::Play(request));
    }

    fn handle_pause(&mut self, message_stream_id: u32, command: &Command) {
        let Some(paused) = command.argument(1).as_bool() else {
            return;
        };
        if !self.plays(message_stream_id) {
            return;
        }
        let (code, description) = match paused {
            true => ("NetStream.Pause.Notify", "Paused."),
            false => ("NetStream.Unpause.Notify", "Playing again."),
        };
        self.send_status(message_stream_id, "status", code, description);
        self.events.push_back(ServerEvent::Pause {
            message_stream_id,
            paused,
        });
    }

    fn plays(&self, message_stream_id: u32) -> bool {
        matches!(self.streams.role(message_stream_id), Some(Role::Playing))
    }

    /// Ends what a message stream does, if it does anything.
    fn end_role(&mut self, message_stream_id: u32, reason: UnpublishReason) {
        match self.streams.role(message_stream_id) {
            None | Some(Role::Idle) => return,
            Some(Role::Publishing { .. }) => {
                let code = "NetStream.Unpublish.Success";
                self.send_status(message_stream_id, "status", code, "Unpublished.");
                self.events.push_back(ServerEvent::Unpublish {
                    message_stream_id,
                    reason,
                });
            }
            Some(Role::Playing) => {
                self.events
                    .push_back(ServerEvent::StopPlay { message_stream_id });
            }
        }
        self.streams.set(message_stream_id, Role::Idle);
        self.await_setup(Duration::ZERO);
    }

    /// `_result` with null and a value, if the client asked for an answer.
    fn send_result(&mut self, stream: u32, transaction_id: f64, value: Value) {
        // gst-rtmp2 asks with id 0 and waits for nothing; an answer does no harm.
        self.core
            .send_command(stream, &answer::result(transaction_id, Value::Null, value));
    }
}

/// A name and what follows its first `?`.
fn split_query(name: &str) -> (String, Option<String>) {
    match name.split_once('?') {
        Some((name, query)) => (name.to_owned(), Some(query.to_owned())),
        None => (name.to_owned(), None),
    }
}

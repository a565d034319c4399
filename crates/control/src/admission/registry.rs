//! What admission has to know of streams.

use std::future::Future;
use std::pin::Pin;

use media::StreamName;

use super::Question;
use crate::credential::{Identity, Secret, Via};

/// An answer to come.
pub type Answers<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whose stream a publish is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The stream.
    pub stream: StreamName,
    /// How it was recognised; who brings an issued key needs nothing else.
    pub via: Via,
    /// Whose source it is, where that is known.
    pub identity: Option<Identity>,
}

/// What players may have of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playable {
    /// Whether it is served at all; to everybody else it does not exist.
    pub served: bool,
    /// The player password.
    pub password: Option<Secret>,
}

/// Knows streams.
pub trait Registry: Send + Sync + 'static {
    /// Whose stream is published under this name. Changes nothing, but that a one-time key is
    /// used up; its error is a reason for the publisher.
    fn recognise<'a>(&'a self, question: &'a Question) -> Answers<'a, Result<Recognised, String>>;

    /// The publish will be let in: what has to be noted before it begins. Its error is a reason
    /// for the publisher.
    fn admit<'a>(
        &'a self,
        question: &'a Question,
        recognised: &'a Recognised,
    ) -> Answers<'a, Result<(), String>>;

    /// What players may have. Asked for every playlist and segment: must not block.
    fn playable(&self, stream: &StreamName) -> Playable;

    /// The player password that a stream has, or will have once what was asked for is carried out.
    fn password<'a>(&'a self, stream: &'a StreamName) -> Answers<'a, Option<Secret>> {
        Box::pin(std::future::ready(self.playable(stream).password))
    }
}

/// Every stream is who it says, and everybody's.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyStream;

impl Registry for AnyStream {
    fn recognise<'a>(&'a self, question: &'a Question) -> Answers<'a, Result<Recognised, String>> {
        let recognised = Recognised {
            stream: question.name.clone(),
            via: Via::Adopted,
            identity: None,
        };
        Box::pin(std::future::ready(Ok(recognised)))
    }

    fn admit<'a>(
        &'a self,
        _question: &'a Question,
        _recognised: &'a Recognised,
    ) -> Answers<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn playable(&self, _stream: &StreamName) -> Playable {
        Playable {
            served: true,
            password: None,
        }
    }
}

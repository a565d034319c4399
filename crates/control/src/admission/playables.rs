//! What players may have of which stream, in memory: asked for every playlist and segment.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use media::StreamName;

use super::registry::Playable;

/// Streams whose players have other rights than those of a stream that nobody has spoken of.
pub struct Playables {
    usual: Playable,
    // Guards what was said; held to look one up.
    said: RwLock<HashMap<String, Playable>>,
}

impl Playables {
    /// Streams that nobody has spoken of are served or are not.
    #[must_use]
    pub fn new(served: bool) -> Self {
        Self {
            usual: Playable {
                served,
                password: None,
            },
            said: RwLock::default(),
        }
    }

    /// Says what players may have of a stream, by its name in the hub. Streams that are as usual
    /// take no memory.
    pub fn set(&self, stream: &str, playable: Playable) {
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        if playable == self.usual {
            said.remove(stream);
        } else {
            said.insert(stream.to_owned(), playable);
        }
    }

    /// What players may have.
    #[must_use]
    pub fn of(&self, stream: &StreamName) -> Playable {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        said.get(stream.as_str()).unwrap_or(&self.usual).clone()
    }
}

impl std::fmt::Debug for Playables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        write!(
            f,
            "Playables({} streams, others {:?})",
            said.len(),
            self.usual
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::credential::Secret;

    #[test]
    fn streams_are_as_was_said_and_forgotten_when_as_usual() {
        let playables = Playables::new(false);
        let name = StreamName::from_path("live/a").unwrap();
        assert!(!playables.of(&name).served);
        let served = Playable {
            served: true,
            password: Some(Secret::new("pw")),
        };
        playables.set("live/a", served.clone());
        assert_eq!(playables.of(&name), served);
        let gone = Playable {
            served: false,
            password: None,
        };
        playables.set("live/a", gone.clone());
        assert_eq!(playables.of(&name), gone);
        assert_eq!(playables.said.read().unwrap().len(), 0);
    }
}

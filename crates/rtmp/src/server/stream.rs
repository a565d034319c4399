//! The message streams of a connection.

/// What a message stream does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Created, or between two uses.
    Idle,
    Publishing {
        /// The name as the client sent it, query included: what `FCUnpublish` must repeat.
        name: Box<str>,
    },
    Playing,
}

/// The message streams of a connection; few, so a list.
#[derive(Debug, Default)]
pub(super) struct Streams {
    list: Vec<(u32, Role)>,
    /// The last id given out; ids count up from 1 and are not used again.
    last_id: u32,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// A new message stream; `None` when there are `max` already, or no ids left.
    pub(super) fn create(&mut self, max: usize) -> Option<u32> {
        if self.list.len() >= max {
            return None;
        }
        self.last_id = self.last_id.checked_add(1)?;
        self.list.push((self.last_id, Role::Idle));
        Some(self.last_id)
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.list.retain(|(other, _)| *other != id);
    }

    pub(super) fn role(&self, id: u32) -> Option<&Role> {
        self.list
            .iter()
            .find(|(other, _)| *other == id)
            .map(|(_, role)| role)
    }

    /// Changes what a message stream does; without effect when it does not exist.
    pub(super) fn set(&mut self, id: u32, role: Role) {
        if let Some((_, old)) = self.list.iter_mut().find(|(other, _)| *other == id) {
            *old = role;
        }
    }

    /// The publishing message stream that a message on `id` belongs to: that one, or for messages
    /// on stream 0, where some encoders send metadata, the only one that publishes.
    pub(super) fn publisher(&self, id: u32) -> Option<u32> {
        let mut publishing = self.publishing();
        if id != 0 {
            return publishing.find(|(other, _)| *other == id).map(|(id, _)| id);
        }
        let (only, _) = publishing.next()?;
        publishing.next().is_none().then_some(only)
    }

    /// The message stream that publishes under `name`.
    pub(super) fn published_as(&self, name: &str) -> Option<u32> {
        self.publishing()
            .find(|(_, other)| *other == name)
            .map(|(id, _)| id)
    }

    pub(super) fn any_publishing(&self) -> bool {
        self.publishing().next().is_some()
    }

    /// Whether any publishes or plays.
    pub(super) fn any_active(&self) -> bool {
        self.list.iter().any(|(_, role)| *role != Role::Idle)
    }

    fn publishing(&self) -> impl Iterator<Item = (u32, &str)> {
        self.list.iter().filter_map(|(id, role)| match role {
            Role::Publishing { name } => Some((*id, &**name)),
            _ => None,
        })
    }
}

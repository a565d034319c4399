//! How far the playlists of a ladder's rungs are: what each says of the others.

use super::{Member, Rung, Standing};
use crate::feed::Feed;
use crate::playlist::Label;

/// Sequence number and index of the newest part of a feed's playlist.
pub(crate) type Newest = (Feed, (u64, u64));

/// How far a rung's playlists are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The whole, and its sound alone where that is offered.
    pub(crate) plain: Vec<Newest>,
    /// Where there are sounds to choose from: what tells them apart, the picture alone and each of
    /// them.
    pub(crate) choice: Option<(Vec<Label>, Vec<Newest>)>,
}

impl Rung {
    /// Says how far the rung's playlists are.
    pub(crate) fn set_position(&self, position: Option<Position>) {
        let mut state = self.ladder.state();
        if let Some(me) = state.rungs.get_mut(self.index) {
            me.position = position;
        }
    }

    /// How far those playlists of the other rungs are that the ladder's playlist names, by the
    /// stream parts of their names: sound is the last one's.
    pub(crate) fn others(&self) -> Vec<(Box<str>, Vec<Newest>)> {
        let state = self.ladder.state();
        let is_aligned = |rung: &Member| rung.standing == Standing::Aligned;
        if !state.rungs.get(self.index).is_some_and(is_aligned) {
            return Vec::new();
        }
        let rungs = self.ladder.names.iter().zip(&state.rungs).enumerate();
        let aligned: Vec<_> = rungs.filter(|(_, (_, rung))| is_aligned(rung)).collect();
        let position = |rung: &'_ Member| rung.position.clone();
        let labels = |rung: &Member| Some(position(rung)?.choice?.0);
        let last = aligned
            .last()
            .map(|(index, (_, rung))| (*index, labels(rung)));
        let (last, wanted) = last.unwrap_or((self.index, None));
        let agree = wanted.is_some() && aligned.iter().all(|(_, (_, r))| labels(r) == wanted);
        let others = aligned.iter().filter(|(index, _)| *index != self.index);
        others
            .filter_map(|(index, (name, rung))| {
                let Position { plain, choice } = position(rung)?;
                let mut named = match choice.filter(|_| agree) {
                    Some((_, named)) => named,
                    None => plain,
                };
                named.retain(|(feed, _)| !matches!(feed, Feed::Audio(..)) || *index == last);
                Some(((*name).clone(), named))
            })
            .collect()
    }
}

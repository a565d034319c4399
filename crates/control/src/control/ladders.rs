//! Ladders that calls make: kept here, checked and put in force by the media side.

use super::Control;
use crate::error::Error;
use crate::model::Ladder;
use crate::table::ladders as table;

/// Most ladders. Bounds: what each request for media looks through.
const MOST: usize = 100;

impl Control {
    /// All ladders, in order of names.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn ladders(&self) -> Result<Vec<Ladder>, Error> {
        self.read(|db, _| table::list(db)).await
    }

    /// Makes or replaces a ladder, unless `check` has something against it: it is given those that
    /// there are besides. Gives all that there are now, for the media side.
    ///
    /// # Errors
    /// What `check` says; [`crate::Reason::FieldInvalid`] when there are too many.
    pub async fn put_ladder<F>(&self, ladder: Ladder, check: F) -> Result<Vec<Ladder>, Error>
    where
        F: FnOnce(&Ladder, &[Ladder]) -> Result<(), Error> + Send + 'static,
    {
        self.write(move |tx, _| {
            let mut others = table::list(tx)?;
            others.retain(|other| other.name != ladder.name);
            check(&ladder, &others)?;
            if others.len() >= MOST {
                let detail = format!("there are {MOST} ladders, the limit");
                return Err(Error::field("", detail));
            }
            table::put(tx, &ladder)?;
            table::list(tx)
        })
        .await
    }

    /// Removes a ladder; its streams stay. Gives all that there are now, for the media side.
    ///
    /// # Errors
    /// [`crate::Reason::ResourceNotFound`].
    pub async fn remove_ladder(&self, name: String) -> Result<Vec<Ladder>, Error> {
        self.write(move |tx, _| match table::remove(tx, &name)? {
            true => table::list(tx),
            false => Err(super::missing(&format!("ladder {name:?}"))),
        })
        .await
    }
}

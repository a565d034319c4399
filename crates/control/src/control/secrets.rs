//! Keys that the relay draws for itself.

use rusqlite::{OptionalExtension, params};

use super::Control;
use crate::credential::PlayTokens;
use crate::error::{Error, Reason};

/// The key of play tokens.
const PLAY_TOKENS: &str = "play_tokens";

impl Control {
    /// What makes and checks tokens for players. Their key is drawn once and kept in the store, so
    /// that URLs that were handed out open after a restart.
    ///
    /// # Errors
    /// When the state cannot be stored, or the system has no random bytes.
    pub async fn play_tokens(&self) -> Result<PlayTokens, Error> {
        self.write(|tx, _| {
            let sql = "SELECT value FROM secrets WHERE name = ?";
            let kept = tx.query_row(sql, [PLAY_TOKENS], |row| row.get::<_, [u8; 32]>(0));
            if let Some(key) = kept.optional()? {
                return Ok(PlayTokens::new(key));
            }
            let mut key = [0; 32];
            getrandom::fill(&mut key)
                .map_err(|error| Error::new(Reason::OperationInternal, error.to_string()))?;
            let sql = "INSERT INTO secrets (name, value) VALUES (?, ?)";
            tx.execute(sql, params![PLAY_TOKENS, key])?;
            Ok(PlayTokens::new(key))
        })
        .await
    }
}

//! How the database's tables came to be: a list that only grows.

/// Each brings the schema from its index to the next; never edited once released.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_core.sql"),
    include_str!("migrations/0002_callbacks.sql"),
    include_str!("migrations/0003_publish_keys.sql"),
    include_str!("migrations/0004_usage.sql"),
    include_str!("migrations/0005_secrets.sql"),
    include_str!("migrations/0006_ladders.sql"),
];

//! Opening the database file: who may, which version, is it whole.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::migrations::MIGRATIONS;
use crate::clock::UnixMs;

/// Marks our files: "SSTR".
const APPLICATION_ID: i32 = 0x5353_5452;
/// How long a call waits for another process that holds the database, a backup for instance.
const BUSY: Duration = Duration::from_secs(2);
/// Files up to this size are checked whole at the start; larger ones page by page as they are read.
const CHECKED_BYTES: u64 = 64 << 20;

/// Why the database cannot be used. The file is left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("{}: another sidestream uses it; stop that one, or name another folder with --data", .0.display())]
    InUse(PathBuf),
    /// A later version made it.
    #[error("{}: has schema {found}, this version knows up to {known}; use the newer sidestream, or restore the copy made before the upgrade", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// Its content makes no sense.
    #[error("{}: damaged ({what}); stop sidestream, move the file away, and put a copy back (\"sqlite3 {} .recover\" saves what can be read)", path.display(), path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        what: String,
    },
    /// Some other program's database.
    #[error("{}: is not a database of sidestream; name another folder with --data", .0.display())]
    Foreign(PathBuf),
    /// The folder or a file cannot be made or read.
    #[error("{}: {source}; make it writable, or name another folder with --data", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else that SQLite says.
    #[error("the control database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// No thread for the writer.
    #[error("no thread for the control database: {0}")]
    Thread(std::io::Error),
}

/// Opens the file for its only writer. The lock is held as long as the returned file is open.
pub(super) fn file(path: &Path, now: UnixMs) -> Result<(Connection, File), OpenError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    let lock_path = path.with_added_extension("lock");
    let lock = File::create(&lock_path).map_err(io(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(io(&lock_path)(error)),
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    let version = check(&connection, path).map_err(|error| damage(error, path))?;
    migrate(&connection, Some(path), version, now)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    settings(&connection)?;
    Ok((connection, lock))
}

/// A database without a file.
pub(super) fn memory() -> Result<Connection, OpenError> {
    let connection = Connection::open_in_memory()?;
    migrate(&connection, None, 0, UnixMs(0))?;
    settings(&connection)?;
    Ok(connection)
}

/// One more connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    settings(&connection)?;
    Ok(connection)
}

fn settings(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "temp_store", "memory")
}

/// The schema's version, when the file is ours and whole.
fn check(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = number("user_version")?;
    let application = number("application_id")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = application == i64::from(APPLICATION_ID);
    if !ours && (application != 0 || version != 0 || tables != 0) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        let path = path.to_owned();
        return Err(OpenError::Newer {
            path,
            found: version,
            known,
        });
    }
    let small = path
        .metadata()
        .is_ok_and(|file| file.len() <= CHECKED_BYTES);
    if small && ours {
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            let path = path.to_owned();
            return Err(OpenError::Damaged { path, what: found });
        }
    }
    Ok(version)
}

fn damage(error: OpenError, path: &Path) -> OpenError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        OpenError::Sqlite(error)
            if matches!(
                error.sqlite_error_code(),
                Some(DatabaseCorrupt | NotADatabase)
            ) =>
        {
            OpenError::Damaged {
                path: path.to_owned(),
                what: error.to_string(),
            }
        }
        other => other,
    }
}

/// Brings the schema up to date, each step whole or not at all; before, the file is copied
/// beside itself.
fn migrate(
    connection: &Connection,
    path: Option<&Path>,
    version: i64,
    now: UnixMs,
) -> Result<(), OpenError> {
    let done = usize::try_from(version).unwrap_or(0);
    let wanted = MIGRATIONS.get(done..).unwrap_or_default();
    if let Some(path) = path
        && version > 0
        && !wanted.is_empty()
    {
        let copy = path.with_added_extension(format!("schema-{version}-{}", now.seconds()));
        connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
        tracing::info!(copy = %copy.display(), "control database copied before the upgrade");
    }
    for (index, script) in wanted.iter().enumerate() {
        let next = done + index + 1;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {script} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {next}; COMMIT;"
        ))?;
    }
    Ok(())
}

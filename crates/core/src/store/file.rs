//! Opening the file: rights, damage, newer versions, pragmas.

use super::{
    FILE_NAME, OutboxRecord, StoreError, connections, intents, outbox, rolls, schema, settings,
};
use crate::shown::visible;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(3);

/// The size of a page in bytes: SQLite's default, set all the same so that it stays so.
const PAGE: u32 = 4096;

/// What lies at the path of the file.
enum Found {
    Nothing,
    Fine,
    Newer,
    Damaged,
}

pub(super) fn open(dir: &Path) -> Result<(Connection, Vec<String>), StoreError> {
    make_private_dir(dir)?;
    // Two first starts at once must not both set a damaged file aside, or both begin a new one.
    let _turn = take_turn(dir)?;
    let path = dir.join(FILE_NAME);
    let mut notices = Vec::new();
    match inspect(&path)? {
        Found::Fine => match connect(&path) {
            Ok((connection, unreadable)) => {
                notices.extend(unreadable);
                return Ok((connection, notices));
            }
            Err(StoreError::Damaged) => notices.push(set_aside(&path)?),
            Err(error) => return Err(error),
        },
        Found::Nothing => {}
        Found::Damaged => notices.push(set_aside(&path)?),
        Found::Newer => {
            notices.push(format!(
                "{FILE_NAME} was written by a newer version of Palette Keys. It was left as it is; \
                 connections, settings and activity of this run are kept in memory only. Update \
                 the app to use it again."
            ));
            return Ok((open_in_memory()?, notices));
        }
    }
    begin(&path)?;
    let (connection, unreadable) = connect(&path)?;
    notices.extend(unreadable);
    Ok((connection, notices))
}

pub(super) fn open_in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    set_pragmas(&connection)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// Looks without changing anything: the file of a newer version must stay as it is.
fn inspect(path: &Path) -> Result<Found, StoreError> {
    let length = |path: &Path| match fs::metadata(path) {
        Ok(data) if data.is_file() => Ok(Some(data.len())),
        // A directory in its place is set aside like any damage.
        Ok(_) => Ok(Some(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&error)),
    };
    let logged = length(&beside(path, "-wal"))?.unwrap_or(0) > 0;
    match length(path)? {
        // A log whose file is gone would be applied to the new file.
        None if logged => return Ok(Found::Damaged),
        None => return Ok(Found::Nothing),
        // SQLite takes an empty file for a new one. Ours is never empty: see `begin`.
        Some(0) => return Ok(Found::Damaged),
        // SQLite fills a page that is cut short with zeros. With a log such a page is mended from it.
        Some(length) if !logged && (!length.is_multiple_of(PAGE.into()) || !is_wal_file(path)?) => {
            return Ok(Found::Damaged);
        }
        Some(_) => {}
    }
    let look = || -> Result<Found, StoreError> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        let check: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if check != "ok" {
            return Ok(Found::Damaged);
        }
        Ok(match schema::origin(&connection)? {
            schema::Origin::Ours => Found::Fine,
            schema::Origin::Newer => Found::Newer,
            schema::Origin::Strange => Found::Damaged,
        })
    };
    match look() {
        // `Failed` is what SQLite says of a table or column that is not there.
        Err(StoreError::Damaged | StoreError::Failed) => Ok(Found::Damaged),
        found => found,
    }
}

/// Whether the file's header says what ours says: SQLite, write-ahead log for writing and reading
/// (bytes 0 to 19 of the SQLite file format). Another number there makes SQLite open it for reading
/// only, which would look like a lack of rights.
fn is_wal_file(path: &Path) -> Result<bool, StoreError> {
    let mut header = [0; 20];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => Ok(header.starts_with(b"SQLite format 3\0") && header.ends_with(&[2, 2])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(io_error(&error)),
    }
}

/// Makes a new file under another name and puts it in place whole, so that an empty or half-made
/// file always means damage.
fn begin(path: &Path) -> Result<(), StoreError> {
    let _ = fs::remove_file(beside(path, "-shm"));
    let draft = beside(path, ".new");
    remove_with_companions(&draft);
    private_file(&draft)?;
    {
        let mut connection = Connection::open(&draft)?;
        connection.pragma_update(None, "page_size", PAGE)?;
        set_pragmas(&connection)?;
        schema::migrate(&mut connection)?;
        connection.close().map_err(|(_, error)| error)?;
    }
    fs::rename(&draft, path).map_err(|error| io_error(&error))?;
    sync_dir(path)
}

/// Opens a file of ours. Says what in it cannot be read.
fn connect(path: &Path) -> Result<(Connection, Option<String>), StoreError> {
    let mut connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    set_pragmas(&connection)?;
    schema::migrate(&mut connection)?;
    // What cannot be filled again from the server is read once now, so that damage inside a row
    // is told, and damage of the file shows here, where it can still be set aside.
    let unreadable = unreadable(&connection)?;
    for suffix in ["", "-wal", "-shm"] {
        make_private(&beside(path, suffix))?;
    }
    Ok((connection, unreadable))
}

/// What cannot be read in a file that is otherwise good, in words and once: the rows stay as they
/// are, and a person who was told of them need not hear it at every start.
fn unreadable(open: &Connection) -> Result<Option<String>, StoreError> {
    let rows = [
        (connections::read_all(open)?.unreadable, "connection", "connections"),
        (intents::read_all(open)?.unreadable, "unfinished creation", "unfinished creations"),
        (rolls::read_all(open)?.unreadable, "unfinished roll", "unfinished rolls"),
    ];
    let mut parts: Vec<String> = rows
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, one, many)| format!("{number} {}", if number == 1 { one } else { many }))
        .collect();
    let rows = parts.join(", ");
    let told: Option<String> = open
        .query_row("SELECT value FROM about WHERE name = 'unreadable-told'", [], |row| row.get(0))
        .optional()
        .unwrap_or_default();
    if told.unwrap_or_default() == rows {
        parts.clear();
    } else {
        // A disk that refuses now only means that it is told again.
        let _ = open.execute(
            "INSERT INTO about (name, value) VALUES ('unreadable-told', ?1)
             ON CONFLICT (name) DO UPDATE SET value = ?1",
            [rows],
        );
    }
    if settings::put_by(open)? {
        parts.push("the settings".to_owned());
    }
    Ok((!parts.is_empty()).then(|| {
        format!(
            "Some of what Palette Keys remembers cannot be read, because it was damaged or a newer \
             version wrote it: {}. It was left as it is, and everything else is there. Add again a \
             connection that is missing, look at your keys for one that you do not know, and at \
             the settings.",
            parts.join(", ")
        )
    }))
}

fn set_pragmas(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // No temporary file outside our directory.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // With NORMAL the last commits may vanish at a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

/// How many keys a notice names, and how much of each name.
const NAMED: (usize, usize) = (10, 40);

/// What of confirmed revocations and deletions is lost with a damaged file, in words.
fn not_confirmed(path: &Path) -> String {
    // An empty file has nothing to say, and SQLite would throw away the log beside it.
    let readable = fs::metadata(path).is_ok_and(|data| data.is_file() && data.len() > 0);
    let open = readable
        .then(|| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok())
        .flatten();
    let (records, whole) = open.map_or((Vec::new(), false), |open| {
        // Its tables may be anybody's by now.
        let _ = open.pragma_update(None, "trusted_schema", false);
        let _ = open.pragma_update(None, "cell_size_check", true);
        outbox::salvaged(&open)
    });
    let mut words = String::new();
    if !records.is_empty() {
        let (number, (most, longest)) = (records.len(), NAMED);
        let name = |record: &OutboxRecord| {
            let name = Some(visible(&record.key_name, longest)).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| record.key_uid.as_str().to_owned());
            format!("{name} of {}", visible(&record.connection_name, longest))
        };
        let mut names: Vec<String> = records.iter().take(most).map(name).collect();
        if number > most {
            names.push(format!("{} more", number - most));
        }
        words = format!(
            "{number} {} you revoked or deleted may still work, because the server had not \
             confirmed it: {}. That is not sent any more: add the connection again and do it once \
             more. ",
            if number == 1 { "key that" } else { "keys that" },
            names.join(", ")
        );
    }
    if !whole {
        words.push_str(
            "Whether the server had confirmed everything that you revoked cannot be read: look \
             whether a key that you revoked lately still works. ",
        );
    }
    words
}

/// Keeps the damaged file with its log under another name and says so.
fn set_aside(path: &Path) -> Result<String, StoreError> {
    let not_confirmed = not_confirmed(path);
    let written = [path.to_owned(), beside(path, "-wal")]
        .iter()
        .find_map(|path| fs::metadata(path).ok()?.modified().ok())
        .and_then(|time| jiff::Timestamp::try_from(time).ok())
        .unwrap_or_default();
    // The time of its last change: this computer's clock is not ours to read here.
    let stamp = written.strftime("%Y%m%dT%H%M%SZ");
    let mut kept = beside(path, &format!(".corrupt-{stamp}"));
    let mut number = 2;
    while ["", "-wal", "-shm"].iter().any(|suffix| beside(&kept, suffix).exists()) {
        kept = beside(path, &format!(".corrupt-{stamp}-{number}"));
        number += 1;
    }
    // The log belongs to the file, and the index to the log. An empty log is a trace of our look.
    let logged = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    for suffix in ["", "-wal", "-shm"] {
        let from = beside(path, suffix);
        let moved = if suffix.is_empty() || logged {
            fs::rename(from, beside(&kept, suffix))
        } else {
            fs::remove_file(from)
        };
        match moved {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&error)),
            _ => {}
        }
    }
    sync_dir(path)?;
    let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(format!(
        "The file in which Palette Keys remembers connections, settings and activity was damaged. \
         It was kept as {name}, and a new one was started. {not_confirmed}Nothing was changed on \
         the server, and secrets in the keychain are not affected; connections must be added again."
    ))
}

/// `palette-keys.sqlite3` and a suffix.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove_with_companions(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(beside(path, suffix));
    }
}

fn io_error(error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory => StoreError::NotPermitted,
        _ => StoreError::Failed,
    }
}

fn take_turn(dir: &Path) -> Result<File, StoreError> {
    let file = private_file(&dir.join(format!("{FILE_NAME}.lock")))?;
    file.lock().map_err(|error| io_error(&error))?;
    Ok(file)
}

/// Opens or makes a file for its owner only. SQLite gives `-wal` and `-shm` the rights of its file.
fn private_file(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| io_error(&error))?;
    make_private(path)?;
    Ok(file)
}

/// Sets 0600 whatever the umask was; a file that is not there is none to protect.
fn make_private(path: &Path) -> Result<(), StoreError> {
    set_mode(path, 0o600)
}

/// Makes the directory for its owner only, also when it was there before.
fn make_private_dir(dir: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| io_error(&error))?;
    set_mode(dir, 0o700)
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&error)),
        _ => Ok(()),
    }
}

/// On Windows the profile's own access list already keeps other users out.
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<(), StoreError> {
    Ok(())
}

/// Makes a rename last over a power cut.
#[cfg(unix)]
fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| io_error(&error))
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

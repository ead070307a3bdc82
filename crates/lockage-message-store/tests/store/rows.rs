//! Operations on rows, which take no lock.

use std::time::Duration;

use lockage_message_store::lockage_core::{LockKey, TryLock};
use lockage_message_store::{Counts, ErrorKind, Ownership};
use lockage_testkit::TestError;

use crate::database::Database;
use crate::target_engine::Engine;

crate::tests![
    rows_are_counted_released_and_cleared_without_lock,
    expired_dead_letters_are_deleted,
    missing_database_error_names_migrate_command,
];

fn id(n: u32) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

async fn incoming(database: &Database, n: u32, status: &str, owner: i32) -> Result<(), TestError> {
    let table = database.table("incoming_envelopes");
    let (id, body) = (id(n), database.body());
    database
        .execute(&format!(
            "INSERT INTO {table} (id, status, owner_id, body, message_type) VALUES ('{id}', '{status}', {owner}, {body}, 't')"
        ))
        .await
}

async fn outgoing(database: &Database, n: u32, owner: i32) -> Result<(), TestError> {
    let table = database.table("outgoing_envelopes");
    let (id, body) = (id(n), database.body());
    database
        .execute(&format!(
            "INSERT INTO {table} (id, owner_id, destination, body, message_type) VALUES ('{id}', {owner}, 'd', {body}, 't')"
        ))
        .await
}

/// Returns the owners of all messages as texts.
async fn owners(database: &Database) -> Result<Vec<String>, TestError> {
    let mut owners = Vec::new();
    for table in ["incoming_envelopes", "outgoing_envelopes"] {
        let table = database.table(table);
        let rows = database
            .rows(&format!("SELECT owner_id FROM {table} ORDER BY id"))
            .await?;
        owners.extend(rows.into_iter().flatten());
    }
    Ok(owners)
}

/// Inserts two incoming, one scheduled, one handled and two outgoing messages, one dead letter and one node.
async fn insert_messages_and_node(database: &Database) -> Result<(), TestError> {
    for (n, status, owner) in [
        (1, "Incoming", 3),
        (2, "Incoming", 4),
        (3, "Scheduled", 0),
        (4, "Handled", 3),
    ] {
        incoming(database, n, status, owner).await?;
    }
    for (n, owner) in [(5, 4), (6, -3)] {
        outgoing(database, n, owner).await?;
    }
    let letters = database.table("dead_letters");
    let letter = format!(
        "INSERT INTO {letters} (id, body, message_type) VALUES ('{}', {}, 't')",
        id(7),
        database.body()
    );
    database.execute(&letter).await?;
    let node = format!(
        "INSERT INTO {} (id, uri) VALUES ('{}', 'u')",
        database.table("nodes"),
        id(8)
    );
    database.execute(&node).await
}

async fn rows_are_counted_released_and_cleared_without_lock(
    database: &Database,
) -> Result<(), TestError> {
    let store = database.store()?;
    store.migrate().await?;
    insert_messages_and_node(database).await?;
    let session = database.session().await?;
    let TryLock::Acquired(holder) = session.try_lock(&LockKey::default()).await? else {
        return Err("the lock is still held".into());
    };
    let counts = store.counts().await?;
    let Counts {
        incoming,
        scheduled,
        handled,
        outgoing,
        dead_letters,
        ..
    } = counts;
    if [incoming, scheduled, handled, outgoing, dead_letters] != [2, 1, 1, 2, 1] {
        return Err(format!("{counts:?}").into());
    }
    store.release_ownership(Ownership::Node(3)).await?;
    let owner_ids = owners(database).await?;
    if owner_ids != ["0", "4", "0", "0", "4", "-3"] {
        return Err(format!("owners without node 3: {owner_ids:?}").into());
    }
    store.release_ownership(Ownership::All).await?;
    let owner_ids = owners(database).await?;
    if owner_ids.iter().any(|owner| owner != "0") {
        return Err(format!("owners when all are released: {owner_ids:?}").into());
    }
    store.clear().await?;
    if store.counts().await? != Counts::default() {
        return Err("messages survived a clear".into());
    }
    let nodes = database.table("nodes");
    let nodes = database.rows(&format!("SELECT id FROM {nodes}")).await?;
    if nodes.len() != 1 {
        return Err("a clear deleted a node".into());
    }
    holder.release().await?.close().await?;
    Ok(())
}

async fn expired_dead_letters_are_deleted(database: &Database) -> Result<(), TestError> {
    database.store()?.migrate().await?;
    let letters = database.table("dead_letters");
    let hours = |hours: i32| match database.engine {
        Engine::Postgres => format!("now() + interval '{hours} hours'"),
        Engine::Mysql => format!("UTC_TIMESTAMP(6) + INTERVAL {hours} HOUR"),
        Engine::SqlServer => {
            format!("DATEADD(hour, {hours}, TODATETIMEOFFSET(SYSUTCDATETIME(), 0))")
        }
        Engine::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{hours} hours')"),
    };
    for (n, sent, expires) in [
        (1, hours(-5), hours(-1)),
        (2, hours(-5), hours(1)),
        (3, hours(-5), "NULL".to_owned()),
        (4, hours(-1), "NULL".to_owned()),
        (5, "NULL".to_owned(), "NULL".to_owned()),
    ] {
        let (id, body) = (id(n), database.body());
        let insert = format!(
            "INSERT INTO {letters} (id, body, message_type, sent_at, expires) VALUES ('{id}', {body}, 't', {sent}, {expires})"
        );
        database.execute(&insert).await?;
    }
    let remaining = async || -> Result<Vec<String>, TestError> {
        let rows = database
            .rows(&format!("SELECT id FROM {letters} ORDER BY id"))
            .await?;
        Ok(rows.into_iter().flatten().collect())
    };
    database.store()?.clear_expired().await?;
    if remaining().await? != [2, 3, 4, 5].map(id) {
        return Err(format!("without an expiry: {:?}", remaining().await?).into());
    }
    let store = database
        .builder()
        .dead_letter_expiry(Duration::from_secs(4 * 60 * 60))
        .build()?;
    store.clear_expired().await?;
    if remaining().await? != [2, 4, 5].map(id) {
        return Err(format!("with four hours: {:?}", remaining().await?).into());
    }
    let unlimited = database
        .builder()
        .dead_letter_expiry(Duration::MAX)
        .build()?;
    Ok(unlimited.clear_expired().await?)
}

async fn missing_database_error_names_migrate_command(
    database: &Database,
) -> Result<(), TestError> {
    let store = database.store()?;
    let results = [
        store.counts().await.map(drop),
        store.clear().await,
        store.release_ownership(Ownership::All).await,
    ];
    for result in results {
        match result {
            Err(error)
                if error.kind() == ErrorKind::NotCurrent
                    && error
                        .hint()
                        .is_some_and(|hint| hint.contains("lockage message-store migrate")) => {}
            other => return Err(format!("without a message database: {other:?}").into()),
        }
    }
    if database.engine == Engine::Sqlite && database.folder.path().join("app.db").exists() {
        return Err("a read created the file".into());
    }
    Ok(())
}

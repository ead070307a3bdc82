//! The schema after a migration.

use lockage_message_store::lockage_core::{ConnectOptions, DatabaseUrl};
use lockage_message_store::lockage_core::{LockKey, MigrationSet, Outcome, Registry, Runner};
use lockage_message_store::{ErrorKind, Identity, MessageStore};
use lockage_sql::Command;
use lockage_testkit::{TestError, unique_name};

use crate::catalog::assert_schema;
use crate::database::{Database, connect};
use crate::documented_schema::DocumentedSchema;
use crate::target_engine::Engine;

crate::tests![
    catalog_matches_documentation,
    named_schema_is_created_and_used,
    identity_is_part_of_schema,
    numbers_are_generated_and_times_are_utc,
    existing_schema_needs_no_create_privilege,
    application_history_is_independent,
    missing_table_is_reported_and_rebuilt,
];

async fn catalog_matches_documentation(database: &Database) -> Result<(), TestError> {
    database.store()?.migrate().await?;
    assert_schema(database, None, "", &DocumentedSchema::read()?).await
}

async fn named_schema_is_created_and_used(database: &Database) -> Result<(), TestError> {
    // Quotes, a capital letter and a space test that every script quotes the name.
    let name = match database.engine {
        Engine::Mysql => format!("{}_Odd \"x\"", database.name()),
        _ => "Odd \"x\"".to_owned(),
    };
    let store = database.builder().schema(&name).build()?;
    store.migrate().await?;
    store.assert_current().await?;
    store.rebuild().await?;
    store.clear().await?;
    match database.engine {
        Engine::Sqlite => {
            let prefix = format!("{name}_");
            let checked = assert_schema(database, None, &prefix, &DocumentedSchema::read()?).await;
            // A second message database in the same file.
            database.store()?.migrate().await?;
            database.store()?.assert_current().await?;
            checked
        }
        Engine::Postgres | Engine::SqlServer => {
            assert_schema(database, Some(&name), "", &DocumentedSchema::read()?).await
        }
        Engine::Mysql => {
            let checked =
                assert_schema(database, Some(&name), "", &DocumentedSchema::read()?).await;
            database.execute(&format!("DROP DATABASE `{name}`")).await?;
            checked
        }
    }
}

async fn identity_is_part_of_schema(database: &Database) -> Result<(), TestError> {
    let with_destination = database
        .builder()
        .identity(Identity::IdAndDestination)
        .build()?;
    with_destination.migrate().await?;
    assert_schema(
        database,
        None,
        "",
        &DocumentedSchema::read()?.with_destination_key(),
    )
    .await?;
    let by_id = database.store()?;
    for result in [
        by_id.assert_current().await,
        by_id.migrate().await.map(drop),
    ] {
        match result {
            Err(error)
                if error.kind() == ErrorKind::Diverged
                    && error.hint().is_some_and(|hint| hint.contains("identity")) => {}
            other => return Err(format!("the other identity: {other:?}").into()),
        }
    }
    assert_schema(
        database,
        None,
        "",
        &DocumentedSchema::read()?.with_destination_key(),
    )
    .await?;
    by_id.rebuild().await?;
    assert_schema(database, None, "", &DocumentedSchema::read()?).await
}

async fn numbers_are_generated_and_times_are_utc(database: &Database) -> Result<(), TestError> {
    database.store()?.migrate().await?;
    insert_nodes(database).await?;
    assert_numbers_and_times(database).await?;
    assert_assignments_are_deleted_with_node(database).await?;
    assert_invalid_status_is_rejected(database).await
}

fn id(n: u32) -> String {
    format!("00000000-0000-0000-0000-00000000000{n}")
}

/// Inserts two nodes with an assignment and a record each, in a session with a time zone other than UTC if the engine has one.
async fn insert_nodes(database: &Database) -> Result<(), TestError> {
    let (nodes, assignments, records) = (
        database.table("nodes"),
        database.table("node_assignments"),
        database.table("node_records"),
    );
    let zone = match database.engine {
        Engine::Postgres => Some("SET TIME ZONE 'Asia/Tokyo'"),
        Engine::Mysql => Some("SET time_zone = '+09:00'"),
        Engine::SqlServer | Engine::Sqlite => None,
    };
    let mut statements: Vec<String> = zone.into_iter().map(str::to_owned).collect();
    for n in 1..=2 {
        let id = id(n);
        statements.push(format!(
            "INSERT INTO {nodes} (id, uri) VALUES ('{id}', 'tcp://{n}')"
        ));
        statements.push(format!(
            "INSERT INTO {assignments} (id, node_id) VALUES ('work {n}', '{id}')"
        ));
        statements.push(format!(
            "INSERT INTO {records} (node_number, event_name) VALUES ({n}, 'started')"
        ));
    }
    let mut connection = connect(database.engine, &database.url).await?;
    let commands: Vec<Command<'_>> = statements
        .iter()
        .map(|statement| Command::Internal(statement.into()))
        .collect();
    connection
        .execute(&commands, &mut |_| {})
        .await
        .map_err(|failure| failure.error)?;
    Ok(())
}

async fn assert_numbers_and_times(database: &Database) -> Result<(), TestError> {
    let (nodes, records) = (database.table("nodes"), database.table("node_records"));
    let seconds = match database.engine {
        Engine::Postgres => "round(abs(extract(epoch FROM clock_timestamp() - started)))::int",
        Engine::Mysql => "ABS(TIMESTAMPDIFF(SECOND, started, UTC_TIMESTAMP(6)))",
        Engine::SqlServer => "ABS(DATEDIFF(SECOND, started, SYSUTCDATETIME()))",
        Engine::Sqlite => "CAST(abs(julianday('now') - julianday(started)) * 86400 AS INTEGER)",
    };
    let numbers = database
        .rows(&format!("SELECT node_number FROM {nodes} ORDER BY 1"))
        .await?;
    if numbers != [["1"], ["2"]] {
        return Err(format!("the nodes are numbered {numbers:?}").into());
    }
    let numbers = database
        .rows(&format!("SELECT id FROM {records} ORDER BY 1"))
        .await?;
    if numbers != [["1"], ["2"]] {
        return Err(format!("the records are numbered {numbers:?}").into());
    }
    let ages = database
        .rows(&format!("SELECT {seconds} FROM {nodes}"))
        .await?;
    for age in ages.iter().flatten() {
        // A time in another zone would differ by nine hours.
        if age.parse::<u64>()? > 1800 {
            return Err(format!("a new node is {age} s old").into());
        }
    }
    Ok(())
}

async fn assert_assignments_are_deleted_with_node(database: &Database) -> Result<(), TestError> {
    let (nodes, assignments) = (database.table("nodes"), database.table("node_assignments"));
    database
        .execute(&format!("DELETE FROM {nodes} WHERE node_number = 1"))
        .await?;
    let remaining = database
        .rows(&format!("SELECT id FROM {assignments}"))
        .await?;
    if remaining != [["work 2"]] {
        return Err(format!("the assignments after a node was deleted: {remaining:?}").into());
    }
    Ok(())
}

async fn assert_invalid_status_is_rejected(database: &Database) -> Result<(), TestError> {
    let inserted = database
        .execute(&format!(
            "INSERT INTO {} (id, status, owner_id, body, message_type) VALUES ('{}', 'Elsewhere', 0, {}, 't')",
            database.table("incoming_envelopes"),
            id(1),
            database.body()
        ))
        .await;
    match inserted {
        Ok(()) => Err("a message with an invalid status was inserted".into()),
        Err(_) => Ok(()),
    }
}

async fn existing_schema_needs_no_create_privilege(database: &Database) -> Result<(), TestError> {
    let user = unique_name("u");
    let name = database.name();
    let (create, schema, other, remove) = match database.engine {
        Engine::Postgres => (
            vec![
                format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'"),
                "CREATE SCHEMA mine".into(),
                format!("GRANT USAGE, CREATE ON SCHEMA mine TO {user}"),
            ],
            "mine".to_owned(),
            "other".to_owned(),
            vec![format!("DROP OWNED BY {user}"), format!("DROP ROLE {user}")],
        ),
        Engine::SqlServer => {
            let create = vec![
                format!("CREATE LOGIN {user} WITH PASSWORD = '{PASSWORD}'"),
                format!("CREATE USER {user} FOR LOGIN {user}"),
                format!("EXEC (N'CREATE SCHEMA mine AUTHORIZATION {user}')"),
            ];
            let remove = vec![format!("DROP LOGIN {user}")];
            (create, "mine".to_owned(), "other".to_owned(), remove)
        }
        _ => (
            vec![
                format!("CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}'"),
                format!("GRANT ALL ON {name}.* TO {user}@'%'"),
            ],
            name.to_owned(),
            format!("{name}_other"),
            vec![format!("DROP USER {user}@'%'")],
        ),
    };
    for statement in &create {
        database.execute(statement).await?;
    }
    if database.engine == Engine::SqlServer {
        // Fails on a product without this privilege, where the owner of the schema has it.
        let _ = database
            .execute(&format!("GRANT CREATE TABLE TO {user}"))
            .await;
    }
    let url = as_user(&database.url, &user)?;
    let outcome = migrate_with_few_privileges(&url, &schema, &other).await;
    for statement in &remove {
        database.execute(statement).await?;
    }
    outcome
}

/// A password that the policy of every server accepts.
const PASSWORD: &str = "Secret-4-all";

async fn migrate_with_few_privileges(
    url: &str,
    schema: &str,
    other: &str,
) -> Result<(), TestError> {
    let store = MessageStore::builder(url).schema(schema).build()?;
    store.migrate().await?;
    store.assert_current().await?;
    // Verifies that this user cannot create schemas.
    let rejected = MessageStore::builder(url).schema(other).build()?;
    match rejected.migrate().await {
        Err(_) => {}
        Ok(_) => return Err("the user can create schemas".into()),
    }
    match store.lock_holder().await? {
        None => Ok(()),
        Some(holder) => Err(format!("{holder} holds the lock after a failure").into()),
    }
}

/// Returns the URL of the same database for another user.
fn as_user(url: &str, user: &str) -> Result<String, TestError> {
    let url = DatabaseUrl::parse(url)?;
    let after_scheme = url.secret_after_scheme();
    let host = after_scheme
        .rsplit_once('@')
        .ok_or("a URL without a user")?
        .1;
    Ok(format!("{}://{user}:{PASSWORD}@{host}", url.scheme()))
}

async fn application_history_is_independent(database: &Database) -> Result<(), TestError> {
    let set = MigrationSet::from_texts([("V1__orders.sql", "CREATE TABLE orders (id integer);")])?;
    let mut connect = ConnectOptions::new(&database.url)?;
    if database.engine == Engine::Postgres {
        connect.schema = Some("lockage".into());
    }
    let application = Runner::new(Registry::linked()?, connect, set).lock_key(LockKey::default());
    let store = database.store()?;
    let (app, messages) = tokio::join!(application.up(), store.migrate());
    let (app, messages) = (app?, messages?.main);
    if (app.applied.len(), messages.applied.len()) != (1, 3) {
        return Err(format!("{app:?} and {messages:?}").into());
    }
    for outcome in [
        application.check().await?.outcome,
        application.up().await?.outcome,
        store.migrate().await?.main.outcome,
    ] {
        if outcome != Outcome::UpToDate {
            return Err(format!("the two histories affect each other: {outcome:?}").into());
        }
    }
    store.rebuild().await?;
    store.assert_current().await?;
    database
        .rows(&format!("SELECT id FROM {}", database.table("orders")))
        .await?;
    Ok(())
}

async fn missing_table_is_reported_and_rebuilt(database: &Database) -> Result<(), TestError> {
    let store = database.store()?;
    store.migrate().await?;
    store.assert_current().await?;
    let (dead_letters, tenants) = (database.table("dead_letters"), database.table("tenants"));
    database
        .execute(&format!("DROP TABLE {dead_letters}"))
        .await?;
    database
        .execute(&format!("ALTER TABLE {tenants} DROP COLUMN disabled"))
        .await?;
    match store.assert_current().await {
        Err(error)
            if error.kind() == ErrorKind::NotCurrent
                && error
                    .message()
                    .contains("the table dead_letters is missing")
                && error
                    .message()
                    .contains("the column tenants.disabled is missing")
                && error
                    .hint()
                    .is_some_and(|hint| hint.contains("lockage message-store rebuild")) => {}
        other => return Err(format!("without a table and a column: {other:?}").into()),
    }
    store.rebuild().await?;
    store.assert_current().await?;
    assert_schema(database, None, "", &DocumentedSchema::read()?).await
}

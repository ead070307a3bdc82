//! Acquiring the own lock together with foreign locks: all of them, or none.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lockage_core::{
    Canceller, Capabilities, Error, ErrorKind, ForeignLock, ForeignLocks, FoundTable, History,
    LockHolder, LockKey, LockProof, LockProvider, Migrator, Observer, Result, Step, StepResult,
    Tool, TryLock, Unlocked, async_trait,
};

/// The state of an engine whose locks are numbers. `busy` locks belong to other sessions.
#[derive(Debug, Default)]
struct EngineState {
    busy: BTreeSet<String>,
    held: BTreeSet<String>,
    tables: Vec<FoundTable>,
    calls: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Engine(Arc<Mutex<EngineState>>);

impl Engine {
    fn session(&self) -> Unlocked {
        Unlocked::new(Box::new(self.clone()))
    }

    fn take_calls(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap().calls).join(", ")
    }
}

#[async_trait]
impl LockProvider for Engine {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let mut state = self.0.lock().unwrap();
        let name = self.native_lock_name(key);
        let is_free = !state.busy.contains(&name);
        state.calls.push(format!(
            "{} {name}",
            if is_free { "acquire" } else { "busy" }
        ));
        if is_free {
            assert!(state.held.insert(name), "acquired twice");
        }
        Ok(is_free)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let state = self.0.lock().unwrap();
        Ok(state.held.contains(&self.native_lock_name(key)))
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let mut state = self.0.lock().unwrap();
        let name = self.native_lock_name(key);
        state.calls.push(format!("release {name}"));
        match state.held.remove(&name) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::LockLost, name)),
        }
    }

    async fn holder(&mut self, _: &LockKey) -> Result<Option<LockHolder>> {
        Ok(None)
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        key.as_foreign()
            .map_or_else(|| key.to_string(), str::to_owned)
    }

    async fn foreign_lock_keys(&mut self, lock: &ForeignLock) -> Result<Vec<LockKey>> {
        let keys = |tool, numbers: &[&str]| {
            let key = |number: &&str| LockKey::foreign(tool, *number);
            Ok(numbers.iter().map(key).collect())
        };
        match lock {
            ForeignLock::Tool(tool @ Tool::Goose) => keys(Some(*tool), &["9", "2"]),
            ForeignLock::Tool(tool @ Tool::Wolverine) => keys(Some(*tool), &["4006"]),
            ForeignLock::Tool(tool) => Err(tool.unsupported_error("unknown")),
            ForeignLock::Native(number) => keys(None, &[number]),
            _ => unreachable!(),
        }
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        let mut tables = self.0.lock().unwrap().tables.clone();
        tables.retain(|table| names.contains(&table.name));
        Ok(tables)
    }
}

#[async_trait]
impl Migrator for Engine {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, "a number")
    }

    async fn history(&mut self) -> Result<History> {
        Ok(History::default())
    }

    async fn ensure_history(&mut self, _: &LockProof) -> Result<()> {
        Ok(())
    }

    async fn apply(&mut self, _: &LockProof, _: &Step, _: &dyn Observer) -> Result<StepResult> {
        Ok(StepResult::default())
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        unreachable!()
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

async fn foreign_keys(engine: &Engine, words: &[&str]) -> Vec<LockKey> {
    let locks = ForeignLocks::parse(words.iter().copied()).unwrap();
    engine
        .session()
        .resolve_foreign_locks(&locks)
        .await
        .unwrap()
        .keys
}

#[tokio::test]
async fn locks_are_taken_in_order_and_all_released() {
    let (engine, key) = (Engine::default(), LockKey::default());
    // Goose has two locks. The one of Wolverine is the own lock under another key.
    let words = ["goose", "wolverine", "lock:9", "lock:5"];
    let foreign_keys = foreign_keys(&engine, &words).await;
    let try_lock = engine.session().try_lock_all(&key, &foreign_keys);
    let TryLock::Acquired(mut locked) = try_lock.await.unwrap() else {
        panic!("the locks are free");
    };
    assert_eq!(
        engine.take_calls(),
        "acquire 4006, acquire 2, acquire 5, acquire 9"
    );
    assert!(locked.holds().await.unwrap());
    assert_eq!(locked.foreign_keys().len(), 3);
    engine.0.lock().unwrap().held.remove("5");
    assert!(!locked.holds().await.unwrap());
    engine.0.lock().unwrap().held.insert("5".into());
    locked.release().await.unwrap();
    assert_eq!(
        engine.take_calls(),
        "release 9, release 5, release 2, release 4006"
    );
}

#[tokio::test]
async fn busy_foreign_lock_releases_all_and_is_named() {
    let (engine, key) = (Engine::default(), LockKey::default());
    let foreign_keys = foreign_keys(&engine, &["goose"]).await;
    engine.0.lock().unwrap().busy.insert("9".into());
    let try_lock = engine.session().try_lock_all(&key, &foreign_keys);
    let TryLock::Busy(session) = try_lock.await.unwrap() else {
        panic!("one lock is busy");
    };
    assert_eq!(
        engine.take_calls(),
        "acquire 4006, acquire 2, busy 9, release 2, release 4006"
    );
    assert_eq!(session.contended_key().unwrap().to_string(), "9 of goose");
    // A session that waits for its own lock does not acquire foreign locks.
    engine.0.lock().unwrap().busy.insert("4006".into());
    let try_lock = session.try_lock_all(&key, &foreign_keys);
    assert!(matches!(try_lock.await.unwrap(), TryLock::Busy(_)));
    assert_eq!(engine.take_calls(), "busy 4006");
}

#[tokio::test]
async fn auto_detects_tools_by_tables() {
    let engine = Engine::default();
    let table = |name: &str| FoundTable::new("public", name, vec!["id".into()]);
    assert!(foreign_keys(&engine, &["auto"]).await.is_empty());
    engine.0.lock().unwrap().tables = [
        "goose_db_version",
        "databasechangeloglock",
        "_sqlx_migrations",
        "orders",
    ]
    .map(table)
    .into();
    let found = engine
        .session()
        .resolve_foreign_locks(&ForeignLocks::auto())
        .await
        .unwrap();
    assert_eq!(found.keys.len(), 2);
    let unavailable: Vec<Tool> = found.unavailable.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(unavailable, [Tool::Liquibase, Tool::Sqlx]);
    // An explicitly selected lock must be available.
    let named = ForeignLocks::auto().with(ForeignLock::Tool(Tool::Liquibase));
    let error = engine
        .session()
        .resolve_foreign_locks(&named)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

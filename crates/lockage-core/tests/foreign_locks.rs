//! Our lock and those of neighbours: all of them, or none.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use lockage_core::{
    Canceller, Capabilities, Error, ErrorKind, ForeignLock, ForeignLocks, FoundTable, History,
    LockHolder, LockKey, LockProof, LockProvider, Migrator, Observer, Result, Step, StepResult,
    Tool, TryLock, Unlocked, async_trait,
};

/// An engine whose locks are numbers. What somebody else holds is busy.
#[derive(Debug, Default)]
struct Facts {
    busy: BTreeSet<String>,
    held: BTreeSet<String>,
    tables: Vec<FoundTable>,
    calls: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Engine(Arc<Mutex<Facts>>);

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
        let mut facts = self.0.lock().unwrap();
        let name = self.native_lock_name(key);
        let got = !facts.busy.contains(&name);
        facts
            .calls
            .push(format!("{} {name}", if got { "take" } else { "refused" }));
        if got {
            assert!(facts.held.insert(name), "taken twice");
        }
        Ok(got)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let facts = self.0.lock().unwrap();
        Ok(facts.held.contains(&self.native_lock_name(key)))
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let mut facts = self.0.lock().unwrap();
        let name = self.native_lock_name(key);
        facts.calls.push(format!("free {name}"));
        match facts.held.remove(&name) {
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

    async fn foreign_lock_keys(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        let of = |tool, numbers: &[&str]| {
            let key = |number: &&str| LockKey::foreign(tool, *number);
            Ok(numbers.iter().map(key).collect())
        };
        match neighbour {
            ForeignLock::Tool(tool @ Tool::Goose) => of(Some(*tool), &["9", "2"]),
            ForeignLock::Tool(tool @ Tool::Wolverine) => of(Some(*tool), &["4006"]),
            ForeignLock::Tool(tool) => Err(tool.unsupported_error("it is not known here")),
            ForeignLock::Native(number) => of(None, &[number]),
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

async fn neighbours(engine: &Engine, words: &[&str]) -> Vec<LockKey> {
    let align = ForeignLocks::parse(words.iter().copied()).unwrap();
    engine
        .session()
        .resolve_foreign_locks(&align)
        .await
        .unwrap()
        .keys
}

#[tokio::test]
async fn locks_are_taken_in_order_and_all_released() {
    let (engine, key) = (Engine::default(), LockKey::default());
    // Goose's twice, and one that is our own by another name.
    let words = ["goose", "wolverine", "lock:9", "lock:5"];
    let neighbours = neighbours(&engine, &words).await;
    let attempt = engine.session().try_lock_all(&key, &neighbours);
    let TryLock::Acquired(mut locked) = attempt.await.unwrap() else {
        panic!("nobody holds them");
    };
    assert_eq!(engine.take_calls(), "take 4006, take 2, take 5, take 9");
    assert!(locked.holds().await.unwrap());
    assert_eq!(locked.foreign_keys().len(), 3);
    engine.0.lock().unwrap().held.remove("5");
    assert!(!locked.holds().await.unwrap());
    engine.0.lock().unwrap().held.insert("5".into());
    locked.release().await.unwrap();
    assert_eq!(engine.take_calls(), "free 9, free 5, free 2, free 4006");
}

#[tokio::test]
async fn busy_foreign_lock_releases_all_and_is_named() {
    let (engine, key) = (Engine::default(), LockKey::default());
    let neighbours = neighbours(&engine, &["goose"]).await;
    engine.0.lock().unwrap().busy.insert("9".into());
    let attempt = engine.session().try_lock_all(&key, &neighbours);
    let TryLock::Busy(session) = attempt.await.unwrap() else {
        panic!("somebody holds one");
    };
    assert_eq!(
        engine.take_calls(),
        "take 4006, take 2, refused 9, free 2, free 4006"
    );
    assert_eq!(session.contended_key().unwrap().to_string(), "9 of goose");
    // Whoever waits for our own leaves the neighbours alone.
    engine.0.lock().unwrap().busy.insert("4006".into());
    let attempt = session.try_lock_all(&key, &neighbours);
    assert!(matches!(attempt.await.unwrap(), TryLock::Busy(_)));
    assert_eq!(engine.take_calls(), "refused 4006");
}

#[tokio::test]
async fn auto_detects_tools_by_tables() {
    let engine = Engine::default();
    let table = |name: &str| FoundTable::new("public", name, vec!["id".into()]);
    assert!(neighbours(&engine, &["auto"]).await.is_empty());
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
    let left_out: Vec<Tool> = found.unavailable.iter().map(|(tool, _)| *tool).collect();
    assert_eq!(left_out, [Tool::Liquibase, Tool::Sqlx]);
    // Who is named must be served.
    let named = ForeignLocks::auto().with(ForeignLock::Tool(Tool::Liquibase));
    let error = engine
        .session()
        .resolve_foreign_locks(&named)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

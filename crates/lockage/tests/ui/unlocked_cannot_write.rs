use lockage::{LockKey, NoObserver, Step, Unlocked};

async fn writes(mut session: Unlocked, step: &Step) {
    let _ = session.apply(step, &NoObserver).await; //~ E0599
    let _ = session.ensure_history().await; //~ E0599
    let _ = session.release().await; //~ E0599
}

async fn after_release(session: lockage::Locked, step: &Step) {
    let mut session = session.release().await.unwrap();
    let _ = session.apply(step, &NoObserver).await; //~ E0599
}

async fn while_busy(session: Unlocked, step: &Step) {
    if let lockage::TryLock::Busy(mut session) = session.try_lock(&LockKey::default()).await.unwrap() {
        let _ = session.apply(step, &NoObserver).await; //~ E0599
    }
}

fn main() {
    let _ = (writes, after_release, while_busy);
}

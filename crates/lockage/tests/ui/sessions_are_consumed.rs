use lockage::{LockKey, Locked, Unlocked};

async fn twice(session: Unlocked) {
    let _ = session.try_lock(&LockKey::default()).await;
    let _ = session.close().await; //~ E0382
}

async fn after(mut session: Locked) {
    let _ = session.release().await;
    let _ = session.holds().await; //~ E0382
}

fn main() {
    let _ = (twice, after);
}

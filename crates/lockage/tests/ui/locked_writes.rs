//! Must compile. It proves that the other files fail for the reason that they name.

use lockage::{Locked, NoObserver, Result, Step, Unlocked};

async fn writes(mut session: Locked, step: &Step) -> Result<Unlocked> {
    session.ensure_history().await?;
    session.apply(step, &NoObserver).await?;
    session.release().await
}

async fn reads(mut session: Unlocked) -> Result<()> {
    session.history().await?;
    session.holder(&lockage::LockKey::default()).await?;
    session.close().await
}

fn main() {
    let _ = (writes, reads);
}

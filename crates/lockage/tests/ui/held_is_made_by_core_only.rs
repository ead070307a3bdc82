use lockage::{LockProof, LockKey, Locked, NoObserver, Session, Step, Unlocked};

fn made() {
    let _ = LockProof::new(LockKey::default(), Vec::new()); //~ E0624
    let _ = LockProof::default(); //~ E0599
}

fn copied(held: &LockProof) -> LockProof {
    held.clone() //~ E0308
}

/// A session of the program's own asks for the proof as well.
async fn without(mut session: Box<dyn Session>, step: &Step) {
    let _ = session.apply((), step, &NoObserver).await; //~ E0308
    let _ = session.ensure_history().await; //~ E0061
}

fn taken(locked: Locked) -> LockProof {
    locked.held //~ E0616
}

fn unwrapped(unlocked: Unlocked) -> Box<dyn Session> {
    unlocked.session //~ E0616
}

fn main() {
    let _ = (made, copied, without, taken, unwrapped);
}

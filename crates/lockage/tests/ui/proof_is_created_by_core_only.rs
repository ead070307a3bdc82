use lockage::{LockKey, LockProof, Locked, NoObserver, Session, Step, Unlocked};

fn created() {
    let _ = LockProof::new(LockKey::default(), Vec::new()); //~ E0624
    let _ = LockProof::default(); //~ E0599
}

fn copied(proof: &LockProof) -> LockProof {
    proof.clone() //~ E0308
}

/// The methods of a session require the proof, too.
async fn without(mut session: Box<dyn Session>, step: &Step) {
    let _ = session.apply((), step, &NoObserver).await; //~ E0308
    let _ = session.ensure_history().await; //~ E0061
}

fn taken(locked: Locked) -> LockProof {
    locked.proof //~ E0616
}

fn unwrapped(unlocked: Unlocked) -> Box<dyn Session> {
    unlocked.session //~ E0616
}

fn main() {
    let _ = (created, copied, without, taken, unwrapped);
}

use lockage::{LockKey, LockProof};

fn main() {
    let (key, foreign_keys) = (LockKey::default(), Vec::new());
    let _ = LockProof { key, foreign_keys }; //~ E0451
}

use lockage::{LockProof, LockKey};

fn main() {
    let (key, neighbours) = (LockKey::default(), Vec::new());
    let _ = LockProof { key, neighbours }; //~ E0451
}

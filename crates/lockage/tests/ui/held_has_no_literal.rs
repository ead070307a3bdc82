use lockage::{Held, LockKey};

fn main() {
    let (key, neighbours) = (LockKey::default(), Vec::new());
    let _ = Held { key, neighbours }; //~ E0451
}

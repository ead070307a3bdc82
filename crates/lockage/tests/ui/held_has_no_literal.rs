use lockage::{Held, LockKey};

fn main() {
    let key = LockKey::default();
    let _ = Held { key }; //~ E0451
}

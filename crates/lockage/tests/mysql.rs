//! The feature links the backend without further code in the program.
#![cfg(feature = "mysql")]

use lockage::Registry;

#[test]
fn feature_links_backend() {
    let registry = Registry::linked().unwrap();
    for scheme in ["mysql", "mariadb"] {
        assert_eq!(registry.find(scheme).unwrap().name(), "lockage-mysql");
    }
}

//! The feature links the backend, without another word in the program.
#![cfg(feature = "sqlserver")]

use lockage::Registry;

#[test]
fn the_feature_links_the_backend() {
    let registry = Registry::linked().unwrap();
    for scheme in ["sqlserver", "mssql"] {
        assert_eq!(registry.find(scheme).unwrap().name(), "lockage-sqlserver");
    }
}

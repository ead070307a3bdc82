//! The feature links the backend without further code in the program.
#![cfg(feature = "sqlserver")]

use lockage::Registry;

#[test]
fn feature_links_backend() {
    let registry = Registry::linked().unwrap();
    for scheme in ["sqlserver", "mssql"] {
        assert_eq!(registry.find(scheme).unwrap().name(), "lockage-sqlserver");
    }
}

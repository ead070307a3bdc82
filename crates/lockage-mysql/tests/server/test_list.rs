//! Lists of tests.

use lockage_mysql::lockage_core::BoxFuture;
use lockage_testkit::TestError;

use crate::test_database::TestDatabase;

pub(crate) type Test = for<'a> fn(&'a TestDatabase) -> BoxFuture<'a, Result<(), TestError>>;

/// Declares the list of a module's tests.
macro_rules! tests {
    ($($test:ident),* $(,)?) => {
        pub(crate) const TESTS: &[(&str, crate::test_list::Test)] =
            &[$((concat!(module_path!(), "::", stringify!($test)), |database| Box::pin($test(database)))),*];
    };
}
pub(crate) use tests;

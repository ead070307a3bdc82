//! Runs an operation on the main store and its tenants in parallel.

use lockage_core::{Error, ErrorKind, Report, Result, RunError};
use tokio::task::JoinSet;

use crate::store::Store;

/// The result of one store.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreResult<T> {
    /// The tenant; `None` for the main store.
    pub tenant: Option<String>,
    /// The database, without a password.
    pub database: String,
    /// The result. An error names the tenant.
    pub result: Result<T, RunError>,
}

impl<T> StoreResult<T> {
    /// Converts the value of a successful result.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> StoreResult<U> {
        StoreResult {
            tenant: self.tenant,
            database: self.database,
            result: self.result.map(change),
        }
    }
}

/// The reports of a migration of all stores.
#[derive(Debug)]
#[non_exhaustive]
pub struct StoreReport {
    /// The report of the main store.
    pub main: Report,
    /// The name and the report of each tenant, in the order in which the tenants were added.
    pub tenants: Vec<(String, Report)>,
}

impl StoreReport {
    pub(crate) fn from_results(results: Vec<StoreResult<Report>>) -> Result<Self> {
        let (main, tenants) = collect_results(results)?;
        Ok(Self { main, tenants })
    }
}

/// Runs an operation on every store, each in its own task. Returns the results in the order of the stores.
///
/// # Cancel safety
/// Dropping the future aborts the tasks.
pub(crate) async fn run_all<T, E, F>(
    stores: &[Store],
    operation: impl Fn(Store) -> F,
) -> Vec<StoreResult<T>>
where
    T: Send + 'static,
    E: Into<RunError> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (index, store) in stores.iter().cloned().enumerate() {
        let (tenant, database) = (store.tenant.clone(), store.options.url.to_string());
        let operation = operation(store);
        running.spawn(async move {
            let result = operation.await.map_err(|error| {
                let error: RunError = error.into();
                error.map_error(|error| with_tenant_name(tenant.as_deref(), error))
            });
            let result = StoreResult {
                tenant,
                database,
                result,
            };
            (index, result)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Returns the value of the main store and those of the tenants.
///
/// # Errors
/// The first error; the others are [related](Error::related).
pub(crate) fn collect_results<T>(results: Vec<StoreResult<T>>) -> Result<(T, Vec<(String, T)>)> {
    let (mut main, mut tenants, mut errors) = (None, Vec::new(), Vec::new());
    for StoreResult { tenant, result, .. } in results {
        match (tenant, result) {
            (_, Err(error)) => errors.push(error.into_error()),
            (None, Ok(value)) => main = Some(value),
            (Some(tenant), Ok(value)) => tenants.push((tenant, value)),
        }
    }
    match (Error::combine(errors), main) {
        (Some(error), _) => Err(error),
        (None, Some(main)) => Ok((main, tenants)),
        (None, None) => Err(Error::new(
            ErrorKind::Unexpected,
            "the main store is missing",
        )),
    }
}

/// Adds the tenant's name to the message of an error.
pub(crate) fn with_tenant_name(tenant: Option<&str>, error: Error) -> Error {
    match tenant {
        Some(tenant) => error.map_message(|message| format!("tenant `{tenant}`: {message}")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lockage_core::Location;

    #[test]
    fn tenant_error_keeps_location_and_context() {
        let error = Error::new(ErrorKind::MigrationFailed, "no such table")
            .with_location(Location::at("V1__a.sql", 3, 7))
            .with_context("sqlstate", "42P01");
        let named = with_tenant_name(Some("north"), error);
        assert_eq!(
            named.to_string(),
            "V1__a.sql:3:7: tenant `north`: no such table"
        );
        assert_eq!(named.context().next(), Some(("sqlstate", "42P01")));
    }
}

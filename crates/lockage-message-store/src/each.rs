//! The main store and its tenants, side by side.

use lockage_core::{Error, ErrorKind, Report, Result, RunError};
use tokio::task::JoinSet;

use crate::store::{MessageStore, OneStore};

/// What became of one store.
#[derive(Debug)]
#[non_exhaustive]
pub struct OfStore<T> {
    /// The tenant; `None` for the main store.
    pub tenant: Option<String>,
    /// The database, without a password.
    pub database: String,
    /// What became of it. An error names the tenant.
    pub result: Result<T, RunError>,
}

impl<T> OfStore<T> {
    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> OfStore<U> {
        OfStore {
            tenant: self.tenant,
            database: self.database,
            result: self.result.map(change),
        }
    }
}

/// What a migration did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Migrated {
    /// To the main store.
    pub main: Report,
    /// To each tenant, by its name, in the order in which they were named.
    pub tenants: Vec<(String, Report)>,
}

impl Migrated {
    /// From the main store's report and those of the tenants behind it.
    pub(crate) fn of((main, tenants): (Report, Vec<(String, Report)>)) -> Self {
        Self { main, tenants }
    }
}

impl MessageStore {
    /// Does something with every store at once, each on a task of its own, which ends when the future is dropped. The answers come in the order of the stores, the main one first.
    pub(crate) async fn each<T, E, F>(&self, work: impl Fn(OneStore) -> F) -> Vec<OfStore<T>>
    where
        T: Send + 'static,
        E: Into<RunError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        for (index, store) in self.stores.iter().cloned().enumerate() {
            let (tenant, database) = (store.tenant.clone(), store.options.url.to_string());
            let work = work(store);
            running.spawn(async move {
                let result = work.await.map_err(|error| {
                    let error: RunError = error.into();
                    error.map_error(|error| named(tenant.as_deref(), error))
                });
                let of_store = OfStore {
                    tenant,
                    database,
                    result,
                };
                (index, of_store)
            });
        }
        let mut done = running.join_all().await;
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, of_store)| of_store).collect()
    }
}

/// What all stores gave, the main one's apart; or every error, the first in front.
pub(crate) fn all<T>(of_stores: Vec<OfStore<T>>) -> Result<(T, Vec<(String, T)>)> {
    let (mut main, mut tenants, mut errors) = (None, Vec::new(), Vec::new());
    for OfStore { tenant, result, .. } in of_stores {
        match (tenant, result) {
            (_, Err(error)) => errors.push(error.into_error()),
            (None, Ok(value)) => main = Some(value),
            (Some(tenant), Ok(value)) => tenants.push((tenant, value)),
        }
    }
    match (Error::combine(errors), main) {
        (Some(error), _) => Err(error),
        (None, Some(main)) => Ok((main, tenants)),
        (None, None) => Err(Error::new(ErrorKind::Unexpected, "there is no main store")),
    }
}

/// The same error with the tenant's name in its message.
pub(crate) fn named(tenant: Option<&str>, error: Error) -> Error {
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
    fn the_error_of_a_tenant_says_all_that_it_said_before() {
        let error = Error::new(ErrorKind::MigrationFailed, "no such table")
            .with_location(Location::at("V1__a.sql", 3, 7))
            .with_context("sqlstate", "42P01");
        let named = named(Some("north"), error);
        assert_eq!(
            named.to_string(),
            "V1__a.sql:3:7: tenant `north`: no such table"
        );
        assert_eq!(named.context().next(), Some(("sqlstate", "42P01")));
    }
}

//! The script splitter, rule by rule.

mod errors;
mod expect;
mod mysql;
mod mysql_bodies;
mod places;
mod postgres;
mod properties;
mod reader;
mod sqlite;
mod sqlserver;
mod transactions;
mod words;

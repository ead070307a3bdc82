//! Tests of the splitter, one file per dialect or topic.

mod assertions;
mod errors;
mod mysql;
mod mysql_bodies;
mod positions;
mod postgres;
mod properties;
mod short_reads;
mod sqlite;
mod sqlserver;
mod syntax;
mod transactions;
mod words;

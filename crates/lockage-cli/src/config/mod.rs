//! Where settings come from: flag, environment, `.env`, `lockage.toml`, default; the first that says something counts.

mod environment;
mod file;
mod layer;
mod resolve;
mod setting;
mod settings;
mod value;

pub(crate) use environment::Environment;
pub(crate) use layer::Layer;
pub(crate) use resolve::resolve;
pub(crate) use setting::Setting;
pub(crate) use settings::Settings;
pub(crate) use value::parse_time;

//! Settings and their sources: flags, environment, `.env`, `lockage.toml`, defaults. The first source that has a setting wins.

mod environment;
mod file;
mod layer;
mod resolve;
mod setting;
mod settings;
mod value;

pub(crate) use environment::Environment;
pub(crate) use layer::SettingsLayer;
pub(crate) use resolve::resolve;
pub(crate) use setting::Setting;
pub(crate) use settings::Settings;
pub(crate) use value::parse_duration;

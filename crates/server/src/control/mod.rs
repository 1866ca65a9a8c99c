//! The control side.

pub mod admin;
pub mod discovery;
pub mod event;
pub mod load_window;
pub mod publisher;
pub mod state;
pub mod telemetry;
#[cfg(test)]
mod test_config;
pub mod watch;

//! What the control side tells the outside: log records, and the metrics that are counted elsewhere.

pub mod chronicle;
pub mod log;
pub mod metrics;
pub mod names;
pub mod rate_bound;
pub mod record;

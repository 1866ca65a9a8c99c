//! What is written (YAML, flags) to one valid model; every mistake is reported at once with its place.

pub mod model;

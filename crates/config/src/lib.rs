//! What is written (YAML, flags) to one valid model; every mistake is reported at once with its place.
//!
//! [`parse`] and [`load`] read a configuration, [`parse_endpoints`] an endpoints file, [`Target`] and [`Flag`] the command line. One table of
//! settings holds every key with its range, default and reason; the parser, [`reference_markdown`], [`json_schema`] and
//! [`example_yaml`] follow from it. Equal meaning gives equal models, so a reload that changes nothing can be told.

mod document;
mod flag;
mod load;
mod mistake;
pub mod model;
mod parse;
mod publish;
mod section;
mod settings;
#[cfg(test)]
mod table_tests;
mod target;
mod value;

pub use document::{MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_DOCUMENT_NODES};
pub use flag::Flag;
pub use load::{load, load_endpoints};
pub use mistake::{MAX_MISTAKES, Mistake, Mistakes, Place};
pub use model::Config;
pub use parse::{parse, parse_endpoints};
pub use publish::{example_yaml, json_schema, reference_markdown};
pub use target::Target;

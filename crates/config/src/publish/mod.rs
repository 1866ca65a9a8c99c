//! What is made from the table of settings: reference page, JSON schema, example file.
//!
//! Pure text; `cargo run -p evenkeel-config --example generate_docs` writes it to `docs/`.

mod example;
mod reference;
mod schema;

pub use example::example_yaml;
pub use reference::reference_markdown;
pub use schema::json_schema;

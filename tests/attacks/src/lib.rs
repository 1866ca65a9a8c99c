//! What the attack scripts are made of: peers that write HTTP/2 byte by byte and break its rules, a well-behaved client beside
//! them, and the arena that judges what an attack cost and who noticed.
//!
//! Knows Evenkeel by its ports, its metrics and what the kernel says of its process; nothing of its code. The scripts are in
//! `tests`, one file for each kind of attack.

pub mod arena;
pub mod attack;
pub mod attacker;
pub mod block;
pub mod bystander;
pub mod frame;
pub mod generous;
pub mod heard;
pub mod hostile;
pub mod recorder;
pub mod sent;
pub mod siege;
pub mod verdict;
pub mod web;
pub mod wire;

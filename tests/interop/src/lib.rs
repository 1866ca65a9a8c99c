//! Real processes for the interop tests: gRPC servers and clients, web servers and clients, sshd and databases, Evenkeel between
//! them. Knows the programs of
//! `tests/clients` by their command line, and Evenkeel by its configuration, its port and its admin API; nothing of its code.

pub mod balancer;
pub mod bystander;
pub mod call;
pub mod certificate;
pub mod curl;
pub mod evenkeel;
pub mod grpc_go;
pub mod impostor;
pub mod instance;
pub mod load;
pub mod peers;
pub mod process;
pub mod programs;
pub mod server;
pub mod slow_reader;
pub mod tap;
pub mod tls;
pub mod transcript;
pub mod wait;
pub mod web;

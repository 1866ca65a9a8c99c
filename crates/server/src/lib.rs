//! Sockets, threads, clocks, discovery, admin API and telemetry.

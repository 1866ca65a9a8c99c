//! The interop suite of grpc-go, case by case: its client against its server, direct and through Evenkeel with the same
//! result. All cases that its client has are here, but those that need TLS or a token, and `pick_first_unary`, which looks at
//! the client's own balancer and fails without a server that tells its id.

use anyhow::Result;
use evenkeel_interop::evenkeel::Evenkeel;
use evenkeel_interop::grpc_go::{SuiteServer, Verdict, run};

fn is_the_same_direct_and_through_evenkeel(case: &str, more: &[&str]) -> Result<()> {
    let server = SuiteServer::start()?;
    let evenkeel = Evenkeel::start(&[server.address().to_owned()], "policy: peak_ewma")?;
    assert_eq!(run(case, more, server.address())?, Verdict::Passed, "{case} direct");
    assert_eq!(run(case, more, evenkeel.address())?, Verdict::Passed, "{case} through Evenkeel");
    Ok(())
}

/// A test for each case, with the words that it needs beside its name.
macro_rules! cases {
    ($($test:ident: $case:literal $($more:literal)*;)*) => {$(
        #[test]
        fn $test() -> Result<()> {
            is_the_same_direct_and_through_evenkeel($case, &[$($more),*])
        }
    )*};
}

cases! {
    grpc_go_empty_unary: "empty_unary";
    grpc_go_large_unary: "large_unary";
    grpc_go_client_streaming: "client_streaming";
    grpc_go_server_streaming: "server_streaming";
    grpc_go_ping_pong: "ping_pong";
    grpc_go_empty_stream: "empty_stream";
    grpc_go_timeout_on_sleeping_server: "timeout_on_sleeping_server";
    grpc_go_cancel_after_begin: "cancel_after_begin";
    grpc_go_cancel_after_first_response: "cancel_after_first_response";
    grpc_go_status_code_and_message: "status_code_and_message";
    grpc_go_special_status_message: "special_status_message";
    grpc_go_custom_metadata: "custom_metadata";
    grpc_go_unimplemented_method: "unimplemented_method";
    grpc_go_unimplemented_service: "unimplemented_service";
    grpc_go_orca_per_rpc: "orca_per_rpc";
    grpc_go_orca_oob: "orca_oob";
    grpc_go_rpc_soak: "rpc_soak" "-soak_iterations=1000" "-soak_num_threads=8" "-soak_overall_timeout_seconds=60";
    grpc_go_channel_soak: "channel_soak" "-soak_iterations=100" "-soak_num_threads=4" "-soak_overall_timeout_seconds=60";
}

//! One call on the channel: where it goes, when it may, who answered. The load and the kinds use it.

use crate::codec::SERVICE;
use http::uri::PathAndQuery;
use std::str::FromStr;
use tonic::Status;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

/// The path of a method of the service.
pub(crate) fn path(method: &str) -> PathAndQuery {
    PathAndQuery::from_str(&format!("/{SERVICE}/{method}")).expect("our own names are paths")
}

/// A client that can take a call.
pub(crate) async fn ready(channel: &Channel) -> Result<Grpc<Channel>, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(client)
}

/// The server's name, which header and trailer must agree on.
pub(crate) fn backend_of(headers: &MetadataMap, trailers: &MetadataMap) -> Option<String> {
    let first = headers.get("x-backend")?;
    let last = trailers.get("x-backend-trailer")?;
    if first == last { first.to_str().ok().map(str::to_owned) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_believed_only_if_header_and_trailer_agree() {
        let mut headers = MetadataMap::new();
        headers.insert("x-backend", tonic::metadata::MetadataValue::from_static("a"));
        let mut trailers = MetadataMap::new();
        assert_eq!(backend_of(&headers, &trailers), None);
        trailers.insert("x-backend-trailer", tonic::metadata::MetadataValue::from_static("b"));
        assert_eq!(backend_of(&headers, &trailers), None);
        trailers.insert("x-backend-trailer", tonic::metadata::MetadataValue::from_static("a"));
        assert_eq!(backend_of(&headers, &trailers), Some("a".into()));
    }
}

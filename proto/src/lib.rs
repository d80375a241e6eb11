//! The gRPC contract of Pronto and the types generated from it. No logic: what a field means is written in
//! `pronto/v1/*.proto`; [`link`] turns the messages of the gateway's link into typed values and back, by the trait in
//! [`wire`].

pub mod link;
pub mod wire;

/// `pronto.v1`: messages, clients and servers.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("pronto.v1");
}

/// The encoded `FileDescriptorSet`, for reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

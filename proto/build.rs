//! Compiles the contract with protox, so that a fresh machine needs no protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["callers", "calls", "gateways", "ledger", "operators", "queues"]
        .map(|name| format!("pronto/v1/{name}.proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let set = protox::compile(&files, ["."])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptor.bin"), prost::Message::encode_to_vec(&set))?;
    tonic_prost_build::configure()
        // Ordered maps: the same message is the same bytes.
        .btree_map(".")
        .compile_fds(set)?;
    Ok(())
}

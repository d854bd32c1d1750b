//! Answers every message with what it says of itself: `cargo run -p strait --features xcp --example xcp_server`.

use strait::xcp::{self, Ether};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:9944".to_owned());
    let server = xcp::listen(&address).await?;
    println!("listening on {}", server.address());
    server
        .serve(|ether: Ether| async move {
            let answer = match ether.as_tensor("values") {
                Ok(tensor) => format!("{} of shape {:?}", ether.kind, tensor.shape()),
                Err(_) => format!("{} with {} keys", ether.kind, ether.payload.len()),
            };
            Ok(Some(Ether::text(&answer)))
        })
        .await;
    Ok(())
}

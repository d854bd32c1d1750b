//! Asks a server about a text and a tensor: `cargo run -p strait --features xcp --example xcp_client`.

use strait::xcp::{Ether, Options};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:9944".to_owned());
    let client = Options::new().compress(-3).connect(&address).await?;
    println!("{} speaks the {} dialect", client.peer(), client.dialect());

    let values: Vec<f32> = (0..100_000).map(|at| (at as f32 / 100.0).sin()).collect();
    let tensor = Ether::new("embedding", 1).tensor("values", &values, &[100, 1000])?;
    for question in [Ether::text("hello"), tensor] {
        let answer = client.request(&question).await?;
        println!("{}", answer.ether()?.as_text()?);
    }
    println!("the server is {:?} away", client.ping().await?);
    Ok(())
}

//! A Quantus node as a miner sees it: QUIC with the chain's published message types, seals judged by the chain's
//! published hash. Prints one JSON object a line.
//!
//!     peer serve --port PORT --dir DIR [--difficulty N] [--interval-ms N] [--seconds N]
//!     peer vectors N
//!
//! `serve` writes `miner-auth-token` and `miner-tls-cert-sha256` into DIR, then hands out jobs: a new one after each
//! valid seal and every interval. `vectors` prints N random headers and nonces with their hashes.

mod chain;
mod server;

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve") => server::serve(serve_options(arguments)?).await,
        Some("vectors") => vectors(arguments.next().ok_or("vectors needs a number")?.parse()?),
        _ => Err("usage: peer serve --port PORT --dir DIR [--difficulty N] [--interval-ms N] [--seconds N] | peer vectors N".into()),
    }
}

/// Reads `--name value` pairs.
fn serve_options(mut arguments: impl Iterator<Item = String>) -> Result<server::Options, Failure> {
    let mut values = HashMap::new();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        values.insert(name, value);
    }
    let mut take = |name: &str| values.remove(name);
    let options = server::Options {
        port: take("--port").ok_or("--port is missing")?.parse()?,
        dir: PathBuf::from(take("--dir").ok_or("--dir is missing")?),
        difficulty: take("--difficulty").unwrap_or_else(|| "100000".into()),
        interval: Duration::from_millis(take("--interval-ms").map_or(Ok(3000), |text| text.parse())?),
        duration: Duration::from_secs(take("--seconds").map_or(Ok(20), |text| text.parse())?),
    };
    match values.into_keys().next() {
        Some(name) => Err(format!("unknown option {name}").into()),
        None => Ok(options),
    }
}

fn vectors(count: usize) -> Result<(), Failure> {
    for _ in 0..count {
        let (header, nonce) = (chain::random::<32>()?, chain::random::<64>()?);
        let hash = chain::nonce_hash(&header, &nonce).to_big_endian();
        println!(
            "{}",
            serde_json::json!({"header": hex::encode(header), "nonce": hex::encode(nonce), "hash": hex::encode(hash)})
        );
    }
    Ok(())
}

//! The miner server: one certificate, one token, one job at a time for every miner.

use crate::{chain, Failure};
use primitive_types::U512;
use quantus_miner_api::{read_message, write_message, MinerMessage, MiningRequest, MiningResult};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{timeout, timeout_at, Instant};

const ALPN: &[u8] = b"quantus-miner/2";
/// From the handshake to the token.
const AUTH_TIMEOUT: Duration = Duration::from_secs(10);
/// The node sends no keep-alives: a miner that sends none either is dropped after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_QUEUED_RESULTS: usize = 64;

pub struct Options {
    pub port: u16,
    pub dir: PathBuf,
    /// A decimal number, at least 1.
    pub difficulty: String,
    pub interval: Duration,
    pub duration: Duration,
}

#[derive(Default)]
struct Counts {
    jobs: u64,
    valid: u64,
    invalid: u64,
    stale: u64,
    failed: u64,
    hashes: u64,
}

/// Serves jobs for the given duration, then prints a summary.
pub async fn serve(options: Options) -> Result<(), Failure> {
    let difficulty = U512::from_dec_str(&options.difficulty).map_err(|error| format!("difficulty: {error:?}"))?;
    if difficulty.is_zero() {
        return Err("difficulty 0".into());
    }
    fs::create_dir_all(&options.dir)?;
    let endpoint = listen(options.port, &options.dir)?;
    let token = hex::encode(chain::random::<32>()?);
    // Written last: whoever waits for it finds a node that listens.
    fs::write(options.dir.join("miner-auth-token"), &token)?;

    let (jobs, _) = watch::channel(None);
    let (results, mut received) = mpsc::channel(MAX_QUEUED_RESULTS);
    tokio::spawn(accept(endpoint, token, jobs.clone(), results));
    println!("{}", json!({"event": "listening", "port": options.port}));

    let mut counts = Counts::default();
    let end = Instant::now() + options.duration;
    while Instant::now() < end {
        counts.jobs += 1;
        let header = chain::random::<32>()?;
        let job = MiningRequest {
            job_id: format!("job-{}", counts.jobs),
            mining_hash: hex::encode(header),
            difficulty: options.difficulty.clone(),
        };
        jobs.send_replace(Some(job.clone()));
        let until = (Instant::now() + options.interval).min(end);
        while let Ok(Some(result)) = timeout_at(until, received.recv()).await {
            if judge(&job.job_id, &header, difficulty, &result, &mut counts) {
                break;
            }
        }
    }
    let Counts { jobs, valid, invalid, stale, failed, hashes } = counts;
    println!(
        "{}",
        json!({"event": "summary", "jobs": jobs, "valid": valid, "invalid": invalid, "stale": stale, "failed": failed, "hashes": hashes})
    );
    Ok(())
}

/// Counts and prints a result; returns whether it ends its job.
fn judge(job_id: &str, header: &[u8; 32], difficulty: U512, result: &MiningResult, counts: &mut Counts) -> bool {
    counts.hashes += result.hash_count;
    if result.job_id != job_id {
        counts.stale += 1;
        println!("{}", json!({"event": "stale", "result": result}));
        return false;
    }
    let Some(nonce) = result.work.as_deref().and_then(nonce_bytes) else {
        counts.failed += 1;
        println!("{}", json!({"event": "no-work", "result": result}));
        return false;
    };
    let valid = chain::is_seal(header, &nonce, difficulty);
    let nonce_is_work = result.nonce.as_deref().and_then(|text| U512::from_str_radix(text, 16).ok())
        == Some(U512::from_big_endian(&nonce));
    if valid && nonce_is_work {
        counts.valid += 1;
    } else {
        counts.invalid += 1;
    }
    println!("{}", json!({"event": "result", "valid": valid, "nonce_is_work": nonce_is_work, "result": result}));
    valid
}

fn nonce_bytes(text: &str) -> Option<[u8; 64]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// Makes a certificate, writes its pin into `dir` and opens the endpoint.
fn listen(port: u16, dir: &Path) -> Result<quinn::Endpoint, Failure> {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
    let certificate = certified.cert.der().clone();
    fs::write(dir.join("miner-tls-cert-sha256"), hex::encode(Sha256::digest(&certificate)))?;
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.key_pair.serialize_der());
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(quinn::crypto::rustls::QuicServerConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(1u32.into())
        .max_concurrent_uni_streams(0u32.into())
        .keep_alive_interval(None)
        .max_idle_timeout(Some(IDLE_TIMEOUT.try_into()?));
    config.transport_config(Arc::new(transport));
    Ok(quinn::Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?)
}

async fn accept(
    endpoint: quinn::Endpoint,
    token: String,
    jobs: watch::Sender<Option<MiningRequest>>,
    results: mpsc::Sender<MiningResult>,
) {
    while let Some(incoming) = endpoint.accept().await {
        let (token, jobs, results) = (token.clone(), jobs.subscribe(), results.clone());
        tokio::spawn(async move {
            if let Err(error) = serve_miner(incoming, &token, jobs, results).await {
                eprintln!("miner: {error}");
            }
        });
    }
}

/// Serves one miner until it disconnects.
async fn serve_miner(
    incoming: quinn::Incoming,
    token: &str,
    mut jobs: watch::Receiver<Option<MiningRequest>>,
    results: mpsc::Sender<MiningResult>,
) -> Result<(), Failure> {
    let connection = incoming.await?;
    let (mut send, mut receive) = match timeout(AUTH_TIMEOUT, authenticate(&connection, token)).await? {
        Ok(streams) => streams,
        Err(error) => {
            connection.close(0u32.into(), b"auth failed");
            return Err(error);
        }
    };
    // A frame may arrive in parts, so reading it must not be cancelled by a job.
    let reading = async {
        loop {
            if let MinerMessage::JobResult(result) = read_message(&mut receive).await? {
                results.send(result).await?;
            }
        }
    };
    let writing = async {
        loop {
            let job = jobs.borrow_and_update().clone();
            if let Some(job) = job {
                write_message(&mut send, &MinerMessage::NewJob(job)).await?;
            }
            jobs.changed().await?;
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}

async fn authenticate(
    connection: &quinn::Connection,
    token: &str,
) -> Result<(quinn::SendStream, quinn::RecvStream), Failure> {
    let (send, mut receive) = connection.accept_bi().await?;
    match read_message(&mut receive).await? {
        MinerMessage::Ready { token: sent } if sent.trim() == token => Ok((send, receive)),
        MinerMessage::Ready { .. } => Err("wrong token".into()),
        message => Err(format!("{message:?} before Ready").into()),
    }
}

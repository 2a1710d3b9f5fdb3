//! The registry of the test cluster, which can be told to answer as one in trouble would (`tests/cluster/registry`).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ADDRESS: &str = "127.0.0.1:5000";

/// Sets how pulls of a repository are answered: `REPOSITORY MODE`.
pub async fn answer(words: &str) -> Result<(), String> {
    let (repository, mode) = words.split_once(' ').ok_or_else(|| format!("no repository and mode: {words}"))?;
    let request = format!("PUT /faults/{repository}?mode={mode} HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    let answer = call(&request).await.map_err(|error| format!("the registry: {error}"))?;
    let first = answer.lines().next().unwrap_or_default();
    if first.contains(" 200 ") { Ok(()) } else { Err(format!("the registry: {answer}")) }
}

async fn call(request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(ADDRESS).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

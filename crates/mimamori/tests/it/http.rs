//! The accept loop's limits and its graceful end.

use std::time::{Duration, Instant};

use mimamori::exit::Exit;
use mimamori::net::{Limits, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::serve;

const QUICK: Duration = Duration::from_millis(300);

async fn say(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn requests_under_way_finish_and_new_ones_are_not_taken() {
    let served = serve(None, Limits::default()).await;
    let address = served.address;
    let slow = tokio::spawn(async move {
        say(address, "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
    });
    // An idle kept-alive connection must not hold up the end.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 512]).await.unwrap() > 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    served.stopper.stop();
    assert!(slow.await.unwrap().ends_with("slow but complete"));
    tokio::time::timeout(Duration::from_secs(5), served.done).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_slow_head_and_a_slow_body_are_given_up() {
    let served = serve(None, Limits { head: QUICK, idle: QUICK * 2, ..Limits::default() }).await;
    for (half, longest) in [
        ("GET / HTTP/1.1\r\nHos", QUICK),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", QUICK * 2),
    ] {
        let begun = Instant::now();
        let answer = say(served.address, half).await;
        assert!(!answer.contains("200 OK"), "{answer}");
        assert!(begun.elapsed() >= longest && begun.elapsed() < longest * 8, "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let served = serve(None, Limits::default()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(300_000));
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // The server may hang up while we still write: that is a refusal too.
    let _cut_off = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _cut_off = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn connections_are_capped_per_address_and_in_all() {
    let served =
        serve(None, Limits { connections: 3, connections_per_address: 2, ..Limits::default() }).await;
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        held.push(stream);
    }
    // The third from one address is closed unanswered ...
    let mut third = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(third.read(&mut [0; 16]).await.unwrap_or(0), 0);
    // ... and welcome again once another has gone.
    drop(held.pop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(say(served.address, request).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_taken_address_says_what_to_do() {
    let served = serve(None, Limits::default()).await;
    let error = Listener::bind("fhir", served.address, None, Limits::default()).await.unwrap_err();
    assert_eq!(error.exit, Exit::Unavailable);
    assert!(error.to_string().contains("listen.fhir"), "{error}");
}

//! A server of the page on the loopback interface: no other machine can reach it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dermagan_base::SettingError;

use crate::error::DemoError;
use crate::page::Page;
use crate::request::{MAX_HEAD, answer, is_complete};

/// The port that is tried first, so that the address of the page usually stays the same.
pub const DEFAULT_PORT: u16 = 8764;
/// The largest number of connections at a time. A browser opens six.
const MAX_CONNECTIONS: usize = 32;
/// How long a browser may take to send its request, and to take the next part of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the server waits after the system refused a connection, as when it has no more handles.
const PAUSE: Duration = Duration::from_millis(50);
/// The number of errors in a row after which the server gives up.
const MAX_ERRORS: usize = 100;

/// A server of a page on 127.0.0.1.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    page: Arc<Page>,
    stop: Arc<AtomicBool>,
}

/// Stops a server from another thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Stopper {
    /// Makes [`Server::run`] return.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        // A connection wakes the server.
        let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
    }
}

impl Server {
    /// Listens on `port` of 127.0.0.1. `None` takes [`DEFAULT_PORT`], or any free port if that one is taken; so does 0.
    ///
    /// # Errors
    /// When the port is taken, or needs rights.
    pub fn bind(page: Page, port: Option<u16>) -> Result<Self, DemoError> {
        let listen = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener = match port {
            Some(port) => listen(port).map_err(|error| {
                let problem = format!("{error}; name another port, or leave it out for a free one");
                SettingError::value("port", port, problem)
            })?,
            None => listen(DEFAULT_PORT).or_else(|_| listen(0)).map_err(DemoError::Server)?,
        };
        let address = listener.local_addr().map_err(DemoError::Server)?;
        Ok(Self { listener, address, page: Arc::new(page), stop: Arc::default() })
    }

    /// The address of the page, such as `http://127.0.0.1:8764/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// What stops [`Server::run`] from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { address: self.address, stop: self.stop.clone() }
    }

    /// Answers requests until [`Stopper::stop`] is called.
    ///
    /// # Errors
    /// When the system refuses to accept connections.
    pub fn run(&self) -> Result<(), DemoError> {
        let open = Arc::new(AtomicUsize::new(0));
        let mut errors = 0;
        loop {
            let accepted = self.listener.accept();
            if self.stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            let stream = match accepted {
                Ok((stream, from)) if from.ip().is_loopback() => stream,
                Ok(_) => continue,
                Err(error) if errors == MAX_ERRORS => return Err(DemoError::Server(error)),
                Err(_) => {
                    errors += 1;
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            errors = 0;
            // Above the limit the connection is closed without an answer.
            let place = Place::take(&open);
            let Some(place) = place else { continue };
            let (page, port) = (self.page.clone(), self.address.port());
            let serve = move || {
                let _place = place;
                // A browser that goes away is no error.
                let _ = serve(&page, port, stream);
            };
            let _ = std::thread::Builder::new().spawn(serve);
        }
    }
}

/// One of the [`MAX_CONNECTIONS`] places. It is free again when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(open.clone());
        (open.fetch_add(1, Ordering::SeqCst) < MAX_CONNECTIONS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Reads one request, answers it and closes the connection.
fn serve(page: &Page, port: u16, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = read_head(&mut stream)?;
    let answer = answer(page, port, &head);
    stream.write_all(answer.head.as_bytes())?;
    stream.write_all(answer.body)?;
    stream.shutdown(Shutdown::Write)?;
    // A connection that is closed while bytes are unread loses the answer. What follows a head is read, but not much.
    stream.set_read_timeout(Some(PAUSE))?;
    let mut rest = [0; MAX_HEAD];
    let _ = stream.read(&mut rest);
    Ok(())
}

/// Reads the head of a request: until its empty line, the end of the stream, or [`MAX_HEAD`] bytes.
fn read_head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while head.len() < MAX_HEAD && !is_complete(&head) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = stream.read(&mut part)?;
        if count == 0 {
            break;
        }
        head.extend_from_slice(&part[..count]);
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::test_page;

    /// Sends `request` to a server and returns the answer.
    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[test]
    fn a_server_answers_on_loopback_until_it_is_stopped() {
        let server = Server::bind(test_page(), Some(0)).unwrap();
        let (address, stopper) = (server.address, server.stopper());
        assert!(address.ip().is_loopback());
        assert_eq!(server.url(), format!("http://127.0.0.1:{}/", address.port()));
        let running = std::thread::spawn(move || server.run());
        let host = format!("Host: 127.0.0.1:{}", address.port());
        let answer = ask(address, &format!("GET / HTTP/1.1\r\n{host}\r\n\r\n"));
        assert!(
            answer.starts_with("HTTP/1.1 200 OK") && answer.contains("<!doctype html>"),
            "{answer}"
        );
        assert!(ask(address, &format!("GET /x HTTP/1.1\r\n{host}\r\n\r\n")).contains("404"));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(2 * MAX_HEAD));
        assert!(ask(address, &long).starts_with("HTTP/1.1 431"));
        stopper.stop();
        running.join().unwrap().unwrap();
    }

    #[test]
    fn idle_connections_do_not_keep_others_out_for_ever_and_are_limited() {
        let server = Server::bind(test_page(), Some(0)).unwrap();
        let (address, stopper) = (server.address, server.stopper());
        let running = std::thread::spawn(move || server.run());
        let request = format!("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", address.port());
        let idle: Vec<_> =
            (0..MAX_CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        // All places are taken, so the connection is closed without an answer.
        let mut extra = TcpStream::connect(address).unwrap();
        let mut answer = Vec::new();
        let _ = extra.read_to_end(&mut answer);
        assert!(answer.is_empty());
        drop(idle);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut stream = TcpStream::connect(address).unwrap();
            let mut answer = String::new();
            let asked = stream.write_all(request.as_bytes());
            let _ = asked.and_then(|()| stream.read_to_string(&mut answer).map(drop));
            if answer.starts_with("HTTP/1.1 200") {
                break;
            }
            assert!(Instant::now() < deadline, "the places are not free again");
            std::thread::sleep(PAUSE);
        }
        stopper.stop();
        running.join().unwrap().unwrap();
    }

    #[test]
    fn a_taken_port_is_an_error_only_if_it_was_named() {
        let first = Server::bind(test_page(), Some(0)).unwrap();
        let port = first.address.port();
        let problem = Server::bind(test_page(), Some(port)).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("`port` = {port}")), "{problem}");
        let default = Server::bind(test_page(), None).unwrap();
        let other = Server::bind(test_page(), None).unwrap();
        assert_ne!(default.address, other.address);
    }
}

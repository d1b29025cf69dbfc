//! One request of a browser, and its answer. Only GET and HEAD, and only the files of the page.

use crate::page::{Page, PageFile};

/// The largest head of a request in bytes.
pub(crate) const MAX_HEAD: usize = 8 << 10;
/// The largest number of header lines. Browsers send about 15.
const MAX_HEADERS: usize = 64;

/// What the page may do: run its own scripts and WebAssembly, and ask its own server for files. It may send nothing
/// anywhere, and no other page may embed it.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; \
                      img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer. The second and third isolate the page, which gives it threads.
const HEADERS: [(&str, &str); 8] = [
    ("Content-Security-Policy", POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
    ("Connection", "close"),
];

/// An answer: its head, and the file whose bytes follow.
pub(crate) struct Answer<'a> {
    pub head: String,
    pub body: &'a [u8],
}

/// Whether `head` ends with the empty line that ends the head of a request.
pub(crate) fn is_complete(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n")
}

/// Answers a request to the server on `port`. `head` is its request line and its headers, or what came of them.
pub(crate) fn answer<'a>(page: &'a Page, port: u16, head: &[u8]) -> Answer<'a> {
    let answer = answer_to_get(page, port, head);
    match head.starts_with(b"HEAD ") {
        true => Answer { body: &[], ..answer },
        false => answer,
    }
}

/// The answer with its body, which an answer to HEAD does not have.
fn answer_to_get<'a>(page: &'a Page, port: u16, head: &[u8]) -> Answer<'a> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let complete = request.parse(head).is_ok_and(|parsed| parsed.is_complete());
    let (true, Some(method), Some(target)) = (complete, request.method, request.path) else {
        return status(match is_complete(head) || head.len() < MAX_HEAD {
            true => "400 Bad Request",
            false => "431 Request Header Fields Too Large",
        });
    };
    let mut hosts =
        request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = hosts.next();
    if hosts.next().is_some() {
        return status("400 Bad Request");
    }
    if !host.is_some_and(|host| is_own(host.value, port)) {
        return status("421 Misdirected Request");
    }
    if !matches!(method, "GET" | "HEAD") {
        return status("405 Method Not Allowed");
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let name = match path {
        "/" => "index.html",
        _ => path.strip_prefix('/').unwrap_or_default(),
    };
    // The name is compared with those of the files in memory: no path of the file system is made of it.
    match page.file(name) {
        Some(file) => found(file),
        None => status("404 Not Found"),
    }
}

/// Whether a request names this server. Another name means that a page of the web had its own name resolve to 127.0.0.1
/// (DNS rebinding).
fn is_own(host: &[u8], port: u16) -> bool {
    ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{port}").as_bytes())
}

fn found(file: &PageFile) -> Answer<'_> {
    let body = file.bytes.as_ref();
    Answer { head: head("200 OK", file.media_type(), body.len()), body }
}

/// An answer without a file. Its body repeats the status: a browser shows it.
fn status(status: &'static str) -> Answer<'static> {
    let mut head = head(status, "text/plain; charset=utf-8", status.len());
    if status.starts_with("405") {
        head.insert_str(head.len() - 2, "Allow: GET, HEAD\r\n");
    }
    Answer { head, body: status.as_bytes() }
}

fn head(status: &str, media_type: &str, length: usize) -> String {
    let mut head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n");
    for (name, value) in HEADERS {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

#[cfg(test)]
mod tests {
    use dermagan_base::rng::Keyed;

    use super::*;
    use crate::page::test_page;

    fn ask(page: &Page, request: &str) -> (String, usize) {
        let answer = answer(page, 8000, request.replace('\n', "\r\n").as_bytes());
        (answer.head, answer.body.len())
    }

    #[test]
    fn files_of_the_page_are_found_and_nothing_else() {
        let page = test_page();
        let get =
            |path: &str| ask(&page, &format!("GET {path} HTTP/1.1\nHost: localhost:8000\n\n"));
        let (head, length) = get("/");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"), "{head}");
        assert!(head.contains("default-src 'none'") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {length}\r\n")) && length > 100);
        assert_eq!(get("/index.html?x=1").1, length);
        assert!(get("/runtime/ort.wasm.min.mjs").0.contains("text/javascript"));
        for path in [
            "/../Cargo.toml",
            "//index.html",
            "/%69ndex.html",
            "/runtime",
            "/runtime/../index.html",
            "/etc/passwd",
            "http://localhost:8000/index.html",
            "index.html",
            "/index.html/",
            "/\\index.html",
        ] {
            assert!(get(path).0.starts_with("HTTP/1.1 404"), "{path}: {}", get(path).0);
        }
    }

    #[test]
    fn head_has_the_headers_of_get_and_other_methods_are_refused() {
        let page = test_page();
        let ask =
            |method: &str| ask(&page, &format!("{method} / HTTP/1.1\nHost: 127.0.0.1:8000\n\n"));
        assert_eq!(ask("HEAD"), (ask("GET").0, 0));
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "get"] {
            let (head, length) = ask(method);
            assert!(head.starts_with("HTTP/1.1 405") && length < 100, "{method}: {head}");
            assert!(head.contains("\r\nAllow: GET, HEAD\r\n\r\n"), "{head}");
        }
    }

    #[test]
    fn a_request_in_the_name_of_another_host_is_refused() {
        let page = test_page();
        for host in [
            "evil.example",
            "evil.example:8000",
            "127.0.0.1",
            "localhost:8001",
            "localhost:80000",
            "",
        ] {
            let (head, length) = ask(&page, &format!("GET / HTTP/1.1\nHost: {host}\n\n"));
            assert!(head.starts_with("HTTP/1.1 421") && length < 100, "{host}: {head}");
        }
        assert!(ask(&page, "GET / HTTP/1.1\n\n").0.starts_with("HTTP/1.1 421"));
        let two = "GET / HTTP/1.1\nHost: localhost:8000\nHost: evil.example\n\n";
        assert!(ask(&page, two).0.starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn changed_requests_get_a_file_of_the_page_or_an_error() {
        let page = test_page();
        let whole = b"GET /page.js?a=1 HTTP/1.1\r\nHost: localhost:8000\r\nAccept: */*\r\n\r\n";
        for number in 0..20_000 {
            let mut random = Keyed::new(1, "requests", number);
            let mut head = whole.to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(head.len() as u64) as usize;
                match random.below(3) {
                    0 => head[at] = random.below(256) as u8,
                    1 => head.truncate(at + 1),
                    _ => head.extend_from_within(at..),
                }
            }
            let answer = answer(&page, 8000, &head);
            let known = ["200 OK", "400 ", "404 ", "405 ", "421 ", "431 "];
            let status = answer.head.strip_prefix("HTTP/1.1 ").unwrap();
            assert!(known.iter().any(|start| status.starts_with(start)), "{head:?}: {status}");
            assert!(
                answer.head.ends_with("\r\n\r\n") && answer.head.matches("\r\n\r\n").count() == 1
            );
            assert!(answer.body.len() < 100 || status.starts_with("200 OK"), "{head:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_request_are_refused() {
        let page = test_page();
        for bytes in [
            "",
            "\n\n",
            "GET\n\n",
            "GET / HTTP/9\n\n",
            "GET / HTTP/1.1\nHost localhost\n\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert!(ask(&page, bytes).0.starts_with("HTTP/1.1 400"), "{bytes:?}");
        }
        let many = "X: 1\n".repeat(MAX_HEADERS + 1);
        assert!(ask(&page, &format!("GET / HTTP/1.1\n{many}\n")).0.starts_with("HTTP/1.1 400"));
        let long = format!("GET /{} HTTP/1.1\n", "a".repeat(MAX_HEAD));
        assert!(ask(&page, &long).0.starts_with("HTTP/1.1 431"));
    }
}

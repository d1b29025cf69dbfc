"""Tests of scripts/fetch-ham10000 against a small server on the loopback address."""

import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCRIPT = Path(__file__).with_name("fetch-ham10000")
ZIP = bytes(range(256)) * 4000
TABLE = b"lesion_id\timage_id\tdx\nHAM_1\tISIC_1\tnv\n"
CSV = b"lesion_id,image_id,dx\nHAM_1,ISIC_1,nv\n"


def md5(data):
    return hashlib.md5(data).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves four files. Each test sets how the server misbehaves."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {
            1: ["HAM10000_images_part_1.zip", ZIP, md5(ZIP)],
            2: ["HAM10000_images_part_2.zip", ZIP[::-1], md5(ZIP[::-1])],
            3: ["HAM10000_metadata.tab", TABLE, md5(TABLE)],
            4: ["ISIC2018_Task3_Test_Images.zip", b"test", md5(b"test")],
        }
        self.break_after = {}  # id -> bytes until the connection breaks, once
        self.ignore_range = False
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        path, _, query = self.path.partition("?")
        if path == "/api/datasets/:persistentId/":
            files = [
                {"label": name, "dataFile": {"id": i, "filename": name, "md5": digest, "filesize": len(data)}}
                for i, (name, data, digest) in server.files.items()
            ]
            return self.answer(200, json.dumps({"data": {"latestVersion": {"files": files}}}).encode())
        number = int(path.rsplit("/", 1)[1])
        data = CSV if query == "format=original" and number == 3 else server.files[number][1]
        wanted = self.headers.get("Range")
        server.requests.append((number, wanted, query))
        if wanted and not server.ignore_range:
            start = int(wanted[len("bytes=") : -1])
            if start >= len(data):
                return self.answer(416, b"")
            return self.answer(206, data[start:], server.break_after.pop(number, None))
        return self.answer(200, data, server.break_after.pop(number, None))

    def answer(self, status, data, break_after=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if break_after is None else data[:break_after])
        if break_after is not None:
            self.close_connection = True


class Fetch(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def fetch(self, *more):
        command = [sys.executable, str(SCRIPT), "--server", self.server.address, str(self.folder), *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_the_archives_and_the_table_are_fetched_and_checked(self):
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)
        expected = ["HAM10000_images_part_1.zip", "HAM10000_images_part_2.zip", "HAM10000_metadata.tab"]
        self.assertEqual(self.names(), expected)
        self.assertEqual((self.folder / expected[0]).read_bytes(), ZIP)

    def test_a_complete_file_is_not_downloaded_again(self):
        self.fetch()
        self.server.requests.clear()
        self.assertIn("complete already", self.fetch().stdout)
        self.assertEqual(self.server.requests, [])

    def test_a_download_resumes_after_a_broken_connection(self):
        self.server.break_after[1] = 300_000
        result = self.fetch()
        self.assertEqual(result.returncode, 0, result.stderr)
        ranges = [wanted for number, wanted, _ in self.server.requests if number == 1]
        self.assertEqual(ranges, [None, "bytes=300000-"])
        self.assertEqual((self.folder / "HAM10000_images_part_1.zip").read_bytes(), ZIP)

    def test_a_download_of_an_earlier_run_is_resumed(self):
        (self.folder / "HAM10000_images_part_1.zip.part").write_bytes(ZIP[:1000])
        self.assertEqual(self.fetch().returncode, 0)
        self.assertIn((1, "bytes=1000-", ""), self.server.requests)
        self.assertEqual((self.folder / "HAM10000_images_part_1.zip").read_bytes(), ZIP)

    def test_a_part_with_wrong_bytes_is_deleted_and_downloaded_again(self):
        (self.folder / "HAM10000_images_part_1.zip.part").write_bytes(b"x" * 1000)
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual((self.folder / "HAM10000_images_part_1.zip").read_bytes(), ZIP)

    def test_a_server_without_ranges_starts_again_from_the_beginning(self):
        self.server.ignore_range = True
        self.server.break_after[1] = 300_000
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual((self.folder / "HAM10000_images_part_1.zip").read_bytes(), ZIP)

    def test_a_wrong_md5_is_an_error_and_leaves_no_file(self):
        self.server.files[2][2] = "0" * 32
        result = self.fetch()
        self.assertEqual(result.returncode, 1)
        self.assertIn("HAM10000_images_part_2.zip", result.stderr)
        self.assertEqual(self.names(), ["HAM10000_images_part_1.zip"])

    def test_a_damaged_file_is_replaced(self):
        self.fetch()
        (self.folder / "HAM10000_images_part_1.zip").write_bytes(b"damaged")
        self.assertEqual(self.fetch().returncode, 0)
        self.assertEqual((self.folder / "HAM10000_images_part_1.zip").read_bytes(), ZIP)

    def test_tables_may_have_the_md5_of_their_other_forms(self):
        for digest in (md5(TABLE.split(b"\n", 1)[1]), md5(CSV)):
            self.server.files[3][2] = digest
            result = self.fetch()
            self.assertEqual(result.returncode, 0, result.stderr)
            (self.folder / "HAM10000_metadata.tab").unlink()

    def test_a_hostile_name_stays_in_the_folder(self):
        self.server.files[4][0] = "../../escaped.zip"
        self.assertEqual(self.fetch("--all").returncode, 0)
        self.assertIn("escaped.zip", self.names())
        self.assertFalse((self.folder.parent.parent / "escaped.zip").exists())

    def test_a_dataset_without_the_expected_files_is_an_error(self):
        del self.server.files[1]
        self.assertIn("expected two image archives", self.fetch().stderr)


if __name__ == "__main__":
    unittest.main()

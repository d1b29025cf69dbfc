"""Tests `dermagan` with the feature `cloud` against servers on this machine. `scripts/test-cloud` installs them and calls this.

    python scripts/test_cloud.py PROGRAM FOLDER_OF_ENGINES [NAMES OF TESTS]

Each test is a function `test_…`. A proxy stands between the program and SeaweedFS: it slows uploads down, sees which object is being
uploaded, and refuses connections as a store that is away does.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import boto3
import botocore.exceptions
from azure.storage.blob import BlobServiceClient

PROGRAM = Path(sys.argv[1]).resolve()
ENGINES = Path(sys.argv[2]).resolve()
WORK = Path(tempfile.mkdtemp(prefix="dermagan-cloud-"))
KEY, SECRET = "testkey", "testsecretvalue"
# The published account of Azurite.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
TRAIN = ["train", "--preset", "tiny", "--data", "phantom:60", "--batch", "8", "--device", "cpu", "--seed", "3"]
# Two seconds of steps, twelve snapshots.
LENGTH = ["--width", "8", "--kimg", "2.4", "--snap", "0.2", "--tick", "0.1"]
CHILDREN = []


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start(command, name):
    log = open(WORK / f"{name}.log", "ab")
    environment = dict(os.environ, NODE_NO_WARNINGS="1")
    child = subprocess.Popen(command, stdout=log, stderr=log, cwd=WORK, env=environment)
    CHILDREN.append(child)
    return child


def wait_for_port(port, seconds=60):
    until = time.time() + seconds
    while time.time() < until:
        with socket.socket() as s:
            s.settimeout(1)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit(f"nothing listens on port {port}; see {WORK}")


class Proxy:
    """Passes connections on to a port: slowly, or not at all."""

    def __init__(self, target):
        self.target = target
        self.away = False
        self.rate = None  # bytes per second of uploads
        self.seen = []  # first lines of requests
        self.on_upload = None  # called with the first line once a part of its body has passed
        self.pairs = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.server.accept()
            if self.away:
                client.close()
                continue
            try:
                upstream = socket.create_connection(("127.0.0.1", self.target), timeout=10)
            except OSError:
                client.close()
                continue
            upstream.settimeout(None)
            self.pairs.append((client, upstream))
            threading.Thread(target=self.up, args=(client, upstream), daemon=True).start()
            threading.Thread(target=self.down, args=(upstream, client), daemon=True).start()

    def up(self, client, upstream):
        line, passed = b"", 0
        try:
            while data := client.recv(4096 if self.rate else 65536):
                if found := re.match(rb"(PUT|POST|GET|HEAD|DELETE) (\S+) HTTP", data):
                    line, passed = found.group(1) + b" " + found.group(2), 0
                    self.seen.append(line.decode())
                if self.rate:
                    time.sleep(len(data) / self.rate)
                upstream.sendall(data)
                passed += len(data)
                if self.on_upload and line.startswith(b"PUT") and passed > 20_000:
                    self.on_upload(line.decode())
        except OSError:
            pass
        for s in (client, upstream):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def down(self, upstream, client):
        try:
            while data := upstream.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        try:
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def go_away(self):
        self.away = True
        for pair in self.pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs.clear()

    def come_back(self):
        self.away = False


def begin_engines():
    global PROXY, S3, MOTO, MOTO_PORT, AZURE, AZURE_PORT
    ports = free_ports(8)
    (WORK / "s3.json").write_text(json.dumps({"identities": [{
        "name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
    (WORK / "weed").mkdir()
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc"]
    start([ENGINES / "python/bin/weed", "server", "-dir=weed", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
           "-s3.config=s3.json", "-s3.autoCreateBucket=false", "-volume.max=20", "-s3.port.iceberg=0", "-s3.port.lance=0"]
          + [f"-{name}={port}" for name, port in zip(names, ports)], "weed")
    s3_port = ports[6]
    [MOTO_PORT, AZURE_PORT] = free_ports(2)
    start([ENGINES / "python/bin/moto_server", "-H", "127.0.0.1", "-p", str(MOTO_PORT)], "moto")
    start([ENGINES / "node_modules/.bin/azurite-blob", "--silent", "--skipApiVersionCheck", "--inMemoryPersistence",
           "--blobPort", str(AZURE_PORT)], "azurite")
    for port in (s3_port, MOTO_PORT, AZURE_PORT):
        wait_for_port(port)
    PROXY = Proxy(s3_port)
    S3 = client_of(s3_port)
    MOTO = client_of(MOTO_PORT)
    for attempt in range(60):
        try:
            S3.create_bucket(Bucket="lab")
            S3.put_object(Bucket="lab", Key="ready", Body=b"1")
            break
        except botocore.exceptions.ClientError:
            time.sleep(0.5)
    MOTO.create_bucket(Bucket="lab")
    AZURE = BlobServiceClient(f"http://127.0.0.1:{AZURE_PORT}/{ACCOUNT}", credential=ACCOUNT_KEY)
    AZURE.create_container("lab")


def client_of(port):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=KEY,
                        aws_secret_access_key=SECRET, region_name="us-east-1")


def environment(machine, store="weed", **more):
    """The variables on a machine: a folder of its own for everything that the program keeps."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    kept["DERMAGAN_CACHE"] = str(WORK / "machines" / machine)
    kept["DERMAGAN_CLOUD_WAIT"] = "120"
    port = MOTO_PORT if store == "moto" else PROXY.port
    kept |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    kept |= {"AZURE_STORAGE_ACCOUNT": ACCOUNT, "AZURE_STORAGE_KEY": ACCOUNT_KEY,
             "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{AZURE_PORT}/{ACCOUNT}"}
    return {name: value for name, value in (kept | more).items() if value is not None}


def begin(arguments, machine="a", **more):
    folder = WORK / "desks" / machine
    folder.mkdir(parents=True, exist_ok=True)
    child = subprocess.Popen([PROGRAM, *map(str, arguments)], cwd=folder, env=environment(machine, **more), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    CHILDREN.append(child)
    return child


def run(arguments, machine="a", code=0, **more):
    child = begin(arguments, machine, **more)
    words, _ = child.communicate(timeout=300)
    assert child.returncode == code, f"{arguments}: exit code {child.returncode}, expected {code}\n{words}"
    for secret in (SECRET, ACCOUNT_KEY, "panicked"):
        assert secret not in words, f"{arguments}: {secret} in\n{words}"
    return words


def objects(prefix, client=None, bucket="lab"):
    """The objects below a prefix by their names after it."""
    client, found = client or S3, {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            found[item["Key"][len(prefix):]] = body
    return found


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reproducible(run):
    """The files of a run that are equal in equal runs: without times and memory."""
    kept = (".safetensors", ".csv", ".gif")
    return {name: content for name, content in run.items()
            if name.endswith(kept) or name.startswith(("fakes", "reals"))}


def pointer(prefix, client=None):
    client = client or S3
    return json.loads(client.get_object(Bucket="lab", Key=f"{prefix}latest.json")["Body"].read())


def uninterrupted():
    """A run on this machine alone, for comparison."""
    folder = WORK / "desks/local/runs"
    if not folder.exists():
        run([*TRAIN, *LENGTH, "--outdir", "runs"], "local")
    return reproducible(files(next(folder.iterdir())))


def check_equal(found, expected):
    assert found.keys() == expected.keys(), f"{sorted(found)} instead of {sorted(expected)}"
    other = [name for name in expected if found[name] != expected[name]]
    assert not other, f"{other} differ"


def test_a_kill_during_an_upload_and_a_resume_elsewhere_give_the_same_bytes():
    expected = uninterrupted()
    for number, part in enumerate(["checkpoint-", "generator"]):
        outdir = f"s3://lab/kill{number}"
        killed = threading.Event()
        child = begin([*TRAIN, *LENGTH, "--outdir", outdir], f"killed{number}")

        def kill(line):
            uploads = [seen for seen in PROXY.seen if f"kill{number}" in seen and "latest.json" in seen and "PUT" in seen]
            if part in line and len(uploads) >= 2 and not killed.is_set():
                killed.set()
                child.kill()

        PROXY.rate, PROXY.on_upload = 1_500_000, kill
        child.communicate(timeout=200)
        PROXY.rate, PROXY.on_upload = None, None
        assert killed.is_set(), "the run ended before it was killed"
        prefix = f"kill{number}/00000-phantom-tiny/"
        before = pointer(prefix)
        assert before["checkpoint"] in objects(prefix), (before, sorted(objects(prefix)))
        words = run(["train", "--resume", f"{outdir}/latest"], f"other{number}")
        assert f"run s3://lab/kill{number}/00000-phantom-tiny" in words, words
        assert "/cloud/" not in words, words
        found = objects(prefix)
        check_equal(reproducible(found), expected)
        after = pointer(prefix)
        assert after["checkpoint"] == "checkpoint-000002.400.safetensors", after["checkpoint"]
        assert sorted(after["files"]) == sorted(set(found) - {"latest.json"})
        mirrored = next(line for line in words.splitlines() if line.startswith("mirrored"))
        print(f"  killed while {part}… went up, at {before['checkpoint']}; resumed: {mirrored}")


def test_a_run_goes_on_while_the_store_is_away_for_a_minute():
    # Long enough for steps on both sides of the gap.
    child = begin([*TRAIN, "--width", "8", "--kimg", "16", "--snap", "0.5", "--tick", "1", "--outdir", "s3://lab/away"])
    lines, went, came = [], None, None
    for line in child.stdout:
        lines.append((time.time(), line.strip()))
        if went is None and "snapshot" in line and len(lines) > 8:
            went = time.time()
            PROXY.go_away()
            threading.Timer(60, PROXY.come_back).start()
    assert child.wait() == 0, lines
    words = "\n".join(line for _, line in lines)
    assert went is not None, words
    meanwhile = [line for at, line in lines if went + 1 < at < went + 59 and "snapshot" in line]
    assert len(meanwhile) >= 3, f"the run stood still:\n{words}"
    assert "warning: s3://lab/away" in words and "again" in words, words
    found = objects("away/00000-phantom-tiny/")
    run([*TRAIN, "--width", "8", "--kimg", "16", "--snap", "0.5", "--tick", "1", "--outdir", "away"], "local")
    check_equal(reproducible(found), reproducible(files(WORK / "desks/local/away/00000-phantom-tiny")))
    mirrored = next(line for _, line in lines if line.startswith("mirrored"))
    print(f"  {len(meanwhile)} snapshots while the store was away; {mirrored}")


def test_a_store_that_stays_away_is_an_error_and_the_same_machine_writes_the_rest_later():
    child = begin([*TRAIN, *LENGTH, "--outdir", "s3://lab/gone"], "gone", DERMAGAN_CLOUD_WAIT="3")
    words = ""
    for line in child.stdout:
        words += line
        if line.startswith("run s3://"):
            PROXY.go_away()
    assert child.wait() == 1, words
    local = re.search(r"Everything is in (\S+)\.", words)
    assert local and Path(local.group(1)).is_dir(), words
    assert "dermagan train --resume s3://lab/gone/00000-phantom-tiny" in words, words
    began = time.time()
    refused = run(["sample", "s3://lab/gone/latest", "--grid", "2x2"], "gone", code=1, DERMAGAN_CLOUD_WAIT="2")
    assert "cannot be used after" in refused and time.time() - began < 30, refused
    PROXY.come_back()
    run(["train", "--resume", "s3://lab/gone/00000-phantom-tiny"], "gone")
    check_equal(reproducible(objects("gone/00000-phantom-tiny/")), uninterrupted())


def test_wrong_credentials_and_a_missing_bucket_are_errors_before_any_work():
    wrong = {"AWS_SECRET_ACCESS_KEY": "another-secret-value"}
    for arguments in ([*TRAIN, *LENGTH, "--outdir", "s3://lab/no"], ["sample", "s3://lab/runs/latest"],
                      ["prepare", "s3://lab/data"], ["sample", "shipped", "-n", "1", "--out", "s3://lab/no.zip"]):
        began = time.time()
        words = run(arguments, "wrong", code=1, **wrong)
        assert "refuses access" in words and "AWS_SECRET_ACCESS_KEY" in words, words
        assert "another-secret-value" not in words and time.time() - began < 20, words
        words = run([text.replace("s3://lab", "s3://nobody") for text in arguments], "wrong", code=1)
        assert "no such bucket" in words or "no such object" in words, words
    words = run(["prepare", "az://lab/data"], "wrong", code=1, AZURE_STORAGE_KEY="d3Jvbmctd3Jvbmctd3Jvbmc=")
    assert "refuses access" in words and "d3Jvbmc" not in words, words
    words = run(["prepare", "az://nobody/data"], "wrong", code=1)
    assert "no such" in words, words
    words = run(["prepare", "s3://lab/../x"], "wrong", code=1)
    assert "SOURCE s3://lab/../x: " in words, words
    words = run(["trial", "--data", "phantom:60", "--state", "s3://lab/state"], "wrong", code=1)
    assert "must be on this machine" in words, words


def test_sets_caches_and_models_through(url="s3://lab/io"):
    io = url[:2]
    run(["sample", "shipped", "-n", "12", "--out", "set"], io)
    words = run(["sample", "shipped", "-n", "12", "--out", f"{url}/set"], io)
    assert f"in {url}/set" in words and "/cloud/" not in words, words
    # The same again changes nothing; another set is refused.
    run(["sample", "shipped", "-n", "12", "--out", f"{url}/set"], io)
    words = run(["sample", "shipped", "-n", "12", "--trunc", "0.5", "--out", f"{url}/set"], io, code=1)
    assert "other objects" in words or "different set" in words or "another object" in words, words
    # The header of a cache has the times of the files. Local copies have those of the objects.
    for path in (WORK / f"desks/{io}/set").iterdir():
        at = modified(f"{url}/{path.relative_to(WORK / f'desks/{io}')}").timestamp()
        os.utime(path, (at, at))
    run(["prepare", "set", "--keep-synthetic", "--out", "set.dermagan"], io)
    words = run(["prepare", f"{url}/set", "--keep-synthetic", "--out", f"{url}/set.dermagan"], f"{io}2")
    count = len(files(WORK / f"desks/{io}/set"))
    assert f"read {count} objects" in words, words
    words = run(["prepare", f"{url}/set", "--keep-synthetic", "--out", f"{url}/set.dermagan"], f"{io}2")
    assert "objects of" not in words, f"the files were read twice: {words}"
    local = files(WORK / f"desks/{io}")
    assert read(f"{url}/set.dermagan") == local["set.dermagan"], "the cache differs"
    for name, content in local.items():
        if name.startswith("set/"):
            assert read(f"{url}/{name}") == content, name
    numbers = ["-n", "40", "--features", "handmade", "--json", "--device", "cpu"]
    run(["sample", "shipped", "-n", "40", "--format", "zip", "--out", f"{url}/fake.zip"], io)
    (WORK / f"desks/{io}/fake.zip").write_bytes(read(f"{url}/fake.zip"))
    run(["prepare", "phantom:200", "--out", f"{url}/real.dermagan"], io)
    (WORK / f"desks/{io}/real.dermagan").write_bytes(read(f"{url}/real.dermagan"))
    here = run(["eval", "--real", "real.dermagan", "--fake", "fake.zip", *numbers], io)
    there = run(["eval", "--real", f"{url}/real.dermagan", "--fake", f"{url}/fake.zip", *numbers,
                 "--save-features", f"{url}/features.npz"], io)
    values = lambda text: json.loads(text[text.index("{"):text.rindex("}") + 1])
    assert values(here)["features"] == values(there)["features"], there
    assert read(f"{url}/features.npz")[:2] == b"PK"
    run([*TRAIN, *LENGTH, "--outdir", f"{url}/runs"], io)
    run(["export", "--outdir", f"{url}/runs", "--out", f"{url}/g.onnx"], f"{io}3")
    run(["sample", f"{url}/runs/latest", "--grid", "2x2", "--out", f"{url}/grid.png"], f"{io}3")
    assert read(f"{url}/grid.png")[1:4] == b"PNG" and b"z" in read(f"{url}/g.onnx")
    models = WORK / f"machines/{io}3/cloud"
    assert not list(models.rglob("checkpoint-*")), "a generator was read with its checkpoints"
    words = run(["info", f"{url}/runs/latest"], f"{io}3")
    assert "2.4" in words, words
    # A run whose images are in the store finds them again on another machine.
    run(["train", "--data", f"{url}/set.dermagan", "--preset", "tiny", "--size", "64", "--all-images", "--width", "4", "--batch",
         "4", "--kimg", "0.1", "--device", "cpu", "--outdir", f"{url}/more"], io)
    run(["train", "--resume", f"{url}/more/latest", "--kimg", "0.2"], f"{io}4")


def test_sets_caches_and_models_through_azure():
    test_sets_caches_and_models_through("az://lab/io")


def read(url):
    scheme, rest = url.split("://")
    bucket, key = rest.split("/", 1)
    if scheme == "s3":
        return S3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return AZURE.get_blob_client(bucket, key).download_blob().readall()


def modified(url):
    scheme, rest = url.split("://")
    bucket, key = rest.split("/", 1)
    if scheme == "s3":
        return S3.head_object(Bucket=bucket, Key=key)["LastModified"]
    return AZURE.get_blob_client(bucket, key).get_blob_properties().last_modified


def test_a_killed_run_on_azure_is_resumed_elsewhere():
    child = begin([*TRAIN, *LENGTH, "--outdir", "az://lab/kill"], "az1")
    for line in child.stdout:
        if "fakes000001.png" in line:
            child.kill()
    child.wait()
    run(["train", "--resume", "az://lab/kill/latest"], "az2")
    container = AZURE.get_container_client("lab")
    prefix = "kill/00000-phantom-tiny/"
    found = {blob.name[len(prefix):]: container.download_blob(blob.name).readall()
             for blob in container.list_blobs(name_starts_with=prefix)}
    check_equal(reproducible(found), uninterrupted())


def test_numbers_of_runs_are_claimed_and_ctrl_c_leaves_a_run_that_goes_on():
    for store, client in (("weed", S3), ("moto", MOTO)):
        runs = [begin([*TRAIN, *LENGTH, "--outdir", "s3://lab/many"], f"many{store}{number}", store=store) for number in range(3)]
        words = [child.communicate(timeout=200)[0] for child in runs]
        assert all(child.returncode == 0 for child in runs), "\n".join(words)
        found = objects("many/", client)
        names = {name.split("/")[0] for name in found if name.endswith("latest.json")}
        assert names == {f"{number:05}-phantom-tiny" for number in range(3)}, names
        assert {name for name in found if name.startswith("claims/")} == {f"claims/{number:05}" for number in range(3)}
    child = begin([*TRAIN, *LENGTH, "--outdir", "s3://lab/stop"], "stop", store="moto")
    words = ""
    for line in child.stdout:
        words += line
        if "fakes000001.png" in line:
            child.send_signal(signal.SIGINT)
    assert child.wait() == 130, words
    assert "resume it with: dermagan train --resume s3://lab/stop/00000-phantom-tiny" in words, words
    run(["train", "--resume", "s3://lab/stop/latest"], "stop2", store="moto")
    found = reproducible(objects("stop/00000-phantom-tiny/", MOTO))
    expected = uninterrupted()
    assert found["generator.safetensors"] == expected["generator.safetensors"]
    last = "checkpoint-000002.400.safetensors"
    assert found[last] == expected[last]


def test_a_second_process_that_resumes_a_run_stops_the_first():
    child = begin([*TRAIN, "--width", "8", "--kimg", "200", "--snap", "1", "--tick", "1", "--outdir", "s3://lab/two"], "two1")
    words, stopped = "", False
    for line in child.stdout:
        words += line
        if not stopped and "fakes000003.png" in line:
            stopped = True
            # A machine that stands still for a while.
            child.send_signal(signal.SIGSTOP)
            run(["train", "--resume", "s3://lab/two/latest", "--kimg", "12"], "two2")
            child.send_signal(signal.SIGCONT)
    assert child.wait() == 1, words
    assert "another process has gone on with this run" in words, words
    assert pointer("two/00000-phantom-tiny/")["checkpoint"] == "checkpoint-000012.safetensors", words
    elsewhere = run(["train", "--resume", "s3://lab/two/00000-phantom-tiny/checkpoint-000011.safetensors", "--kimg", "13"], "two3")
    assert "finished 13" in elsewhere, elsewhere
    after = pointer("two/00000-phantom-tiny/")
    assert after["checkpoint"] == "checkpoint-000013.safetensors", after["checkpoint"]
    assert "checkpoint-000012.safetensors.superseded" in after["files"], sorted(after["files"])


def main():
    wanted = sys.argv[3:]
    tests = [(name, test) for name, test in list(globals().items()) if name.startswith("test_")]
    tests = [(name, test) for name, test in tests if not wanted or any(word in name for word in wanted)]
    assert tests, f"no test is called {wanted}"
    failed, began = [], time.time()
    # So that the programs below are ended then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        begin_engines()
        print(f"the stores are up after {time.time() - began:.1f} s", flush=True)
        for name, test in tests:
            start_of_test = time.time()
            try:
                test()
                print(f"passed in {time.time() - start_of_test:5.1f} s: {name}", flush=True)
            except Exception:
                failed.append(name)
                PROXY.come_back()
                PROXY.rate, PROXY.on_upload = None, None
                print(f"FAILED: {name}", flush=True)
                traceback.print_exc(file=sys.stdout)
    finally:
        for child in CHILDREN:
            child.kill()
            child.wait()
    if failed:
        sys.exit(f"{len(failed)} of {len(tests)} tests failed; the logs of the stores are in {WORK}")
    shutil.rmtree(WORK)
    print(f"{len(tests)} tests passed in {time.time() - began:.0f} s")


main()

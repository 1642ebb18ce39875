import dataclasses
import functools
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dlx.data import download
from dlx.data.download import Published, read_files
from dlx.errors import RequestError

CONTENT = {"images": b"\x00\x01\x02" * 1000, "labels": b"\x03" * 10}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 5)


@pytest.fixture
def server():
    """A loopback server of `server.files`, path to content, that notes what was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            time.sleep(self.server.seconds)
            content = self.server.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.files, http.asked, http.seconds = {}, [], 0.0
        http.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=functools.partial(http.serve_forever, poll_interval=0.01))
        thread.start()
        yield http
        http.shutdown()
        thread.join()


@pytest.fixture
def gzipped(server):
    """Two files, each in a .gz of its own, as MNIST is published."""
    packed = {name: gzip.compress(content, mtime=0) for name, content in CONTENT.items()}
    server.files |= {f"/{name}.gz": content for name, content in packed.items()}
    files = {name: f"sha256:{sha256(content)}" for name, content in CONTENT.items()}
    archives = {f"Set/raw/{name}.gz": f"sha256:{sha256(content)}" for name, content in packed.items()}
    return Published("set", "Set/raw", files, archives, (server.url,))


def pack(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def tarred(server):
    """Two files in one .tar.gz, as CIFAR-10 is published, with a name that would climb out of the folder."""
    members = {f"batches/{name}": content for name, content in CONTENT.items()}
    packed = pack({**members, "batches/../../climbed": b"x", "batches/readme.html": b"hello"})
    server.files["/set.tar.gz"] = packed
    files = {
        name: f"md5:{hashlib.md5(content).hexdigest()}" for name, content in CONTENT.items()
    }  # as torchvision lists them
    return Published("set", "batches", files, {"set.tar.gz": f"sha256:{sha256(packed)}"}, (server.url,))


def place(folder, content=CONTENT):
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def as_bytes(contents):
    return {name: content.tobytes() for name, content in contents.items()}


def test_complete_files_are_read_without_a_download_and_nothing_is_written(tmp_path, gzipped, server):
    place(tmp_path / "Set" / "raw")
    before = sorted(tmp_path.rglob("*"))
    assert as_bytes(read_files(gzipped, tmp_path)) == CONTENT
    assert server.asked == []
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_files_are_downloaded_unpacked_and_kept_where_torchvision_keeps_them(
    tmp_path, gzipped, server
):
    assert as_bytes(read_files(gzipped, tmp_path / "root")) == CONTENT
    kept = {path.name: path.read_bytes() for path in (tmp_path / "root" / "Set" / "raw").iterdir()}
    assert kept == CONTENT
    read_files(gzipped, tmp_path / "root")
    assert sorted(server.asked) == ["/images.gz", "/labels.gz"]


def test_a_tar_is_unpacked_only_into_its_own_folder(tmp_path, tarred):
    assert as_bytes(read_files(tarred, tmp_path / "root")) == CONTENT
    kept = {path.name: path.read_bytes() for path in (tmp_path / "root" / "batches").iterdir()}
    assert kept == {**CONTENT, "readme.html": b"hello"}
    assert list(tmp_path.rglob("climbed")) == []
    assert not (tmp_path / "root" / "set.tar.gz").exists()


@pytest.mark.parametrize("damage", [b"", CONTENT["images"][:-1], CONTENT["images"][:-1] + b"\xff"])
def test_only_the_damaged_file_is_replaced(tmp_path, gzipped, server, damage):
    place(tmp_path / "Set" / "raw", {**CONTENT, "images": damage})
    assert as_bytes(read_files(gzipped, tmp_path)) == CONTENT
    assert server.asked == ["/images.gz"]


def test_archives_placed_by_hand_are_used_and_kept(tmp_path, gzipped, server):
    packed = {f"{name}.gz": server.files[f"/{name}.gz"] for name in CONTENT}
    place(tmp_path / "Set" / "raw", packed)
    assert as_bytes(read_files(gzipped, tmp_path)) == CONTENT
    assert server.asked == []
    assert (tmp_path / "Set" / "raw" / "images.gz").read_bytes() == packed["images.gz"]


def test_the_next_mirror_is_tried_when_one_is_down_or_serves_another_file(tmp_path, gzipped, server):
    server.files["/wrong/labels.gz"] = gzip.compress(b"an error page")
    mirrors = ("http://127.0.0.1:9", f"{server.url}/wrong", server.url)
    moved = dataclasses.replace(gzipped, mirrors=mirrors)
    assert as_bytes(read_files(moved, tmp_path)) == CONTENT
    assert server.asked == ["/wrong/images.gz", "/images.gz", "/wrong/labels.gz", "/labels.gz"]


def test_a_download_with_the_wrong_checksum_is_not_kept(tmp_path, gzipped, server):
    server.files["/images.gz"] = gzip.compress(b"something else")
    with pytest.raises(RequestError, match=r"lacks images, labels; .*hash"):
        read_files(gzipped, tmp_path)
    assert list((tmp_path / "Set" / "raw").iterdir()) == []


def test_an_archive_without_the_files_is_refused(tmp_path, tarred, server):
    packed = pack({"batches/images": CONTENT["images"]})
    server.files["/set.tar.gz"] = packed
    lacking = dataclasses.replace(tarred, archives={"set.tar.gz": f"sha256:{sha256(packed)}"})
    with pytest.raises(RequestError, match=r"lacks labels; .*do not contain"):
        read_files(lacking, tmp_path)


def test_the_offline_error_names_the_folder_the_files_and_what_to_do(tmp_path, gzipped):
    place(tmp_path / "Set" / "raw", {"labels": b"damaged"})
    with pytest.raises(RequestError) as caught:
        read_files(dataclasses.replace(gzipped, mirrors=("http://127.0.0.1:9",)), tmp_path)
    message = str(caught.value)
    assert f"data.name=set: {tmp_path / 'Set' / 'raw'} lacks images, labels (damaged);" in message
    assert "set data.root to the folder that holds Set/raw" in message
    assert "'dlx data prepare set data.root=FOLDER'" in message
    assert "\n" not in message


def test_an_unwritable_root_is_a_request_error(tmp_path, gzipped):
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=r"lacks images \(Not a directory\), .*Not a directory"):
        read_files(gzipped, tmp_path / "file")


def test_a_full_disk_raises_the_systems_own_error(tmp_path, gzipped, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        read_files(gzipped, tmp_path)


def test_a_file_that_was_half_written_when_the_disk_filled_up_is_written_again(tmp_path, gzipped, server):
    half = {"images": CONTENT["images"][:100], "images.gz": server.files["/images.gz"]}
    place(tmp_path / "Set" / "raw", half)
    assert as_bytes(read_files(gzipped, tmp_path)) == CONTENT
    assert server.asked == ["/labels.gz"]


def test_processes_that_start_together_download_once(tmp_path, gzipped, server):
    server.seconds = 0.5  # long enough for the others to come along
    code = (
        "from pathlib import Path; from dlx.data.download import Published, read_files; "
        f"read_files({gzipped!r}, Path({str(tmp_path)!r}))"
    )
    running = [subprocess.Popen([sys.executable, "-W", "error", "-c", code], stderr=-1) for _ in range(4)]
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert sorted(server.asked) == ["/images.gz", "/labels.gz"]

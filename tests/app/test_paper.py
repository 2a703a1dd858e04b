"""Pages as PDF, by the Chromium of this machine."""

from __future__ import annotations

import re
import shutil
import zlib
from pathlib import Path

import pytest
from tests.sdk.browser.conftest import missing

from paribus.app import paper
from paribus.errors import InputError, NotFound, StorageError

PAGE = "<!doctype html><title>t</title><style>@page{size:A4}h1{break-before:page}</style><p>one</p><h1>two</h1>"


def test_without_chromium_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound) as raised:
        paper.print_pdf(PAGE, tmp_path / "page.pdf")
    assert "chromium" in str(raised.value.fix)
    assert not (tmp_path / "page.pdf").exists()


def test_a_program_that_prints_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho it broke >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(StorageError) as raised:
        paper.print_pdf(PAGE, tmp_path / "page.pdf")
    assert raised.value.rule == "it broke"


@pytest.fixture(scope="module")
def chromium() -> None:
    if paper.browser() is None:
        missing("Chromium")


@pytest.mark.usefixtures("chromium")
def test_a_page_is_printed_with_its_breaks(tmp_path: Path) -> None:
    made = paper.print_pdf(PAGE, tmp_path / "new" / "page.pdf").read_bytes()
    assert made.startswith(b"%PDF")
    plain = made + b"".join(_inflated(each) for each in re.findall(rb"stream\r?\n(.*?)endstream", made, re.DOTALL))
    assert len(re.findall(rb"/Type\s*/Page\b", plain)) == 2
    assert any(box in plain for box in (b"594.95", b"595 ", b"594.96", b"595.27"))  # A4 is 595 points wide


@pytest.mark.usefixtures("chromium")
def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        paper.print_pdf(PAGE, tmp_path / "file" / "page.pdf")


def test_the_browser_is_looked_for_on_the_path() -> None:
    assert (paper.browser() is None) == all(shutil.which(name) is None for name in paper.PROGRAMS)


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream.strip(b"\r\n"))
    except zlib.error:
        return b""

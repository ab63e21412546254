from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner

from launcher.setup.certificates import certificates_app

NOW = datetime.now(UTC)


@pytest.fixture
def root() -> trustme.CA:
    return trustme.CA()


def pem(folder: Path, name: str, *blobs: trustme.Blob) -> Path:
    (folder / name).write_bytes(b"".join(blob.bytes() for blob in blobs))
    return folder / name


def check(certificate: Path, authorities: Path, *more: object) -> tuple[int, str]:
    arguments = ["check", certificate, "--ca-file", authorities, *more]
    result = CliRunner().invoke(certificates_app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_chain_may_have_its_middle_in_either_file_and_its_end_in_the_authorities(tmp_path: Path, root: trustme.CA):
    issuing = root.create_child_ca()
    issued = issuing.issue_cert("participant")
    alone = pem(tmp_path, "alone.pem", issued.private_key_pem, issued.cert_chain_pems[0])
    whole = pem(tmp_path, "whole.pem", issued.private_key_pem, issued.cert_chain_pems[0], issuing.cert_pem)
    both = pem(tmp_path, "both.pem", issuing.cert_pem, root.cert_pem)
    only_root = pem(tmp_path, "root.pem", root.cert_pem)
    assert check(alone, both)[0] == check(whole, only_root)[0] == check(whole, both)[0] == 0

    status, told = check(alone, only_root)
    assert status == 1
    assert told.startswith(f"{alone}: the certificate of ")
    assert told.endswith("is missing\n")


def test_an_authority_that_the_certificate_brings_itself_is_not_trusted(tmp_path: Path, root: trustme.CA):
    issued = root.issue_cert("participant")
    whole = pem(tmp_path, "whole.pem", issued.private_key_pem, issued.cert_chain_pems[0], root.cert_pem)
    status, told = check(whole, pem(tmp_path, "other.pem", trustme.CA().cert_pem))
    assert status == 1
    assert told.endswith("is not among the authorities\n")


@pytest.mark.parametrize(("begins", "ends", "says"), [(-9, -1, "ended on"), (1, 9, "is not valid before")])
def test_each_link_has_to_be_valid_now(tmp_path: Path, root: trustme.CA, begins: int, ends: int, says: str):
    days = (NOW + timedelta(days=each) for each in (begins, ends))
    issued = root.issue_cert("participant", **dict(zip(("not_before", "not_after"), days, strict=True)))
    own = pem(tmp_path, "own.pem", issued.private_key_pem, issued.cert_chain_pems[0])
    status, told = check(own, pem(tmp_path, "root.pem", root.cert_pem))
    assert status == 1
    assert says in told


def test_a_key_that_is_not_its_own_is_told_with_its_file(tmp_path: Path, root: trustme.CA):
    own = pem(tmp_path, "own.pem", root.issue_cert("participant").cert_chain_pems[0])
    other = pem(tmp_path, "other.key", root.issue_cert("other").private_key_pem)
    authorities = pem(tmp_path, "root.pem", root.cert_pem)
    for more, says in ((), "no private key"), (("--key-file", other), "the key does not belong"):
        status, told = check(own, authorities, *more)
        assert (status, says in told) == (1, True)


def test_what_is_no_pem_is_told_with_its_file(tmp_path: Path, root: trustme.CA):
    (tmp_path / "none.pem").write_text("nothing")
    status, told = check(tmp_path / "none.pem", pem(tmp_path, "root.pem", root.cert_pem))
    assert status == 1
    assert told.startswith(f"{tmp_path / 'none.pem'}: is not a PEM with certificates")

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from typer.testing import CliRunner

from launcher.setup.authority import Authority
from launcher.setup.certificates import certificates_app

NOW = datetime.now(UTC)
EXAMPLE = Path(__file__).parents[4] / "config" / "dotbus.example.toml"


def run(*arguments: object, typed: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(certificates_app, [str(argument) for argument in arguments], input=typed)
    return result.exit_code, result.output


@pytest.fixture
def pfx(tmp_path: Path) -> Path:
    pem = Authority.create(NOW).issue_client("participant", NOW).pem
    path = tmp_path / "participant.pfx"
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"participant",
            serialization.load_pem_private_key(pem, None),  # type: ignore[arg-type]
            x509.load_pem_x509_certificate(pem),
            None,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    return path


def test_convert_asks_for_the_password_and_shows_what_it_wrote(tmp_path: Path, pfx: Path):
    status, output = run("convert", pfx, tmp_path / "out.pem", typed="secret\n")

    assert status == 0, output
    assert stat.S_IMODE((tmp_path / "out.pem").stat().st_mode) == 0o600
    assert "CN=participant" in output
    assert "398 days left" in output
    assert "secret" not in output


def test_convert_takes_the_password_from_a_file(tmp_path: Path, pfx: Path):
    (tmp_path / "password").write_text("secret\n")

    assert run("convert", pfx, tmp_path / "out.pem", "--password-file", tmp_path / "password")[0] == 0


def test_convert_with_a_wrong_password_writes_nothing_and_says_why_in_one_line(tmp_path: Path, pfx: Path):
    status, output = run("convert", pfx, tmp_path / "out.pem", typed="wrong\n")

    assert status == 1
    assert output.splitlines()[-1] == f"{pfx}: cannot be opened: the password is wrong, or it is not PKCS#12"
    assert not (tmp_path / "out.pem").exists()


def test_convert_finds_a_missing_file_before_it_asks_for_a_password(tmp_path: Path):
    status, output = run("convert", tmp_path / "none.pfx", tmp_path / "out.pem", typed="secret\n")

    assert status == 2
    assert "does not exist" in output
    assert "Password" not in output


def test_convert_replaces_a_key_that_may_be_in_use_only_when_told_to(tmp_path: Path, pfx: Path):
    target = tmp_path / "out.pem"
    target.write_text("the old one")

    status, output = run("convert", pfx, target, typed="secret\n")
    assert (status, target.read_text()) == (1, "the old one")
    assert "--force replaces it" in output
    assert run("convert", pfx, target, "--force", typed="secret\n")[0] == 0
    assert "BEGIN CERTIFICATE" in target.read_text()


@pytest.mark.parametrize("password", [b"\xe9t\xe9\n", b"\xff\xfes\0e\0c\0"])
def test_convert_says_of_a_password_file_that_is_no_utf_8_what_it_must_be(tmp_path: Path, pfx: Path, password: bytes):
    file = tmp_path / "password"
    file.write_bytes(password)

    status, output = run("convert", pfx, tmp_path / "out.pem", "--password-file", file)

    assert (status, output) == (1, f"{file}: is no text in UTF-8; store the password in it as such, and nothing else\n")
    assert not (tmp_path / "out.pem").exists()


def test_convert_takes_a_password_file_that_begins_with_a_byte_order_mark(tmp_path: Path, pfx: Path):
    (tmp_path / "password").write_bytes(b"\xef\xbb\xbfsecret\r\n")

    assert run("convert", pfx, tmp_path / "out.pem", "--password-file", tmp_path / "password")[0] == 0


@pytest.mark.parametrize("way", ["the same name", "another spelling", "a symbolic link", "a hard link"])
@pytest.mark.parametrize("given", ["participant.pfx", "password"])
def test_convert_never_overwrites_what_it_reads_even_when_told_to(tmp_path: Path, pfx: Path, way: str, given: str):
    password, before = tmp_path / "password", pfx.read_bytes()
    password.write_text("secret")
    target = tmp_path / given
    match way:
        case "another spelling":
            target = tmp_path / ".." / tmp_path.name / given
        case "a symbolic link":
            (tmp_path / "link").symlink_to(given)
            target = tmp_path / "link"
        case "a hard link":
            (tmp_path / "link").hardlink_to(target)
            target = tmp_path / "link"

    status, output = run("convert", pfx, target, "--force", "--password-file", password)

    assert status == 1
    assert "would be lost; name another file" in output
    assert (pfx.read_bytes(), password.read_text()) == (before, "secret")


def test_show_tells_what_is_in_a_file_or_that_it_is_not_one(tmp_path: Path):
    assert run("init", tmp_path / "credentials", "--config", EXAMPLE)[0] == 0

    status, output = run("show", tmp_path / "credentials" / "mosquitto" / "server.pem")

    assert status == 0
    assert "mosquitto, localhost, 127.0.0.1" in output
    assert "in this file" in output
    status, output = run("show", EXAMPLE)
    assert status == 1
    assert output.startswith(f"{EXAMPLE}: is not a PEM with certificates; `dotbus certificates convert`")


def test_init_says_what_it_made_and_the_second_time_that_it_made_nothing(tmp_path: Path):
    first, second = (run("init", tmp_path / "credentials", "--config", EXAMPLE) for _ in range(2))

    assert "authority/authority.pem" in first[1]
    assert second == (0, "credentials: 0 files made, the others are as they were\n")


def test_init_with_a_wrong_configuration_tells_every_mistake_and_makes_nothing(tmp_path: Path):
    wrong = tmp_path / "dotbus.toml"
    wrong.write_text('environment = "moon"\n')

    status, output = run("init", tmp_path / "credentials", "--config", wrong)

    assert status == 2
    assert "environment" in output
    assert "plant" in output
    assert not (tmp_path / "credentials").exists()


@pytest.mark.parametrize("owner", ["mosquitto", "mosquitto=root", "broker=1883"])
def test_init_refuses_an_owner_that_it_does_not_understand(tmp_path: Path, owner: str):
    status, output = run("init", tmp_path / "credentials", "--config", EXAMPLE, "--owner", owner)

    assert status == 2
    assert "PART=UID" in output


def test_a_real_plant_without_a_certificate_is_told_where_to_name_one(tmp_path: Path):
    config = tmp_path / "dotbus.toml"
    config.write_text(EXAMPLE.read_text().replace('environment = "simulator"', 'environment = "stage"', 1))

    status, output = run("init", tmp_path / "made", "--config", config)

    assert status == 0, output
    assert "no certificate towards the ADS of stage was given" in output
    assert "DOTBUS_ADS_CERTIFICATE" in output
    assert "no certificate" not in run("init", tmp_path / "other", "--config", EXAMPLE)[1]


def test_a_place_that_cannot_be_written_is_told_without_a_number(tmp_path: Path, pfx: Path):
    nowhere = tmp_path / "none" / "out.pem"

    status, output = run("convert", pfx, nowhere, typed="secret\n")

    assert status == 1
    assert output.splitlines()[-1].startswith(str(nowhere.parent))
    assert output.splitlines()[-1].endswith("cannot be written: No such file or directory")


def test_a_given_ads_certificate_that_is_unusable_is_told(tmp_path: Path):
    status, output = run("init", tmp_path / "credentials", "--config", EXAMPLE, "--ads-certificate", EXAMPLE)

    assert status == 1
    assert output.startswith("the certificate towards ADS is not a PEM with certificates; ")

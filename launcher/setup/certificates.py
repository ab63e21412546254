"""`dotbus certificates`: make an installation's credentials, convert CAISO's, look at one, and check its chain."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from cryptography import x509

from caiso.certificate import CertificateUnusable, read_expiry
from dotbus.contracts.messages import Environment
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.process import command_line, load_or_exit
from launcher.setup.chain import chain_of, chain_problems
from launcher.setup.credentials import (
    CertificateFacts,
    CredentialRefused,
    certificates_of,
    describe_pem,
    pem_of_pkcs12,
    write_secret,
)
from launcher.setup.provision import FOLDERS, CaisoCredentials, OtherEnvironment, Provision

_NO_CERTIFICATE: Final = (
    "ads_ingest starts only with one (DOTBUS_ADS_CERTIFICATE in .env, or --ads-certificate), or with a file of several accounts"
)

certificates_app = command_line("Certificates, keys, passwords: make, convert, look at them.", no_args_is_help=True)


@certificates_app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where they go, one folder per part.", metavar="DIR")],
    config: Annotated[Path, typer.Option(help="dotbus.toml: its plants and topics.", readable=False)] = Path(
        "config/dotbus.example.toml"
    ),
    ads_certificate: Annotated[
        Path | None,
        typer.Option(
            help="The PEM towards CAISO's ADS, as `convert` writes it. Without: one for the simulator.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    ads_ca: Annotated[Path | None, typer.Option(help="CAISO's root and issuing CA, PEM.", exists=True, dir_okay=False)] = None,
    broker_name: Annotated[
        list[str] | None, typer.Option(help="A name or address by which the broker is also reached. Repeat, or use commas.")
    ] = None,
    api_name: Annotated[
        list[str] | None, typer.Option(help="A name or address by which the API is also reached. Repeat, or use commas.")
    ] = None,
    console_name: Annotated[
        list[str] | None, typer.Option(help="A name or address by which the console is also reached. Repeat, or use commas.")
    ] = None,
    owner: Annotated[list[str] | None, typer.Option(help="PART=UID: who shall own a part's files. Repeat.")] = None,
    *,
    may_become_simulated: Annotated[
        bool, typer.Option("--may-become-simulated", help="Make a real plant's credentials into those of a simulation.")
    ] = False,
) -> None:
    """Make the credentials that are missing. A private CA, server certificates, passwords, the broker's access list."""
    installation = load_or_exit(lambda: load_installation(config))
    provision = Provision(
        folder,
        _owners(owner or []),
        _names(broker_name),
        _names(api_name),
        _names(console_name),
        may_become_simulated=may_become_simulated,
    )
    try:
        provision.run(installation, CaisoCredentials(_content(ads_certificate), _content(ads_ca)), datetime.now(UTC))
    except (CredentialRefused, OtherEnvironment, OSError, ValueError) as error:
        _fail(_told(error), error)
    for path in provision.changed:
        typer.echo(f"made {path}")
    if ads_certificate is None and installation.environment is not Environment.SIMULATOR:
        typer.echo(f"no certificate towards the ADS of {installation.environment} was given: {_NO_CERTIFICATE}", err=True)
    typer.echo(f"credentials: {len(provision.changed)} files made, the others are as they were")


def _names(given: list[str] | None) -> list[str]:
    return [name.strip() for one in given or [] for name in one.split(",") if name.strip()]


@certificates_app.command()
def convert(
    source: Annotated[
        Path,
        typer.Argument(help="What CAISO gave: .pfx or .p12.", metavar="IN.pfx", exists=True, dir_okay=False),
    ],
    target: Annotated[Path, typer.Argument(help="The PEM to write, readable by its owner only.", metavar="OUT.pem")],
    password_file: Annotated[
        Path | None,
        typer.Option(help="Holds the password. Without: you are asked.", exists=True, dir_okay=False),
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the PEM when it is there.")] = False,
) -> None:
    """Make one PEM (key, certificate, chain) of a PKCS#12 file."""
    for given in (source, password_file):
        if given and target.exists() and target.samefile(given):
            _fail(f"{target} is {given} itself, which would be lost; name another file to write")
    if target.exists() and not force:
        _fail(f"{target} is there already and may hold a key that is in use; --force replaces it")
    if password_file:
        password = _password_in(password_file)
    else:
        password = typer.prompt(f"Password of {source.name}", hide_input=True, default="", show_default=False)
    try:
        content = pem_of_pkcs12(source.read_bytes(), password)
        write_secret(target, content)
    except (CredentialRefused, OSError) as error:
        _fail(f"{source}: {error}" if isinstance(error, CredentialRefused) else _told(error), error)
    typer.echo(f"wrote {target}; it holds a private key without passphrase, mode 0600")
    _tell(describe_pem(content))


@certificates_app.command()
def show(file: Annotated[Path, typer.Argument(help="A PEM file.", exists=True, dir_okay=False)]) -> None:
    """Tell whose certificates a file has. Until when they hold, too, and whether their key is there."""
    try:
        found = describe_pem(file.read_bytes())
    except (CredentialRefused, OSError) as error:
        _fail(f"{file}: {error}" if isinstance(error, CredentialRefused) else str(error), error)
    _tell(found)


@certificates_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The PEM with the certificate first.", exists=True, dir_okay=False)],
    ca_file: Annotated[
        Path,
        typer.Option(
            envvar="ADS_INGEST_CA_FILE", help="The authorities: CAISO's root and issuing CA, PEM.", exists=True, dir_okay=False
        ),
    ],
    key_file: Annotated[
        Path | None,
        typer.Option(envvar="ADS_INGEST_KEY_FILE", help="Its key, unless in the same file.", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Tell whether a certificate's chain ends in an authority. And whether its key is there; status 1 when it is not so."""
    own, *above = _certificates_in(file)
    authorities = _certificates_in(ca_file)
    chain = chain_of(own, [*authorities, *above])
    problems = chain_problems(chain, authorities, datetime.now(UTC))
    try:
        read_expiry(file, key_file)
    except CertificateUnusable as error:
        problems.append(str(error))
    if problems:
        _fail("\n".join(f"{file}: {problem}" for problem in problems))
    typer.echo(f"{file}: {', issued by '.join(each.subject.rfc4514_string() for each in chain)}, which is in {ca_file}")


def _certificates_in(file: Path) -> list[x509.Certificate]:
    try:
        return certificates_of(file.read_bytes())
    except CredentialRefused as error:
        _fail(f"{file}: {error}", error)
    except OSError as error:
        _fail(f"{file}: cannot be read: {error.strerror}", error)


def _password_in(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except OSError as error:
        _fail(f"{file}: cannot be read: {error.strerror}", error)
    except UnicodeError as error:
        _fail(f"{file}: is no text in UTF-8; store the password in it as such, and nothing else", error)


def _tell(found: Iterable[CertificateFacts]) -> None:
    now = datetime.now(UTC)
    for facts in found:
        days = facts.days_left(now)
        typer.echo(f"subject  {facts.subject}")
        typer.echo(f"  issuer {facts.issuer}")
        if facts.names:
            typer.echo(f"  names  {', '.join(facts.names)}")
        typer.echo(f"  valid  {facts.begins_at:%Y-%m-%d %H:%MZ} to {facts.ends_at:%Y-%m-%d %H:%MZ} ({_left(days)})")
        typer.echo(f"  key    {'in this file' if facts.has_key else 'not in this file'}")


def _left(days: float) -> str:
    return f"{days:.0f} days left" if days >= 0 else f"ended {-days:.0f} days ago"


def _content(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


def _owners(given: list[str]) -> dict[str, int]:
    owners = {}
    for one in given:
        part, _, uid = one.partition("=")
        if part not in FOLDERS or not uid.isdigit():
            raise typer.BadParameter(f"{one!r} is not PART=UID with PART one of {', '.join(FOLDERS)}")
        owners[part] = int(uid)
    return owners


def _told(error: Exception) -> str:
    """A failure in words; the system's own begin with a number, and name the file last."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: cannot be written: {error.strerror}"
    return str(error)


def _fail(message: str, cause: BaseException | None = None) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1) from cause

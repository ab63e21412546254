"""`dotbus-simulator`: a CAISO on this machine."""

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.process import EXIT_FAILED, EXIT_REFUSED, Version, command_line, pass_over_other_signals
from dotbus.runtime.settings.mistakes import Collector, ConfigurationRefused
from dotbus.runtime.starting import CannotStart, packages_of

with packages_of("simulator"):
    from simulators.server import Simulator
    from simulators.settings import checked_settings


def _option(name: str, text: str, *, readable: bool = True) -> object:
    return typer.Option(envvar=f"SIMULATOR_{name}", help=text, show_default=True, readable=readable)


def run(
    config: Annotated[Path, _option("CONFIG", "The installation whose resources are dispatched.", readable=False)] = Path(
        "config/dotbus.toml"
    ),
    host: Annotated[str, _option("HOST", "Address to listen at.")] = "127.0.0.1",
    ads_port: Annotated[int, _option("ADS_PORT", "Port of ADS (HTTPS). 0 takes any, for all three.")] = 8447,
    oasis_port: Annotated[int, _option("OASIS_PORT", "Port of OASIS (HTTP).")] = 8448,
    admin_port: Annotated[int, _option("ADMIN_PORT", "Port of the simulator's own requests (HTTP).")] = 8449,
    interval_s: Annotated[int, _option("INTERVAL_S", "Length of a dispatch interval; CAISO's is 300.")] = 300,
    history_intervals: Annotated[int, _option("HISTORY_INTERVALS", "Intervals that were dispatched before the start.")] = 2,
    certificate: Annotated[Path, _option("CERTIFICATE", "Server certificate (PEM).")] = Path("server.pem"),
    key: Annotated[Path, _option("KEY", "Its private key (PEM).")] = Path("server.key"),
    client_ca: Annotated[Path, _option("CLIENT_CA", "CA of the client certificates that ADS admits (PEM).")] = Path("ca.pem"),
    read_only: Annotated[list[str] | None, _option("READ_ONLY", "Common name of a client that may not respond.")] = None,
    sees: Annotated[list[str] | None, _option("SEES", "NAME=PATTERN,PATTERN: the resources that one client sees.")] = None,
    oasis_spacing_s: Annotated[float, _option("OASIS_SPACING_S", "Least time between two requests to OASIS.")] = 5.0,
    group_delay_s: Annotated[float, _option("GROUP_DELAY_S", "Time until a GroupZip is ready.")] = 30.0,
    extra_nodes: Annotated[int, _option("EXTRA_NODES", "Nodes that OASIS has besides, for load tests.")] = 0,
    surprises: Annotated[bool, _option("SURPRISES", "Documents with the oddities of CAISO's samples.")] = True,  # noqa: FBT002
    hold_s: Annotated[float, _option("HOLD_S", "How long the fault 'timeout' says nothing.")] = 120.0,
    oversized_mb: Annotated[int, _option("OVERSIZED_MB", "How much the fault 'oversized' sends.")] = 100,
    seed: Annotated[int, _option("SEED", "The same seed gives the same dispatches and prices.")] = 1,
    version: Version = False,  # noqa: FBT002  # told by its own callback
) -> None:
    """A CAISO to run against: ADS (SOAP, mutual TLS) and OASIS (zips), with faults on demand."""
    options = {name: value for name, value in locals().items() if name != "version"}
    given = {**options, "read_only": tuple(read_only or ()), "sees": tuple(sees or ())}
    try:
        simulator = _simulator(given)
    except ConfigurationRefused as refused:
        for mistake in refused.mistakes:
            typer.echo(f"refused: {mistake}", err=True)
        raise typer.Exit(EXIT_REFUSED) from refused
    except CannotStart as failure:
        typer.echo(f"failed: {failure}", err=True)
        raise typer.Exit(EXIT_FAILED) from failure
    asyncio.run(_serve(simulator))


def _simulator(given: dict[str, object]) -> Simulator:
    """A simulator of these settings; what is wrong with them and with the installation's file is told together."""
    collector = Collector()
    settings = collector.load(lambda: checked_settings(**given))
    installation = collector.load(lambda: load_installation(Path(str(given["config"]))))
    collector.finish()
    if settings is None or installation is None:
        raise AssertionError("nothing was refused, and yet nothing was loaded")
    return Simulator(settings, installation, lambda: datetime.now(UTC))


async def _serve(simulator: Simulator) -> None:
    """Say where it is found, and serve until a signal to stop comes."""
    loop = asyncio.get_running_loop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(simulator.stop)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, on_signal)
    pass_over_other_signals()
    at = simulator.addresses
    for name, address in (("ADS", at.ads), ("ADS responses", at.ads_response), ("OASIS", at.oasis), ("admin", at.admin)):
        print(f"{name}: {address}", flush=True)  # noqa: T201 - whoever gave port 0 reads this
    await simulator.serve()


def main() -> None:
    """Entry point of the script."""
    app = command_line("")
    app.command()(run)
    app()


if __name__ == "__main__":
    main()

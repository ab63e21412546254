"""Who may say and hear what on the broker: Mosquitto's password file and access list, from the topics of an installation.

Least privilege: a service publishes its own topics and its own status, and hears what it works on. A plant hears its own
dispatch, prices, its alarms and those of no plant, and the services' status; it answers the instructions of its own resources,
says their telemetry and what was written, acknowledges its own alarms, and may run a gateway of its own, whose instance has the
plant's name. The gateway of all plants speaks for none. Who looks by hand hears all, and says nothing but commands to alarms;
the page for people says those and, for whoever has signed in there and may, answers to instructions.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dotbus.contracts.alarms import INSTALLATION
from dotbus.contracts.topics import EVENTS, REPLAY_ROOT, STATES, Subject, Topics, encode_name

ADS_INGEST, LMP_INGEST, MODBUS_GATEWAY, HISTORIAN = "ads_ingest", "lmp_ingest", "modbus_gateway", "historian"
ALARMS = "alarms"
SERVICES = (ADS_INGEST, LMP_INGEST, MODBUS_GATEWAY, HISTORIAN, ALARMS)
CONSOLE = "console"
CONSOLE_PAGE = "console_page"
"""Who looks by hand, and the console's process: each has a password of its own."""
REPLAY = "replay"

_OF_ADS = (Subject.DISPATCH, Subject.TRAJECTORY_BATCH, Subject.DOT, Subject.TRAJECTORY, Subject.INSTRUCTIONS, Subject.RESPONSE)
_OF_LMP = (Subject.PRICES, Subject.LMP)
_ITERATIONS = 20_000
_SALT_BYTES = 12  # what Mosquitto 2.0 expects; later versions take it too


@dataclass(frozen=True)
class BrokerUser:
    """One user of the broker: the filters of the topics that it may publish and may receive."""

    name: str
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


def broker_users(topics: Topics, plants: Sequence[str]) -> list[BrokerUser]:
    """Every user of an installation: the services, the console, whoever looks by hand, replays, each plant."""
    return [
        _answering(topics, _ingest(topics, ADS_INGEST, _OF_ADS)),
        _asked_for_history(topics, _ingest(topics, LMP_INGEST, _OF_LMP)),
        _gateway(topics),
        _historian(topics),
        _alarms(topics),
        BrokerUser(CONSOLE, writes=(topics.every(Subject.ALARM_COMMAND),), reads=(f"{topics.root}/#", "$SYS/#")),
        BrokerUser(
            CONSOLE_PAGE,
            writes=(topics.every(Subject.RESPOND), topics.every(Subject.ALARM_COMMAND)),
            reads=(f"{topics.root}/#",),
        ),
        *_replaying(topics),
        *(_plant(topics, plant) for plant in plants),
    ]


def plant_user(plant: str) -> str:
    """A plant's user name. A colon would end it in the password file."""
    return f"plant-{encode_name(plant).replace(':', '%3A')}"


def access_list(users: Iterable[BrokerUser]) -> str:
    """The text of Mosquitto's `acl_file`: what is not listed is forbidden."""
    return "\n".join(_entry(user) for user in users)


def hash_password(password: str) -> str:
    """A password as Mosquitto's password file keeps it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"$7${_ITERATIONS}${_base64(salt)}${_base64(_derive(password, salt, _ITERATIONS))}"


def is_hash_of(hashed: str, password: str) -> bool:
    """Whether `hash_password` (or mosquitto_passwd) made this from the password."""
    try:
        nothing, kind, iterations, salt, digest = hashed.split("$")
        derived = _derive(password, base64.b64decode(salt, validate=True), int(iterations))
        return (nothing, kind) == ("", "7") and hmac.compare_digest(derived, base64.b64decode(digest, validate=True))
    except ValueError:
        return False


def password_file(passwords: dict[str, str], before: str = "") -> str:
    """The text of Mosquitto's `password_file`. Lines of the file `before` that still hold are kept as they are."""
    known = dict(line.split(":", 1) for line in before.splitlines() if ":" in line)
    hashes = {
        name: known[name] if is_hash_of(known.get(name, ""), password) else hash_password(password)
        for name, password in passwords.items()
    }
    return "".join(f"{name}:{hashed}\n" for name, hashed in hashes.items())


def _ingest(topics: Topics, service: str, subjects: Iterable[Subject]) -> BrokerUser:
    replay = f"{_of_service(topics, service)}/{Subject.REPLAY}"
    reply = f"{_of_service(topics, service)}/{Subject.REPLAY_REPLY}"
    of_itself = (_of_service(topics, service), f"{_of_service(topics, service)}/{Subject.STREAM}")
    said = (*(topics.every(subject) for subject in subjects), f"{_of_service(topics, service)}/{Subject.GAP}")
    return BrokerUser(service, writes=(*said, *of_itself, reply), reads=(*of_itself, replay))


def _answering(topics: Topics, ingest: BrokerUser) -> BrokerUser:
    """An ingest that takes commands to answer instructions, says what became of them, and hears that of its other instances."""
    reply = topics.every(Subject.RESPOND_REPLY)
    hears = (topics.every(Subject.RESPOND), topics.every(Subject.RESPONSE))
    return replace(ingest, writes=(*ingest.writes, reply, f"{reply}/+"), reads=(*ingest.reads, *hears))


def _asked_for_history(topics: Topics, ingest: BrokerUser) -> BrokerUser:
    """An ingest that may be asked for the past: by its own command line, which is the same user, and by the historian's."""
    own = tuple(f"{_of_service(topics, ingest.name)}/{subject}" for subject in (Subject.BACKFILL, Subject.BACKFILL_REPLY))
    return replace(ingest, writes=(*ingest.writes, *own), reads=(*ingest.reads, *own))


def _gateway(topics: Topics) -> BrokerUser:
    """Whoever is the same user may have it read its file again."""
    hears = tuple(topics.every(subject) for subject in sorted(STATES - {Subject.STREAM, Subject.ALARM_STATE}))
    own = _of_service(topics, MODBUS_GATEWAY)
    reloads = tuple(f"{own}/{subject}" for subject in (Subject.RELOAD, Subject.RELOAD_REPLY))
    return BrokerUser(MODBUS_GATEWAY, writes=(own, *reloads), reads=(*hears, *reloads))


def _historian(topics: Topics) -> BrokerUser:
    """Its command `seed` has the past asked for."""
    seeds = f"{_of_service(topics, LMP_INGEST)}/{Subject.BACKFILL}"
    return BrokerUser(
        HISTORIAN,
        writes=(_of_service(topics, HISTORIAN), topics.every(Subject.REPLAY), seeds),
        reads=(*(topics.every(subject) for subject in sorted({*EVENTS, Subject.TELEMETRY})), f"{topics.root}/service/#"),
    )


def _alarms(topics: Topics) -> BrokerUser:
    """It numbers its events as an ingest does, judges by what all others say, and is commanded."""
    source = _ingest(topics, ALARMS, (Subject.ALARM_STATE, Subject.ALARM, Subject.ALARM_SUMMARY))
    reply = topics.every(Subject.ALARM_COMMAND_REPLY)
    own = (Subject.ALARM_STATE, Subject.ALARM_SUMMARY)  # it goes on from what another process left
    hears = (Subject.DOT, Subject.INSTRUCTIONS, Subject.TELEMETRY, Subject.SERVICE, Subject.GAP, Subject.ALARM_COMMAND, *own)
    says = tuple(one for one in source.writes if not one.endswith(f"/{Subject.GAP}"))
    return replace(
        source, writes=(*says, reply, f"{reply}/+"), reads=(*source.reads, *(topics.every(subject) for subject in hears))
    )


def _replaying(topics: Topics) -> list[BrokerUser]:
    """One user for whoever plays a day of the past and for the gateway that shows it. Its topics are no plant's."""
    of_replays = (f"{REPLAY_ROOT}/#",)
    return [] if topics.root == REPLAY_ROOT else [BrokerUser(REPLAY, writes=of_replays, reads=of_replays)]


def _plant(topics: Topics, plant: str) -> BrokerUser:
    of_plant = f"{topics.root}/plant/{encode_name(plant)}"
    gateway, stream = topics.service(MODBUS_GATEWAY, plant), topics.stream(MODBUS_GATEWAY, plant)
    reloads = topics.reload(MODBUS_GATEWAY, plant), topics.reload_reply(MODBUS_GATEWAY, plant)
    says = (f"{Subject.RESPOND}/+", f"{Subject.TELEMETRY}/+", Subject.WRITE)
    return BrokerUser(
        plant_user(plant),
        writes=(
            *(gateway, stream, topics.replay_reply(MODBUS_GATEWAY, plant), *reloads),
            *(f"{of_plant}/+/{subject}" for subject in says),
            f"{topics.alarms(plant)}/+/+/command/+",
        ),
        reads=(
            *(f"{of_plant}/#", stream, topics.replay(MODBUS_GATEWAY, plant), *reloads),
            *(f"{topics.alarms(plant)}/#", f"{topics.alarms(INSTALLATION)}/#"),
            *(topics.every(subject) for subject in (Subject.PRICES, Subject.LMP, Subject.SERVICE)),
        ),
    )


def _of_service(topics: Topics, service: str) -> str:
    return f"{topics.root}/service/{encode_name(service)}/+"


def _entry(user: BrokerUser) -> str:
    lines = [f"user {user.name}"]
    lines += [f"topic write {topic}" for topic in user.writes]
    lines += [f"topic read {topic}" for topic in user.reads]
    return "\n".join(lines) + "\n"


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()

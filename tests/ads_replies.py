"""ADS replies for tests, built without the product's own code."""

import base64
import gzip
from html import escape
from pathlib import Path

from caiso.ads.records import Question, Reply

SAMPLES = Path(__file__).parent / "fixtures" / "ads"
MEGABYTE = 1_000_000


def sample(name: str) -> bytes:
    """One of CAISO's documents."""
    return (SAMPLES / name).read_bytes()


def packed(xml: bytes) -> str:
    """Base64 of gzip, as getDispatchBatch and getTrajectoryData answer."""
    return base64.b64encode(gzip.compress(xml)).decode()


def escaped(xml: bytes) -> str:
    """Escaped XML, as getDispatchBatchesSinceUID and getBatchHeader answer."""
    return escape(xml.decode())


def envelope(operation: str, result: str) -> bytes:
    """A SOAP 1.1 reply with prefixes that no client should depend on."""
    return (
        '<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Header/>'
        f'<SOAP-ENV:Body><m:{operation}Response xmlns:m="urn-com-caiso-ads-webservices-api">'
        f"<result>{result}</result></m:{operation}Response></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def fault(text: str) -> bytes:
    """A SOAP 1.1 fault."""
    return (
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Server</faultcode>'
        f"<faultstring>{escape(text)}</faultstring><detail><trace>at line 1</trace></detail></S:Fault></S:Body></S:Envelope>"
    ).encode()


def reply(body: bytes, operation: str = "getDispatchBatch", batch_uid: str = "B1", status: int = 200) -> Reply:
    """A reply as the source hands it on."""
    return Reply(Question(operation, batch_uid), status, body)


def answer(xml: bytes, operation: str = "getDispatchBatch", batch_uid: str = "B1") -> Reply:
    """A good reply that carries a document."""
    pack = packed if operation in {"getDispatchBatch", "getTrajectoryData"} else escaped
    return reply(envelope(operation, pack(xml)), operation, batch_uid)

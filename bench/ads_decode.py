"""What a dispatch batch costs from the bytes of its reply to validated messages, as a multiple of what lxml needs for its XML.

The batch is CAISO's sample instruction a thousand times over, each with eight segments: SOAP, Base64, gzip and XML come off,
every element becomes a field, and the records become the messages of the bus. lxml parses the same XML and does no more.
Processor time counts, so that other work on the machine disturbs little.

    python bench/ads_decode.py [RESOURCES] [ROUNDS]
"""

import base64
import gzip
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from lxml import etree

from ads_ingest.translate import Sender, translate_dispatch
from caiso.ads import Question, Reply
from caiso.ads.documents import parse_dispatch_batch
from dotbus.runtime.installation.installation import Installation

SERVICES = ("SCHD", "SUPP", "RMPS", "SPIN", "NSPN", "HASE", "MSS", "RUPS")
BATCH = "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOUND_BYTES = 64 * 1024 * 1024
TARGET = 4.0
LXML, WHOLE = "lxml parses the XML", "reply to messages"


def segment(number: int, mw: float) -> str:
    """One segment, laid out as CAISO's sample is."""
    return f"""
          <instructionDetail segNo="{number}">
           <serviceType>{SERVICES[number - 1]}</serviceType>
           <mw>{mw:.2f}</mw>
          </instructionDetail>"""


def instruction(number: int) -> str:
    """The instruction of one resource, with the elements that CAISO's sample has."""
    dot_mw = 12.0 + number * 0.37
    segments = "".join(segment(n, dot_mw / n) for n in range(1, len(SERVICES) + 1))
    return f"""
    <instruction instructionUID="{BATCH}-I{number}">
       <batchUID> {BATCH} </batchUID>
       <resourceId>TEST_RESOURCE_{number}</resourceId>
       <startTime>2006-10-13T14:10:00Z</startTime>
       <dot>{dot_mw:.2f}</dot>
       <instructionType>0</instructionType>
       <preGoto>{dot_mw - 1.5:.2f}</preGoto>
       <bidDelay>0</bidDelay>
       <acceptDot>{dot_mw:.2f}</acceptDot>
       <apiValidated>2006-10-13T14:55:50Z</apiValidated>
       <apiValidatedBy>TEST_John Smith</apiValidatedBy>
       <revisionNumber>2</revisionNumber>
       <statusCode>3</statusCode>
       <hourlyMw>3.0</hourlyMw>
       <configurationId>TEST_RESOURCE_{number}_1x1</configurationId>
       <agcFlag>Y</agcFlag>
       <rmrFlag>N</rmrFlag>
       <detail>{segments}
       </detail>
    </instruction>"""


def document(resources: int) -> bytes:
    """A dispatch batch of so many resources."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<DispatchBatch xmlns="http://ads.caiso.com/api/schema/v6" batchUID="{BATCH}">
  <marketID>5MinDOT</marketID>
  <batchStatus>1</batchStatus>
  <batchReceived>2006-10-13T14:55:36Z</batchReceived>
  <batchType>0</batchType>
  <startTime>2006-10-13T14:10:00Z</startTime>
  <revisionNo>4</revisionNo>
  <instructions>{"".join(instruction(n) for n in range(resources))}
  </instructions>
</DispatchBatch>""".encode()


def replied(xml: bytes) -> Reply:
    """The reply that carries it."""
    result = base64.b64encode(gzip.compress(xml)).decode()
    body = (
        '<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"><E:Body><getDispatchBatchResponse>'
        f"<result>{result}</result></getDispatchBatchResponse></E:Body></E:Envelope>"
    )
    return Reply(Question("getDispatchBatch", BATCH), 200, body.encode())


def installation(resources: int) -> Installation:
    """One plant that has them all."""
    named = [{"id": f"TEST_RESOURCE_{number}"} for number in range(resources)]
    return Installation.model_validate({"environment": "simulator", "plant": [{"name": "bench", "resource": named}]})


def measure(steps: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The processor time of each step in each round, ms: in turns, so that what else the machine does falls on all."""
    took_ms: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, work in steps.items():
            began_s = time.process_time()
            work()
            took_ms[name].append((time.process_time() - began_s) * 1000)
    return took_ms


def main(resources: int = 1000, rounds: int = 20) -> None:
    """Measure and tell."""
    xml = document(resources)
    reply, sender = replied(xml), Sender(installation(resources), "ads_ingest/bench")
    record = parse_dispatch_batch(reply, BOUND_BYTES)
    took_ms = measure(
        {
            LXML: lambda: etree.fromstring(xml),
            "reply to records": lambda: parse_dispatch_batch(reply, BOUND_BYTES),
            "records to messages": lambda: translate_dispatch(record, sender, NOW),
            WHOLE: lambda: translate_dispatch(parse_dispatch_batch(reply, BOUND_BYTES), sender, NOW),
        },
        rounds,
    )
    megabytes = f"{len(xml) / 1e6:.2f} MB of XML, {len(reply.body) / 1e6:.2f} MB packed"
    print(f"{resources} resources, {len(SERVICES)} segments each: {megabytes}")
    median_ms = {name: statistics.median(each_ms) for name, each_ms in took_ms.items()}
    for name, each_ms in took_ms.items():
        multiple = median_ms[name] / median_ms[LXML]
        print(f"{name:22} {median_ms[name]:7.1f} ms (least {min(each_ms):.1f})  {multiple:5.1f} times lxml")
    print(f"ratio {median_ms[WHOLE] / median_ms[LXML]:.1f}, to be at most {TARGET:g}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""SOAP 1.1 as ADS speaks it: envelopes in, envelopes out.

Pure: bytes to a call, an answer or a fault to bytes. Calls are read by local name, for rpc-style clients leave the parameters
unqualified and others qualify them.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

SERVICE_NAMESPACE = "urn-com-caiso-ads-webservices-api"
CONTENT_TYPE = "text/xml; charset=utf-8"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_CODE_SENDER = "SOAP-ENV:Client"
_CODE_RECEIVER = "SOAP-ENV:Server"

Answer = str | bytes | bool | int | None
"""What an operation gives back: text (escaped), bytes (as Base64), a boolean, a number, or nothing."""


@dataclass(frozen=True)
class Call:
    """One operation with its parameters. A parameter that is a document instead of text comes as that document's text."""

    operation: str
    parameters: Mapping[str, str]


class SoapFault(Exception):
    """What the caller is told instead of an answer.

    Attributes:
        code: SOAP-ENV:Client when the call is at fault, SOAP-ENV:Server when we are.
        reason: in words.
    """

    def __init__(self, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.code = _CODE_RECEIVER if ours else _CODE_SENDER
        self.reason = reason


def parse_call(envelope: bytes) -> Call:
    """The call in a SOAP 1.1 envelope.

    Raises:
        SoapFault: it is not XML, has a document type, or is no envelope with one operation in its body.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(envelope, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SoapFault(f"The request is not XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SoapFault("A SOAP message must not have a document type")
    if root.tag != f"{{{_ENVELOPE}}}Envelope":
        raise SoapFault(f"The request is a {etree.QName(root).localname}, not a SOAP 1.1 envelope")
    operation = root.find(f"{{{_ENVELOPE}}}Body/*")
    if operation is None:
        raise SoapFault("The envelope has no operation in its body")
    return Call(etree.QName(operation).localname, {etree.QName(child).localname: _content(child) for child in operation})


def _content(parameter: etree._Element) -> str:
    documents = [etree.tostring(child, encoding="unicode", with_tail=False) for child in parameter]
    return documents[0] if documents else (parameter.text or "")


def answer_envelope(operation: str, answer: Answer) -> bytes:
    """The reply to a call."""
    root, body = _envelope()
    response = etree.SubElement(body, f"{{{SERVICE_NAMESPACE}}}{operation}Response", nsmap={"ads": SERVICE_NAMESPACE})
    if answer is not None:
        etree.SubElement(response, f"{{{SERVICE_NAMESPACE}}}result").text = _answer_text(answer)
    return _bytes(root)


def fault_envelope(fault: SoapFault) -> bytes:
    """The reply to a call that has no answer."""
    root, body = _envelope()
    element = etree.SubElement(body, f"{{{_ENVELOPE}}}Fault")
    etree.SubElement(element, "faultcode").text = fault.code
    etree.SubElement(element, "faultstring").text = fault.reason
    return _bytes(root)


def _answer_text(answer: str | bytes | bool | int) -> str:  # noqa: FBT001 - a boolean is one of the answers
    match answer:
        case bool():
            return "true" if answer else "false"
        case bytes():
            return base64.b64encode(answer).decode()
        case _:
            return str(answer)


def _envelope() -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{_ENVELOPE}}}Envelope", nsmap={"SOAP-ENV": _ENVELOPE})
    return root, etree.SubElement(root, f"{{{_ENVELOPE}}}Body")


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

"""SOAP 1.1 around a question, and what is in the envelope of a reply (1.2 is understood too). Pure.

A fault is typed by what it says. The specification has all errors be faults (section 1.4) and lists no texts, so that only the
words tell whether ADS cannot answer now, does not know the UID, or means something else.
"""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from caiso.ads.errors import AdsFailure, Busy, HttpRefused, SoapFault, UnknownUid, Unsendable
from caiso.ads.records import Question, Reply
from caiso.ads.unpack import unpack
from caiso.ads.xml import Element, NotThisDocument, descendants, local_name, read_xml, whole_text, written

SUBMIT = "submitMSSLFRequest"
"""The only operation that is not asked about a batch of CAISO's."""

_HTTP_OK = 200
_IN_XML = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_FAULT_CHARACTERS = 500
_SAYS_BUSY = re.compile(
    r"\bbusy\b|temporar|try (again|later)|\bretry\b|overload|too many|time[ -]?out|timed out|maintenance|at the moment"
    r"|shutting down|starting up|\b(service|system|server|api|ads)\b.{0,40}\b(unavailable|not available)",
    re.IGNORECASE,
)
_SAYS_UNKNOWN = re.compile(
    r"\b(unknown|unrecogni[sz]ed|invalid|expired|no such|not find|not know)\W+(\w+\W+){0,3}(batch|uid)"
    r"|\bno\W+(\w+\W+){0,2}(batch|uid)\b.*\b(found|exists?|known)\b"
    r"|(batch|uid)\b.*\b(unknown|unrecogni[sz]ed|invalid|expired|no longer|not (found|known|exist|in))\b",
    re.IGNORECASE | re.DOTALL,
)


def wrap(question: Question, namespace: str) -> bytes:
    """The request envelope: one operation with its parameters, in the namespace of the API.

    Raises:
        Unsendable: a parameter is no text, or has a character that XML cannot carry.
    """
    about = () if question.operation == SUBMIT else (("batchUID", question.batch_uid),)
    for name, text in (*about, *question.more):
        if not (isinstance(text, str) and _IN_XML.fullmatch(text)):
            raise Unsendable(question, f"{name} is no text, or has a character that XML cannot carry")
    parameters = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in (*about, *question.more))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f"<{question.operation} xmlns={quoteattr(namespace)}>{parameters}</{question.operation}>"
        "</soap:Body></soap:Envelope>"
    ).encode()


def read_answer(reply: Reply) -> Element:
    """The element in the body of a reply that wraps the answer.

    The result may be one text of many megabytes, so the limit on a text is lifted; the reply was bounded when it was read.

    Raises:
        Busy, UnknownUid, SoapFault: CAISO answered with a fault.
        HttpRefused: another status than 200, and no fault that would explain it.
        NotThisDocument: the reply is not a SOAP envelope, or an empty one.
        TooLarge: it has more elements than anybody is ready to hold.
    """
    try:
        envelope = read_xml(reply.body, "Envelope", large_texts=True)
    except NotThisDocument as error:
        if reply.status != _HTTP_OK:
            raise _refused(reply) from error
        raise
    answer = _in_body(envelope)
    if answer is not None and local_name(answer) == "Fault":
        raise _fault(reply, fault_text(answer))
    if reply.status != _HTTP_OK:
        raise _refused(reply)
    if answer is None:
        raise NotThisDocument("the SOAP envelope has nothing in its body")
    return answer


def read_own_answer(reply: Reply) -> Element:
    """The answer, of the operation that was asked: for what nothing else in it tells that it is.

    Raises:
        Busy, UnknownUid, SoapFault, HttpRefused, NotThisDocument: as `read_answer`, and when another operation is answered.
    """
    answer, wanted = read_answer(reply), f"{reply.question.operation}Response"
    if local_name(answer) != wanted:
        raise NotThisDocument(f"<{local_name(answer)}> where <{wanted}> belongs")
    return answer


def read_result(reply: Reply) -> str:
    """The text of `result`, or of the only element in the answer.

    Raises:
        Busy, UnknownUid, SoapFault, HttpRefused, NotThisDocument: as `read_answer`, and when there is no result.
    """
    return result_of(read_answer(reply))


def read_document(reply: Reply, root_name: str, max_bytes: int) -> bytes:
    """The document in an answer: within `result` as it is, or packed into its text.

    Raises:
        Busy, UnknownUid, SoapFault, HttpRefused, NotThisDocument: as `read_result`.
        NotUnpackable, TooLarge: the text is no packed document, or one that is too large.
    """
    answer = read_answer(reply)
    inside = next(iter(descendants(answer, root_name)), None)
    return unpack(result_of(answer), max_bytes) if inside is None else written(inside)


def result_of(answer: Element) -> str:
    """The text of `result`, or of the only element in an answer.

    Raises:
        NotThisDocument: there is no result.
    """
    named = [child for child in answer if local_name(child) == "result"] or (list(answer) if len(answer) == 1 else [])
    if not named:
        raise NotThisDocument(f"<{local_name(answer)}> holds no result")
    return text_of(named)


def text_of(results: Sequence[Element]) -> str:
    """The text of the only result.

    Raises:
        NotThisDocument: there are several, or elements where its text belongs.
    """
    if len(results) > 1:
        raise NotThisDocument(f"it holds {len(results)} results, and nobody can tell which one counts")
    if len(results[0]):
        raise NotThisDocument(f"there is <{local_name(results[0][0])}> in the result where its text belongs")
    return results[0].text or ""


def _fault(reply: Reply, text: str) -> AdsFailure:
    """Busy is looked for first: "the batch cannot be found at the moment, try again" is no unknown batch."""
    kind = Busy if _SAYS_BUSY.search(text) else UnknownUid if _SAYS_UNKNOWN.search(text) else SoapFault
    return kind(reply.question, text, reply.body)


def _refused(reply: Reply) -> HttpRefused:
    return HttpRefused(reply.question, f"HTTP status {reply.status} without a SOAP fault", reply.body)


def _in_body(envelope: Element) -> Element | None:
    body = next((child for child in envelope if local_name(child) == "Body"), None)
    return next(iter(body), None) if body is not None else None


def fault_text(fault: Element) -> str:
    """What SOAP 1.1 calls faultcode and faultstring, 1.2 Code and Reason."""
    texts = [whole_text(child) for child in fault if local_name(child).lower() != "detail"]
    return ": ".join(text for text in texts if text)[:_FAULT_CHARACTERS] or "without a text"

"""Envelope: SOAP 1.1 around a question, and what is in the envelope of a reply (1.2 is understood too)."""

from xml.sax.saxutils import escape, quoteattr

from ads_ingest.faults import HttpRefused, SoapFault
from ads_ingest.markup import Element, NotThisDocument, local_name, read_xml, whole_text
from ads_ingest.records import Question, Reply

_HTTP_OK = 200
_FAULT_CHARACTERS = 500


def wrap(question: Question, namespace: str) -> bytes:
    """The request envelope: one operation with one parameter."""
    operation = question.operation
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f"<{operation} xmlns={quoteattr(namespace)}><batchUID>{escape(question.batch_uid)}</batchUID></{operation}>"
        "</soap:Body></soap:Envelope>"
    ).encode()


def read_answer(reply: Reply) -> Element:
    """The element in the body of a reply that wraps the answer.

    The result may be one text of many megabytes, so the limit on a text is lifted; the reply was bounded when it was read.

    Raises:
        SoapFault: CAISO answered with a fault.
        HttpRefused: another status than 200, and no fault that would explain it.
        NotThisDocument: the reply is not a SOAP envelope, or an empty one.
    """
    try:
        envelope = read_xml(reply.body, "Envelope", large_texts=True)
    except NotThisDocument as error:
        if reply.status != _HTTP_OK:
            raise _refused(reply) from error
        raise
    answer = _in_body(envelope)
    if answer is not None and local_name(answer) == "Fault":
        raise SoapFault(reply.question, _fault_text(answer), reply.body)
    if reply.status != _HTTP_OK:
        raise _refused(reply)
    if answer is None:
        raise NotThisDocument("the SOAP envelope has nothing in its body")
    return answer


def read_result(reply: Reply) -> str:
    """The text of `result`, or of the only element in the answer.

    Raises:
        SoapFault, HttpRefused, NotThisDocument: as `read_answer`, and when there is no result.
    """
    answer = read_answer(reply)
    named = [child for child in answer if local_name(child) == "result"] or (list(answer) if len(answer) == 1 else [])
    if not named:
        raise NotThisDocument(f"<{local_name(answer)}> holds no result")
    return named[0].text or ""


def _refused(reply: Reply) -> HttpRefused:
    return HttpRefused(reply.question, f"HTTP status {reply.status} without a SOAP fault", reply.body)


def _in_body(envelope: Element) -> Element | None:
    body = next((child for child in envelope if local_name(child) == "Body"), None)
    return next(iter(body), None) if body is not None else None


def _fault_text(fault: Element) -> str:
    """What SOAP 1.1 calls faultcode and faultstring, 1.2 Code and Reason."""
    texts = [whole_text(child) for child in fault if local_name(child).lower() != "detail"]
    return ": ".join(text for text in texts if text)[:_FAULT_CHARACTERS] or "without a text"

"""The WSDL documents of ADS's two services, document/literal wrapped, as SOAP toolkits expect them under `?wsdl`.

CAISO gives its own WSDL to certificate holders only. These are written from the specification's tables of inputs and outputs;
the operations' names, parameters and result types are CAISO's, the file is ours.
"""

from dataclasses import dataclass

from lxml import etree

from simulators.ads.soap import SERVICE_NAMESPACE

_WSDL = "http://schemas.xmlsoap.org/wsdl/"
_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
_XSD = "http://www.w3.org/2001/XMLSchema"
_HTTP = "http://schemas.xmlsoap.org/soap/http"


@dataclass(frozen=True)
class Service:
    """A service: its operations with their parameters, each a name and an XML Schema type, and the result's type."""

    name: str
    operations: tuple[tuple[str, tuple[tuple[str, str], ...], str | None], ...]


_UID = (("batchUID", "string"),)
_INSTRUCTION = (("batchUID", "string"), ("instructionUID", "string"))

API_SERVICE = Service(
    "ADSAPIWebService",
    (
        ("getDispatchBatchesSinceUID", _UID, "string"),
        ("getBatchStatus", _UID, "int"),
        ("getBatchHeader", _UID, "string"),
        ("getDispatchBatch", _UID, "base64Binary"),
        ("isNewTrajData", _UID, "boolean"),
        ("getTrajectoryData", _UID, "base64Binary"),
        ("validateDispatchBatch", _UID, None),
        ("submitMSSLFRequest", (("request", "string"),), "string"),
    ),
)
RESPONSE_SERVICE = Service(
    "ADSAPIResponseWebService",
    (
        ("acceptInstruction", _INSTRUCTION, "int"),
        ("declineInstruction", (*_INSTRUCTION, ("reasonCode", "int")), "int"),
        ("partialAcceptInstruction", (*_INSTRUCTION, ("acceptDOT", "double"), ("reasonCode", "int")), "int"),
    ),
)


def wsdl(service: Service, address: str) -> bytes:
    """The WSDL of a service that is found at `address`."""
    namespaces = {"wsdl": _WSDL, "soap": _SOAP, "xsd": _XSD, "tns": SERVICE_NAMESPACE}
    root = etree.Element(f"{{{_WSDL}}}definitions", {"name": service.name, "targetNamespace": SERVICE_NAMESPACE}, namespaces)
    _add_types(root, service)
    for operation, _, _ in service.operations:
        for message in (operation, f"{operation}Response"):
            element = _sub(root, _WSDL, "message", name=message)
            _sub(element, _WSDL, "part", name="parameters", element=f"tns:{message}")
    _add_port_type(root, service)
    _add_binding(root, service)
    element = _sub(root, _WSDL, "service", name=service.name)
    port = _sub(element, _WSDL, "port", name=f"{service.name}Port", binding=f"tns:{service.name}Binding")
    _sub(port, _SOAP, "address", location=address)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _add_types(root: etree._Element, service: Service) -> None:
    types = _sub(root, _WSDL, "types")
    schema = _sub(types, _XSD, "schema", targetNamespace=SERVICE_NAMESPACE, elementFormDefault="qualified")
    for operation, parameters, result in service.operations:
        _add_wrapper(schema, operation, parameters)
        _add_wrapper(schema, f"{operation}Response", (("result", result),) if result else ())


def _add_wrapper(schema: etree._Element, name: str, members: tuple[tuple[str, str], ...]) -> None:
    element = _sub(schema, _XSD, "element", name=name)
    sequence = _sub(_sub(element, _XSD, "complexType"), _XSD, "sequence")
    for member, kind in members:
        _sub(sequence, _XSD, "element", name=member, type=f"xsd:{kind}")


def _add_port_type(root: etree._Element, service: Service) -> None:
    port_type = _sub(root, _WSDL, "portType", name=f"{service.name}PortType")
    for operation, _, _ in service.operations:
        element = _sub(port_type, _WSDL, "operation", name=operation)
        _sub(element, _WSDL, "input", message=f"tns:{operation}")
        _sub(element, _WSDL, "output", message=f"tns:{operation}Response")


def _add_binding(root: etree._Element, service: Service) -> None:
    binding = _sub(root, _WSDL, "binding", name=f"{service.name}Binding", type=f"tns:{service.name}PortType")
    _sub(binding, _SOAP, "binding", style="document", transport=_HTTP)
    for operation, _, _ in service.operations:
        element = _sub(binding, _WSDL, "operation", name=operation)
        _sub(element, _SOAP, "operation", soapAction="", style="document")
        for direction in ("input", "output"):
            _sub(_sub(element, _WSDL, direction), _SOAP, "body", use="literal")


def _sub(parent: etree._Element, namespace: str, tag: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{namespace}}}{tag}", attributes)

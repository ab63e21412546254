"""How OASIS says no: a zip with one small XML file (HTTP 200), or the page of its acceptable use policy (HTTP 429)."""

from datetime import datetime
from enum import IntEnum

_DISCLAIMER = (
    "The contents of these pages are subject to change without notice. Decisions based on information contained within the "
    "California ISO's web site are the visitor's sole responsibility."
)


class ErrorCode(IntEnum):
    """ERR_CODE (interface specification 4.3.5, section 3.2), those that the simulator gives."""

    NO_DATA = 1000
    INVALID_PARAMETERS = 1001
    INVALID_DATETIME = 1002
    MORE_THAN_31_DAYS = 1004
    NO_SUCH_REPORT = 1005
    EMPTY_QUERY = 1011
    GROUP_ZIP_PROCESSING = 1015
    NO_SUCH_GROUP = 1016
    TOO_MANY_NODES = 1017
    VERSION_INVALID = 1020


DESCRIPTIONS = {
    ErrorCode.NO_DATA: "No data returned for the specified selection",
    ErrorCode.INVALID_PARAMETERS: "Invalid Parameters of the given report name",
    ErrorCode.INVALID_DATETIME: "Invalid datetime format, please use valid datetime format",
    ErrorCode.MORE_THAN_31_DAYS: "Data can be requested for period of 31 days only",
    ErrorCode.NO_SUCH_REPORT: "Report name does not exist, please use valid report name",
    ErrorCode.EMPTY_QUERY: "Empty Query; Please Enter Report Name, Startdate, EndDate and Other Parameters",
    ErrorCode.GROUP_ZIP_PROCESSING: "GroupZip DownLoad is in Processing, Please Submit request after Sometime",
    ErrorCode.NO_SUCH_GROUP: "GROUPID Does Not Exist, Please Use Valid GROUPID Name",
    ErrorCode.TOO_MANY_NODES: "Please select a maximum of 10 nodes or use the ALL option",
    ErrorCode.VERSION_INVALID: "Version parameter is missing or is invalid",
}

THROTTLE_PAGE = (
    b"<html><body><p>CAISO Acceptable Use Policy Violation. Please retry your request after 5 seconds.</p></body></html>"
)


class QueryRefused(Exception):
    """A query that OASIS answers with an error.

    Attributes:
        code: which.
    """

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(DESCRIPTIONS[code])
        self.code = code


def error_member(code: ErrorCode, now: datetime) -> bytes:
    """The XML file inside the zip, to the byte as OASIS lays it out."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<m:OASISReport xmlns:m="http://www.caiso.com/soa/OASISReport_v1.xsd">\n'
        "<m:MessageHeader>\n"
        f"\t<m:TimeDate>{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z</m:TimeDate>\n"
        "\t<m:Source>OASIS</m:Source>\n"
        "\t<m:Version>v20131201</m:Version>\n"
        "</m:MessageHeader>\n"
        "<m:MessagePayload>\n"
        "<m:RTO>\n"
        "<m:name>CAISO</m:name>\n"
        "<m:DISCLAIMER_ITEM>\n"
        f"<m:DISCLAIMER>{_DISCLAIMER}</m:DISCLAIMER>\n"
        "</m:DISCLAIMER_ITEM>\n"
        "<m:ERROR>\n"
        f"<m:ERR_CODE>{code:d}</m:ERR_CODE>\n"
        f"<m:ERR_DESC>{DESCRIPTIONS[code]}</m:ERR_DESC>\n"
        "</m:ERROR>\n"
        "\n"
        "</m:RTO>\n"
        "</m:MessagePayload>\n"
        "</m:OASISReport>"
    ).encode()

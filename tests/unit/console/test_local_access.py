"""Who looks at a page where nobody signs in, and what they may do."""

import pytest

from console.access.local_access import LocalAccess
from console.access.people import Asking, Person, Role

ACCESS = LocalAccess(Role.OPERATOR)


def person_of(address: str, headers: dict[str, str]) -> Person:
    visit = ACCESS.who(Asking(address, headers))
    assert visit is not None
    return visit.person


@pytest.mark.parametrize(
    ("address", "host"), [("127.0.0.1", "localhost:8080"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]:8080")]
)
def test_who_is_at_this_machine_has_its_role(address: str, host: str):
    assert person_of(address, {"host": host}).may_operate


@pytest.mark.parametrize("headers", [{"x-forwarded-for": "10.0.0.1"}, {"forwarded": "for=10.0.0.1"}])
def test_who_comes_through_a_proxy_is_not_at_this_machine(headers: dict[str, str]):
    assert not person_of("127.0.0.1", {"host": "localhost", **headers}).may_operate


def test_who_comes_from_elsewhere_looks():
    assert not person_of("10.1.2.3", {"host": "localhost"}).may_operate


def test_a_page_of_another_site_learns_nothing_by_a_name_that_leads_here():
    assert ACCESS.who(Asking("127.0.0.1", {"host": "evil.example:8080"})) is None

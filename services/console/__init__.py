"""Console: topics to a page for people.

Follows the states on the bus, judges each by the same code as the gateway (`dotbus.judging`, `dotbus.readings`), and shows them
live. The way of a value: `following` (what came) -> `picture` (what it comes to, in words) -> `web/stream` (to each open page).
Everything before the stream is pure. Towards the bus it says nothing but what somebody who may asks for (`commanding`).
"""

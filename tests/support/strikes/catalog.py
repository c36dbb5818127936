"""All strikes, in the order of the page."""

from __future__ import annotations

from tests.support.strikes.brokers import BROKERS
from tests.support.strikes.clocks import CLOCKS
from tests.support.strikes.lines import LINES
from tests.support.strikes.machines import MACHINES
from tests.support.strikes.port import PORT
from tests.support.strikes.programs import PROGRAMS

STRIKES = (*PROGRAMS, *BROKERS, *LINES, *MACHINES, *PORT, *CLOCKS)

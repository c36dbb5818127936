"""Whether two clocks agree: signatures carry our time, and waits are counted in Redis's."""

from longshore.cli.doctor.finding import Finding, broken, ok, warning

WORTH_A_WORD_S = 5.0
TOO_MUCH_S = 60.0
"""Targets that check `X-Port-Timestamp` mostly allow a few minutes; beyond a minute nobody synchronizes."""

REMEDY = "Let a time service (NTP) set the clocks of both machines"


def compared(other: str, ahead_s: float) -> Finding:
    """What a difference means: `ahead_s` is how far the clock of `other` is ahead of ours."""
    much = abs(ahead_s)
    if much < WORTH_A_WORD_S:
        return ok(f"the clocks here and at {other} agree", ahead_s=round(ahead_s, 3))
    text = f"the clock at {other} is {much:.0f} s {'ahead of' if ahead_s > 0 else 'behind'} ours"
    if much < TOO_MUCH_S:
        return warning(text, REMEDY, ahead_s=round(ahead_s, 3))
    return broken(text, REMEDY, ahead_s=round(ahead_s, 3))

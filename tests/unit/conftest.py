"""Hypothesis without a clock: on a busy machine an example takes as long as it takes. Half as many as by default."""

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

"""The mapping file that the settings name, and what only the two together can be wrong in."""

from pathlib import Path

from config.settings import Settings
from longshore.invocation.mapping import Mapping, MappingFileError


def load_mapping(settings: Settings, processes: int = 1, path: Path | None = None) -> Mapping:
    """The mapping in effect, or the one at `path`, ready to be evaluated; `processes` as for `Mapping`.

    Raises MappingFileError and JqUnavailable.
    """
    mapping = Mapping.load(path or settings.mapping_path, settings.mapping_env(), processes)
    for entry, delivery in enumerate(mapping.deliveries):
        if delivery.standard_webhooks and not settings.standard_webhooks_secret:
            mapping.close()
            raise MappingFileError(
                "STANDARD_WEBHOOKS_SECRET",
                f"is not set, but mapping {entry}, delivery, signature, standard_webhooks is true",
                "Set it, or leave that out; docs/how-to/verify-requests.md says how to make one",
            )
    return mapping

"""What no mapping should reach: metadata services of clouds, which hand out credentials, and link-local networks."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from longshore.delivery.addresses import IP

METADATA = "the metadata service of a cloud"
SPECIAL_NETWORKS: tuple[tuple[IPv4Network | IPv6Network, str], ...] = (
    (ip_network("169.254.0.0/16"), "link-local, where clouds have their metadata service"),
    (ip_network("fe80::/10"), "link-local"),
    (ip_network("fd00:ec2::/32"), METADATA),  # AWS
    (ip_network("fd20:ce::254"), METADATA),  # Google Cloud
    (ip_network("fd00:c1::a9fe:a9fe"), METADATA),  # Oracle Cloud
    (ip_network("fd00:42::42"), METADATA),  # Scaleway
    (ip_network("100.100.100.200"), METADATA),  # Alibaba Cloud
    (ip_network("168.63.129.16"), METADATA),  # Azure's host agent
    (ip_network("192.0.0.192"), METADATA),  # Oracle Cloud Classic
    # Who translates chooses where in it the IPv4 address stands (RFC 8215); what is usual was unwrapped before.
    (ip_network("64:ff9b:1::/48"), "NAT64 for local use, behind which any address may be"),
)
METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "api.metadata.cloud.ibm.com",
    }
)
"""Names of such services: behind a proxy the address is not seen."""


@lru_cache(maxsize=1_024)
def find_special_networks(address: IP) -> Sequence[tuple[IPv4Network | IPv6Network, str]]:
    """Those of `SPECIAL_NETWORKS` that `address` is in, each with what it is."""
    return [each for each in SPECIAL_NETWORKS if address in each[0]]

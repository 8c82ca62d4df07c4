"""What stands behind the engines: a real etcd for the whole run, a FakeConsul for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.coordinator.etcd_cluster import EtcdCluster
from tests.coordinator.stages import BuiltinStage, ConsulStage, EtcdStage, Stage


@pytest.fixture(scope="session")
def etcd_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdCluster]:
    cluster = EtcdCluster(tmp_path_factory.mktemp("etcd"))
    yield cluster
    cluster.stop()


@pytest.fixture
def etcd(etcd_cluster: EtcdCluster) -> Iterator[EtcdCluster]:
    """The shared cluster; whatever the test has done to its servers is mended."""
    yield etcd_cluster
    etcd_cluster.mend()


KINDS = (
    "builtin",
    pytest.param("etcd", marks=pytest.mark.interop),
    pytest.param("consul", marks=pytest.mark.process),
    pytest.param("real consul", marks=pytest.mark.real_consul),
)


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """One of the engines."""
    made: Stage
    if request.param == "etcd":
        made = EtcdStage(request.getfixturevalue("etcd"))
    elif request.param == "real consul":
        address = os.environ.get("CONSUL_HTTP_ADDR", "")
        if not address:
            pytest.skip("CONSUL_HTTP_ADDR is not set")
        made = ConsulStage(address)
    else:
        made = BuiltinStage() if request.param == "builtin" else ConsulStage()
    made.ttl = 10_000.0  # requests have half of it, and machines are busy
    yield made
    made.end()

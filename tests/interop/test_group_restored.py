"""Groups whose voters find data but no state file: backups that were restored, state files that are lost. No group
forms without those data, and an operator says which of them are the group's."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import RealRedis
from tests.interop.following import wait_for
from tests.interop.groups import Group, Voter
from tests.server.running import Wire

pytestmark = pytest.mark.interop

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
WAYS = {"memory": (), "everysec": ("--appendonly", "yes"), "always": ALWAYS}
KEYS = 200


class Backup(NamedTuple):
    """The files of a voter, copied while its group was at work, and what they hold."""

    directory: Path
    digest: str

    def restore(self, voter: Voter, *names: str) -> None:
        """Put files of it into the directory of a voter."""
        for name in names:
            if (self.directory / name).is_dir():
                shutil.copytree(self.directory / name, voter.directory / name)
            else:
                shutil.copy(self.directory / name, voter.directory / name)


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """Snapshot and append-only file of a group's voter."""
    path = tmp_path_factory.mktemp("backup")
    with Group(path, 3, *ALWAYS) as group:
        fill(group.leader(), "old")
        group.wait_same()
        leader = group.leader()
        assert leader.call("SAVE") == "OK"
        digest = leader.call("DEBUG", "DIGEST")
        shutil.copytree(leader.directory, path / "files")
    return Backup(path / "files", digest)


@pytest.fixture(params=WAYS)
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Group]:
    """Voters that have not been started, in each way of keeping data."""
    with Group(tmp_path, 3, *WAYS[request.param], start=False) as group:
        yield group


def fill(voter: Voter, name: str) -> None:
    with voter.connect() as wire:
        for number in range(KEYS):
            assert wire.call("SET", f"{name}:{number}", number) == "OK"


def start(group: Group) -> None:
    for voter in group.voters:
        voter.start()


def waits(voter: Voter) -> str:
    return voter.info().get("group_waits", "")


def wait_for_operator(group: Group, *holders: Voter) -> None:
    """Wait until all know who has found data; none serves, and no group forms."""
    for voter in group.voters:
        for holder in holders:
            name = "this node" if holder is voter else holder.seat
            wait_for(lambda voter=voter, name=name: f"{name} has found data" in waits(voter), "all know of the data")
    assert group.states() == ["forming"] * 3
    for voter in group.voters:
        assert str(voter.call("PING")).startswith("RECOVERING")
        assert str(voter.call("GET", "old:1")).startswith("MASTERDOWN")
        assert str(voter.call("SET", "old:1", "x")).startswith("READONLY")
        wait_for(lambda voter=voter: "has found data" in voter.log(), "a line for the operator")


def bootstrap(group: Group, voter: Voter, digest: str) -> None:
    """Say the word, and see that all voters hold what the one has held."""
    wait_for(lambda: voter.call("GROUP", "BOOTSTRAP", "FROM", voter.seat) == "OK", "all have answered")
    group.wait_same()
    assert [each.call("DEBUG", "DIGEST") for each in group.voters] == [digest] * 3
    assert [waits(each) for each in group.voters] == [""] * 3
    assert group.leader().call("SET", "new", "1") == "OK"


def aside(voter: Voter) -> Path:
    """Where what was found is kept if another's data are the group's."""
    return voter.directory / f"group-{voter.port}-dropped.rdb"


def held_by(path: Path, key: str) -> str | None:
    """What a snapshot holds at a key, by a real server."""
    redis = RealRedis(path.parent, "--dbfilename", path.name, "--appendonly", "no", "--save", "")
    try:
        with Wire(("127.0.0.1", redis.port)) as wire:
            found: str | None = wire.call("GET", key)
            return found
    finally:
        redis.stop()


@pytest.mark.parametrize("file", ["dump.rdb", "appendonlydir"])
def test_a_backup_in_one_voter_s_directory_is_waited_for_and_then_all_have_it(
    group: Group, backup: Backup, file: str
) -> None:
    holder, *others = group.voters
    backup.restore(holder, file)
    start(group)
    wait_for_operator(group, holder)
    refusal = "ERR this node holds no data"  # when it has heard all others
    for voter in others:
        wait_for(lambda voter=voter: str(voter.call("GROUP", "BOOTSTRAP")).startswith(refusal), "a refusal")
    bootstrap(group, holder, backup.digest)


def test_who_waits_still_holds_the_data_after_a_restart(group: Group, backup: Backup) -> None:
    holder = group.voters[1]
    backup.restore(holder, "dump.rdb")
    start(group)
    wait_for_operator(group, holder)
    holder.end(signal.SIGTERM)
    holder.start()
    wait_for(lambda: waits(holder), "it waits again")
    for voter in group.voters:
        voter.end()
    start(group)
    wait_for_operator(group, holder)
    bootstrap(group, holder, backup.digest)


def test_state_files_that_are_lost_on_all_voters_are_no_new_group(tmp_path: Path) -> None:
    with Group(tmp_path, 3, *ALWAYS) as group:
        fill(group.leader(), "old")
        group.wait_same()
        digest, epoch = group.leader().call("DEBUG", "DIGEST"), int(group.leader().info()["group_epoch"])
        for voter in group.voters:
            voter.end()
            (voter.directory / f"group-{voter.port}.state").unlink()
        start(group)
        wait_for_operator(group, *group.voters)
        bootstrap(group, group.voters[2], digest)
        assert int(group.leader().info()["group_epoch"]) > epoch
        assert held_by(aside(group.voters[0]), "old:1") == "1"
        assert not aside(group.voters[2]).exists()


def test_of_different_data_those_of_the_one_that_is_told_are_the_groups(group: Group, backup: Backup) -> None:
    first, second, third = group.voters
    backup.restore(first, "dump.rdb")
    for voter, name in ((second, "second"), (third, "third")):
        redis = RealRedis(voter.directory)
        try:
            with Wire(("127.0.0.1", redis.port)) as wire:
                wire.call("SET", name, "data")
                wire.call("SAVE")
        finally:
            redis.stop()
    start(group)
    wait_for_operator(group, *group.voters)
    bootstrap(group, first, backup.digest)
    assert held_by(aside(second), "second") == "data"
    assert held_by(aside(third), "third") == "data"


def test_the_word_comes_when_all_voters_have_said_that_there_is_no_group(tmp_path: Path, backup: Backup) -> None:
    with Group(tmp_path, 3, start=False) as group:
        holder, *others = group.voters
        backup.restore(holder, "dump.rdb")
        holder.start()
        others[0].start()
        missing = f"{others[1].seat} has not said yet whether there is a group: start all voters"
        wait_for(holder.info, "it answers")
        wait_for(lambda: missing in str(holder.call("GROUP", "BOOTSTRAP")), "a refusal")
        others[1].start()
        wait_for_operator(group, holder)
        bootstrap(group, holder, backup.digest)


def test_a_voter_of_a_living_group_that_has_lost_its_state_file_comes_back_by_itself(tmp_path: Path) -> None:
    with Group(tmp_path, 3, *ALWAYS) as group:
        fill(group.leader(), "old")
        group.wait_same()
        follower = group.followers()[0]
        follower.end()
        (follower.directory / f"group-{follower.port}.state").unlink()
        follower.start()
        group.wait_same()
        assert group.leader().call("SET", "new", "1") == "OK"
        assert held_by(aside(follower), "old:1") == "1"


def test_two_of_three_that_have_lost_their_memory_get_it_back_from_the_third_by_force(tmp_path: Path) -> None:
    with Group(tmp_path, 3, start=False) as group:
        start(group)
        fill(group.leader(), "old")
        group.wait_same()
        digest = group.leader().call("DEBUG", "DIGEST")
        survivor = group.followers()[0]
        dead = group.others(survivor)
        for voter in dead:
            voter.end()
        for voter in dead:
            voter.start()
        wait_for(lambda: [voter.info().get("sync_state") for voter in dead] == ["recovering"] * 2, "recovering")
        refusal = "ERR this node has its memory; GROUP FORCE makes it lead"
        assert str(survivor.call("GROUP", "BOOTSTRAP")) == refusal
        assert survivor.call("GROUP", "FORCE") == "OK"
        group.wait_same()
        assert [voter.call("DEBUG", "DIGEST") for voter in group.voters] == [digest] * 3
        assert survivor.call("SET", "new", "1") == "OK"

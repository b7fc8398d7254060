"""Ray: the same job, the same results, also if an actor is killed."""

import psutil
import pytest

from batch_pictures import draw, manifest_lines, results
from impasto.batch import cluster, run
from impasto.errors import ImpastoError
from impasto.image import load

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")


@pytest.mark.slow
def test_an_actor_that_is_killed_loses_nothing(make, folder, tmp_path):
    for number in range(24):
        draw(folder / "many" / f"{number}.png", seed=number)
    (folder / "broken.jpg").write_text("dear diary")
    seen, killed, out = {}, [], tmp_path / "out"

    def kill(progress):
        if progress.step == 3:
            seen.update(results(out))
            found = psutil.Process().children(recursive=True)
            killed.extend(one for one in found if "MapWorker" in " ".join(one.cmdline()))
            killed[0].kill()

    report = run(make(), out, engine="ray", workers=2, callback=kill)
    assert len(killed) == 2
    assert (report.total, report.painted) == (29, 28)
    assert [one.picture for one in report.failures] == ["broken.jpg"]
    after = results(out)
    assert len(after) == 28
    assert {name: after[name] for name in seen} == seen  # nothing done twice
    outputs = [line["output"] for line in manifest_lines(out) if "output" in line]
    assert sorted(outputs) == sorted(after)
    assert all(load(out / name).size == (32, 24) for name in after)
    assert not list(out.rglob("*.part"))
    again = run(make(), out)  # the engine is no part of the job
    assert (again.kept, again.painted, len(again.failures)) == (28, 0, 1)


@pytest.fixture
def nodes(monkeypatch):
    """A cluster of this process and two nodes of one processor each, all on this machine."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ground = {"num_cpus": 0, "include_dashboard": False}
    cluster_ = Cluster(initialize_head=True, head_node_args=ground)
    try:
        yield cluster_, [cluster_.add_node(num_cpus=1) for _ in range(2)]
    finally:
        ray.shutdown()
        cluster_.shutdown()


@pytest.mark.slow
def test_a_node_that_is_killed_loses_nothing(make, folder, tmp_path, nodes):
    for number in range(20):
        draw(folder / "many" / f"{number}.png", seed=number)
    whole, (_, lost) = nodes
    seen, out = {}, tmp_path / "out"

    def kill(progress):
        if progress.step == 5:
            seen.update({path: path.stat().st_mtime_ns for path in out.rglob("*.png")})
            whole.remove_node(lost, allow_graceful=False)

    report = run(make(), out, engine="ray", workers=2, address=whole.address, callback=kill)
    assert (report.total, report.painted, report.failures) == (24, 24, ())
    assert len(seen) >= 4
    assert {path: path.stat().st_mtime_ns for path in seen} == seen  # nothing is painted twice
    outputs = [line["output"] for line in manifest_lines(out) if "output" in line]
    assert sorted(outputs) == sorted(results(out))
    assert not list(out.rglob("*.part"))


def test_no_cluster_at_the_address(make, tmp_path, monkeypatch):
    def refuse(**options):
        assert options["address"] == "auto"
        raise ConnectionError("nobody\nthere")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ImpastoError, match=r"cannot reach the cluster at auto \(nobody\): check"):
        run(make(), tmp_path / "out", engine="ray", address="auto")


def test_ray_that_does_not_start_is_one_line(make, tmp_path, monkeypatch):
    def refuse(**options):
        raise Exception("The current node timed out during startup.\nSee the log")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ImpastoError, match=r"^Ray cannot start: The current node timed out"):
        run(make(), tmp_path / "out", engine="ray")


def test_a_picture_that_ends_every_actor_is_given_up(make, tmp_path):
    from impasto.batch.plan import plan

    job, out = make(), tmp_path / "out"
    out.mkdir()
    item, *_ = plan(job, out)
    actor = cluster._Actor(job.json(), str(out), 1)
    worker, actor._worker = actor._worker, None  # what dies does not clean up either
    for _ in range(3):
        with pytest.raises(AttributeError):
            actor._paint(item)
    actor._worker = worker
    assert "was ended repeatedly" in actor._paint(item).error
    assert not (out / item.output).exists()

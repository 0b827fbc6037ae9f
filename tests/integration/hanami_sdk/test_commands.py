"""The `hanami` command at work on a real mesh."""

import json
import stat
import uuid
from pathlib import Path

import pytest

from tests.integration.hanami_sdk.conftest import Command, RunningMesh


def test_a_login_is_kept_for_the_next_command(mesh: RunningMesh, hanami: Command) -> None:
    """The file of logins belongs to its owner alone; a logout empties it."""
    done = hanami("project", "list", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)
    assert hanami("login").exit_code == 0
    assert stat.S_IMODE(mesh.home.credentials_file.stat().st_mode) == 0o600
    assert hanami("logout").exit_code == 0
    refused = hanami("project", "list")
    assert refused.exit_code == 1
    assert "hanami login" in refused.stderr


def test_a_user_logs_in_with_a_password_file(hanami: Command, tmp_path: Path) -> None:
    """Passwords come from a file or stdin, never from an argument."""
    user_id = f"u-{uuid.uuid4().hex[:10]}"
    (tmp_path / "password").write_text("a-long-password\n")

    made = hanami("user", "create", user_id, "--password-file", str(tmp_path / "password"))
    done = hanami("login", user_id, "--password-file", "-", "--json", stdin="a-long-password\n")

    assert made.exit_code == 0
    assert json.loads(done.stdout)["user"] == f"users/{user_id}"
    assert hanami("user", "get", user_id).exit_code == 0
    refused = hanami("user", "list")
    assert refused.exit_code == 1
    assert "Traceback" not in refused.stderr


def test_a_wrong_password_is_told(hanami: Command) -> None:
    """One sentence, one hint, exit code 1."""
    done = hanami("login", "admin", "--password-file", "-", stdin="wrong-password\n")

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "Hint: Check the user and the password." in done.stderr


def test_projects_and_members_by_command(hanami: Command) -> None:
    """Create, list, get, add, remove, delete."""
    project, user = (f"x-{uuid.uuid4().hex[:10]}" for _ in range(2))
    hanami("user", "create", user, "--password-file", "-", stdin="a-long-password\n")

    assert hanami("project", "create", project, "--display-name", "Ours").exit_code == 0
    assert "Ours" in hanami("project", "get", project).stdout
    added = hanami("project", "member", "add", project, user, "--role", "viewer", "--json")
    assert json.loads(added.stdout)["role"] == "ROLE_VIEWER"
    assert "viewer" in hanami("project", "member", "list", project).stdout
    assert hanami("project", "member", "remove", project, user).exit_code == 0
    assert json.loads(hanami("project", "member", "list", project, "--json").stdout) == []
    assert hanami("project", "delete", project, "--yes").exit_code == 0
    assert hanami("project", "get", project).exit_code == 1
    assert hanami("user", "delete", user, "--yes").exit_code == 0


def test_nothing_is_deleted_by_accident(hanami: Command, project: str) -> None:
    """Without --yes it is asked for; an empty answer is no."""
    done = hanami("project", "delete", project)

    assert done.exit_code == 1
    assert hanami("project", "get", project).exit_code == 0


def test_data_sets_by_command(hanami: Command, rows_csv: Path) -> None:
    """Upload, list, get, delete."""
    made = hanami("dataset", "upload", "rows", str(rows_csv), "--target", "larger", "--json")

    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["row_count"] == 400
    assert json.loads(made.stdout)["columns"][2]["role"] == "COLUMN_ROLE_TARGET"
    assert "string, target" in hanami("dataset", "get", "rows").stdout
    assert "400" in hanami("dataset", "list").stdout
    assert hanami("dataset", "delete", "rows", "--yes").exit_code == 0
    assert json.loads(hanami("dataset", "list", "--json").stdout) == []


def test_who_may_know_of_a_data_set_and_a_network(hanami: Command, rows_csv: Path) -> None:
    """Chosen when they are made, changed later, and shown in tables."""
    hanami("dataset", "upload", "rows", str(rows_csv), "--visibility", "private")
    hanami("network", "create", "open", "--channels", "2", "--visibility", "public")
    hanami("network", "create", "usual", "--channels", "2")

    before = [hanami(kind, "list").stdout for kind in ("dataset", "network")]
    rows = hanami("dataset", "update", "rows", "--visibility", "shared", "--json")
    network = hanami("network", "update", "open", "--visibility", "private", "--json")
    unknown = hanami("network", "update", "open", "--visibility", "secret")

    assert "private" in before[0]
    assert "public" in before[1]
    assert "shared" in before[1]
    assert json.loads(rows.stdout)["visibility"] == "VISIBILITY_SHARED"
    assert json.loads(network.stdout)["visibility"] == "VISIBILITY_PRIVATE"
    assert json.loads(network.stdout)["owner"].startswith("users/")
    assert "private" in hanami("network", "get", "open").stdout
    assert unknown.exit_code == 2


def test_a_file_alone_becomes_a_data_set_that_a_network_is_made_for(
    hanami: Command, tmp_path: Path
) -> None:
    """The README's three commands; what is left out is told, and why."""
    rows = "".join(
        f"{n},{n % 7},{'x' if n == 3 else n},{'ok' if n % 2 else 'hot'}\n" for n in range(64)
    )
    (tmp_path / "My readings.csv").write_text("flow,speed,suction,state\n" + rows)

    made = hanami("dataset", "upload", str(tmp_path / "My readings.csv"), "--target", "state")
    network = hanami("network", "create", "pumps", "--for-dataset", "my-readings", "--json")
    task = hanami("task", "create", "pumps", "my-readings", "--watch")

    assert made.exit_code == 0, made.stderr
    assert "flow, speed (2 channels)" in made.stdout
    assert "network create NETWORK --channels 2" in made.stdout
    assert "suction is text, so it is not fed." in made.stderr
    assert json.loads(network.stdout)["structure"]["inputs"][0]["channels"] == 2
    assert task.exit_code == 0, task.stderr


def test_templates_by_command(hanami: Command, tmp_path: Path) -> None:
    """What `show` prints passes `check`; a mistake is told with its place."""
    shown = hanami("template", "show", "grid").stdout
    (tmp_path / "mine.yaml").write_text(shown)
    (tmp_path / "bad.yaml").write_text(shown + "\nneuronz: 7\n")

    good = hanami("template", "check", str(tmp_path / "mine.yaml"))
    bad = hanami("template", "check", str(tmp_path / "bad.yaml"))

    assert good.exit_code == 0
    assert "neurons" in good.stdout
    assert bad.exit_code == 1
    assert "neuronz" in bad.stderr
    assert "grid" in hanami("template", "list").stdout


def test_a_stream_of_rows_from_a_file(hanami: Command, rows_csv: Path) -> None:
    """Learn a CSV, then predict it: one line for each row, and a score."""
    assert hanami("network", "create", "n1", "--channels", "2").exit_code == 0

    learned = hanami("learn", "n1", str(rows_csv), "--label", "larger", "--json")
    predicted = hanami("predict", "n1", str(rows_csv), "--label", "larger")

    summary = json.loads(learned.stdout)["summary"]
    assert (summary["rows"], summary["scored_rows"]) == (400, 400)
    assert summary["connections"] > 0
    lines = predicted.stdout.splitlines()
    assert lines[0] == "row,predicted"
    assert len(lines) == 401
    expected = [line.rsplit(",", 1)[1] for line in rows_csv.read_text().splitlines()[1:]]
    answers = [line.split(",")[1] for line in lines[1:]]
    assert sum(a == b for a, b in zip(answers, expected, strict=True)) > 340
    assert "% right" in predicted.stderr


def test_a_stream_of_rows_from_stdin(hanami: Command, rows_csv: Path) -> None:
    """JSON lines with the probabilities of every label."""
    hanami("network", "create", "n1", "--channels", "2")
    hanami("learn", "n1", "--label", "larger", stdin=rows_csv.read_text())

    done = hanami("predict", "n1", "--outputs", "--json", stdin="left,right\n90,1\n1,90\n")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["predicted"] for row in rows] == ["left", "right"]
    assert set(rows[0]["outputs"]) == {"left", "right"}


def test_growth_by_command(hanami: Command) -> None:
    """A network that has learned tells what grew, as a table and as JSON; a new one has no news."""
    text = "left,right,larger\n" + "1,2,right\n2,1,left\n" * 40
    hanami("network", "create", "n1", "--channels", "2")

    before = hanami("network", "growth", "n1")
    hanami("learn", "n1", "--label", "larger", stdin=text)
    table = hanami("network", "growth", "n1")
    events = json.loads(hanami("network", "growth", "n1", "--json").stdout)

    assert "has not grown yet" in before.stderr
    assert "output opened" in table.stdout
    assert {"GROWTH_KIND_STARTED", "GROWTH_KIND_CHANNEL_GREW"} <= {item["kind"] for item in events}


def test_a_snapshot_by_command(hanami: Command) -> None:
    """It tells how many rows are in it."""
    hanami("network", "create", "n1", "--channels", "2")
    hanami("learn", "n1", "--label", "larger", stdin="left,right,larger\n" + "1,2,right\n" * 40)

    table = hanami("network", "snapshot", "n1")
    taken = json.loads(hanami("network", "snapshot", "n1", "--json").stdout)

    assert "Learned rows      40\n" in table.stdout
    assert 40 == int(taken["learned_rows"])
    assert int(taken["size_bytes"]) > 0


def test_numbers_by_command(hanami: Command) -> None:
    """A target column makes a network of numbers; its prediction has the column's name."""
    text = "x,y\n" + "".join(f"{n % 50},{(n % 50) * 2}\n" for n in range(500))
    hanami("network", "create", "n1", "--template", "flat-numbers", "--channels", "1")

    learned = hanami("learn", "n1", "--target", "y", "--predictions", stdin=text)
    predicted = hanami("predict", "n1", "--target", "y", stdin=text)

    assert learned.exit_code == 0, learned.stderr
    assert learned.stdout.splitlines()[0] == "row,y"
    assert len(predicted.stdout.splitlines()) == 501


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("left,right,larger\n1,2,left\n1,x,left\n", "Line 3, column 'right': 'x' is not a number"),
        ("left,right,larger\n1,2\n", "Line 2 has 2 columns"),
        ("1,2,left\n", "There is no column 'larger'"),
        ("left,larger\n1,left\n", "has 2 channels, but 1 column would be fed: left"),
    ],
)
def test_bad_rows_are_told_with_their_line(hanami: Command, text: str, words: str) -> None:
    """The mistake is named; the network goes on working."""
    hanami("network", "create", "n1", "--channels", "2")

    done = hanami("learn", "n1", "--label", "larger", stdin=text)

    assert done.exit_code in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    good = hanami("learn", "n1", "--label", "larger", stdin="left,right,larger\n1,2,right\n")
    assert good.exit_code == 0


def test_rows_without_label_are_only_predicted(hanami: Command) -> None:
    """They are counted, and no mistake."""
    hanami("network", "create", "n1", "--channels", "2")

    text = "left,right,larger\n2,1,left\n3,NA,\n1,2,right\n1,9,\n"
    done = hanami("learn", "n1", "--label", "larger", stdin=text)

    assert done.exit_code == 0, done.stderr
    assert "Learned 2 rows" in done.stdout
    assert "2 rows without label were only predicted." in done.stdout


def test_a_mistake_far_down_tells_what_is_kept(hanami: Command) -> None:
    """The rows before it are learned, and a snapshot holds them."""
    hanami("network", "create", "n1", "--channels", "2")
    rows = "".join(f"{n},{n % 5},left\n" for n in range(100))

    done = hanami("learn", "n1", "--label", "larger", stdin=f"a,b,larger\n{rows}1,x,left\n")

    assert done.exit_code == 1
    assert "Line 102, column 'b'" in done.stderr
    assert "100 rows were learned; 100 of them are safe from a crash." in done.stderr
    assert json.loads(hanami("network", "get", "n1", "--json").stdout)["kept_rows"] == 100


def test_names_are_refused_in_words(hanami: Command) -> None:
    """No pattern and no field of the contracts is shown."""
    done = hanami("network", "create", "Not_A_Name", "--channels", "2")

    assert done.exit_code == 1
    assert "lower-case letters, digits and dashes" in done.stderr
    assert "regex" not in done.stderr


def test_networks_by_command(hanami: Command) -> None:
    """List, get and delete; what does not exist is told."""
    hanami("network", "create", "n1", "--channels", "2", "--seed", "3")

    assert "networks/n1" in hanami("network", "list").stdout
    assert json.loads(hanami("network", "get", "n1", "--json").stdout)["kept_rows"] == 0
    assert hanami("network", "delete", "n1", "--yes").exit_code == 0
    missing = hanami("network", "get", "n1")
    assert missing.exit_code == 1
    assert "n1" in missing.stderr


def test_status_and_logs_of_the_mesh(hanami: Command) -> None:
    """Every part serves and has a log."""
    done = hanami("status", "--json")

    services = json.loads(done.stdout)["services"]
    assert done.exit_code == 0
    assert [s["name"] for s in services][-1] == "envoy"
    assert {s["health"] for s in services} == {"serving"}
    assert hanami("logs", "kyouko", "-n", "1").stdout.count("\n") == 1

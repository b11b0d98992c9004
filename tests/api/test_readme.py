"""The README's first session is run as it stands: each command of its console blocks, and what it says comes out."""

import re
import subprocess

from conftest import GRADD, ROOT

END = "--- end of output ---"


def session():
    """Pairs of a command and its output, in the order of the README."""
    text = (ROOT / "README.md").read_text()
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        command = None
        output = ""
        for line in block.splitlines(keepends=True):
            if line.startswith("$ "):
                if command is not None:
                    yield command, output
                command, output = line[2:], ""
            elif command.count("'") % 2 == 1:
                command += line
            else:
                output += line
        yield command, output


def as_pattern(output):
    """What the README shows, with `...` standing for what differs between runs."""
    return ".*".join(re.escape(part) for part in output.strip().split("..."))


def run(commands, address):
    script = "set -e\n" + "".join(f"{command}\necho; echo '{END}'\n" for command in commands)
    done = subprocess.run(
        ["bash"],
        input=script.replace("localhost:8080", address),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(END)[:-1]


def test_first_session(server):
    told = list(session())
    assert len(told) >= 10
    outputs = run([command for command, _ in told], server.url.removeprefix("http://"))
    for (command, expected), actual in zip(told, outputs, strict=True):
        assert re.fullmatch(as_pattern(expected), actual.strip(), re.DOTALL), f"{command}\nanswers\n{actual}"


def test_options(server):
    """The README's list of options is what the program prints."""
    del server
    told = subprocess.run([GRADD, "help"], capture_output=True, text=True, check=True).stdout
    readme = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    for line in told[told.index("  --listen") :].strip().splitlines():
        assert line.strip() in readme

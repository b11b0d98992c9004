#!/usr/bin/python3
"""Runs the mutants of derivative rules and of definitions of composites (tests/mutate/mutate.c) and counts them.

    tests/mutate/mutate.py PROGRAM

Fails where a mutant survives that equivalent.txt does not excuse, where an excused one was killed or is gone, or where a
rule is reached by no test. The last line is the count.
"""
import collections
import pathlib
import subprocess
import sys

EXCUSES = pathlib.Path(__file__).resolve().parent / "equivalent.txt"


def places(program, addresses):
    """Of each address the functions that it lies in, as (function, file, line), innermost inlined one first."""
    asked = "\n".join(addresses) + "\n"
    answer = subprocess.run(["addr2line", "-a", "-f", "-i", "-e", program], input=asked, capture_output=True, text=True,
                            check=True).stdout.splitlines()
    found, at = {}, None
    lines = iter(answer)
    for line in lines:
        if line.startswith("0x"):
            at = found.setdefault(int(line, 16), [])
        else:
            file, number = next(lines).split(" ")[0].rsplit(":", 1)
            at.append((line, pathlib.Path(file).name, number))
    return found


def own_place(frames):
    """The place in a rule's own file: behind the words of builder.h and rules.h that it uses."""
    own = [f for f in frames if f[1].startswith(("rules_", "composites_", "losses."))]
    return own[0] if own else frames[-1]


def excuses():
    lines = [line for line in EXCUSES.read_text().splitlines() if line and not line.startswith("#")]
    return {" | ".join(line.split(" | ")[:4]): line.split(" | ")[4] for line in lines}


def main():
    program = sys.argv[1]
    output = subprocess.run([program], capture_output=True, text=True)
    if output.returncode != 0:
        sys.exit(f"the tests fail without a mutant, or the program does:\n{output.stdout[-2000:]}{output.stderr[-4000:]}")
    mutants, unreached = [], []
    for line in output.stdout.splitlines():
        words = line.split(" ")
        if words[0] == "unreached":
            unreached.append(line)
        elif words[0] in ("killed", "survived"):
            addresses = tuple(w for w in words[4:] if w.startswith("0x"))
            change = " ".join(w for w in words[4:] if not w.startswith("0x"))
            mutants.append((words[0] == "killed", words[1], words[2], words[3], change, addresses))

    where = places(program, sorted({a for m in mutants for a in m[5]}))
    numbers, sites = collections.Counter(), {}
    killed, survivors, excused, known = 0, [], 0, excuses()
    for dead, op, by, node, change, addresses in mutants:
        frames = [f for a in addresses for f in where[int(a, 16)]]
        function, file, line = own_place(frames) if frames else ("-", "-", "-")
        site = (op, by, node, addresses)
        if site not in sites:
            numbers[op, by, function, node] += 1
            sites[site] = numbers[op, by, function, node]
        name = f"{op} {by} | {function} | {node} #{sites[site]} | {change}"
        excuse = known.pop(name, None)
        killed += dead
        if dead and excuse is not None:
            survivors.append(f"not equivalent, for it was killed: {name}")
        elif not dead and excuse is not None:
            excused += 1
        elif not dead:
            survivors.append(f"survived: {name}    ({file}:{line})")
    survivors += [f"equivalent.txt names what is not there: {name}" for name in known]
    for line in sorted(survivors) + unreached:
        print(line)
    print(f"{len(mutants)} mutants, {killed} killed, {excused} equivalent, {len(mutants) - killed - excused} survived, "
          f"{len(unreached)} rules unreached")
    sys.exit(1 if survivors or unreached else 0)


if __name__ == "__main__":
    main()

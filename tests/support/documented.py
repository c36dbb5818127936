"""The commands that pages of the documentation tell their readers to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAMS = ("make", "longshore", ".venv/bin/longshore", "docker", "helm", "kubectl", "apt", "pip", "git", "curl")
"""What a span of code in a sentence begins with if it is a command."""
SHELLS = ("", "sh", "bash", "shell", "console")
"""Fenced blocks of these languages are for a shell, unless they are pictures."""

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PICTURE = re.compile(r"[─│┌└▶→]")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `page`; `before` is what was typed before it that it stands on.

    `in_block` tells one that is to be typed as it stands from one that a sentence names, perhaps without its arguments.
    """

    page: str
    text: str
    before: tuple[str, ...] = ()
    in_block: bool = True

    def script(self, *between: str) -> str:
        """For a shell: what came before, what the tester has to add, and then the command in the shell's place."""
        return "\n".join(["set -eu", *self.before, *between, f"exec env {self.text}"])

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def commands_of(path: Path) -> Iterator[Command]:
    """All commands of a page: each line of its blocks for a shell, and each span of code that begins with a program.

    What is exported holds for the rest of the page, and every other line for the rest of its block.
    """
    page, text = str(path.relative_to(ROOT)), path.read_text()
    exports: list[str] = []
    for language, block in _FENCE.findall(text):
        if language.strip() not in SHELLS or _PICTURE.search(block):
            continue
        typed: list[str] = []
        for line in lines_of(block):
            if line.startswith("export "):
                exports.append(line)
                continue
            yield Command(page, line, (*exports, *typed))
            typed.append(line)
    for span in _SPAN.findall(_FENCE.sub("", text)):
        words = " ".join(span.split())
        program, _, rest = words.partition(" ")
        if program in PROGRAMS and (rest or program == "make"):
            yield Command(page, words, tuple(exports), in_block=False)


def lines_of(block: str) -> Iterator[str]:
    """The commands of a block for a shell: continued lines as one, without comments and heredocs."""
    block = re.sub(r"(<<-?\s*(\w+).*?\n).*?^\2$", r"\1", block.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        words = re.sub(r"(^|\s)#.*$", "", line).strip()
        if words:
            yield re.sub(r"\s+", " ", words)


def calls_of_longshore(command: Command) -> Iterator[list[str]]:
    """The words behind each `longshore` that a command calls, whatever stands before and around it."""
    text = re.sub(r"<[\w -]+>", "PLACEHOLDER", command.text)
    for part in re.split(r"&&|\|\||[;|]", text):
        words = shlex.split(re.sub(r"\d?>.*$", "", part))
        for number, word in enumerate(words):
            if word in ("longshore", ".venv/bin/longshore") and _is_called(words[:number]):
                yield words[number + 1 :]
                break


def _is_called(before: list[str]) -> bool:
    """Whether what stands before `longshore` makes it the program: nothing, variables, or a way into a container."""
    rest = [word for word in before if not re.fullmatch(r"\w+=.*", word)]
    return not rest or rest[:3] == ["docker", "compose", "exec"] or (rest[:2] == ["kubectl", "exec"] and "--" in rest)

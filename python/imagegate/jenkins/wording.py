"""Messages of the command in the words of a Jenkinsfile: its parameters where the command names options. Pure."""

from __future__ import annotations

import re

from imagegate.jenkins.step import Step

_LOGIN = re.compile(r"Log in with `docker login [^`]*`\.")


def in_parameters(words: str, step: Step) -> str:
    """Return words of an error with the options and variables that they name as the step's parameters.

    A step that runs any command has no parameters for its options, so that they stay as they are.
    """
    names = {each.option: each.name for each in step.parameters if each.option}
    names |= {variable: each.name for each in step.credentials for variable in each.variables}
    if not step.verb:
        return words
    if names:
        pattern = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        words = re.sub(rf"(?<![\w-])({pattern})(?![\w-])", lambda found: f"`{names[found[1]]}`", words)
    return _LOGIN.sub(
        "Name its credential by `registryCredentials`, with the host in IMAGEGATE_REGISTRY_HOST, or by `dockerConfig`.",
        words,
    )

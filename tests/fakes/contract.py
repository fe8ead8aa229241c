"""Exchanges held against Anchore's own OpenAPI documents: Engine's (Swagger 2.0) and Enterprise's (OpenAPI 3.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft4Validator

DOCUMENTS = Path(__file__).parents[3] / "shared" / "anchore"
_FILES = {"v1": "openapi-engine-v1.yaml", "v2": "openapi-enterprise-v2.yaml"}

DEVIATIONS = {
    "GET /images/D/content/files 200: response: content/N/size: N is not of type 'string'",
    "GET /events 200: response: results/N/event/source/request_id: None is not of type 'string'",
    "GET /events 200: response: results/N/event/resource/id: None is not of type 'string'",
    "GET /policies 200: response: N/policybundle: 'id' is a required property",
    "GET /policies 200: response: N/policybundle: 'version' is a required property",
    "GET /policies 200: response: N/policybundle: 'policies' is a required property",
    "GET /policies 200: response: N/policybundle: 'mappings' is a required property",
    "POST /policies 200: query: there is no parameter 'detail'",
    "POST /policies 400: query: there is no parameter 'detail'",
    "DELETE /images/D 200: response: detail: None is not of type 'string'",
    "POST /images 400: request: source/tag/dockerfile: 'not base64!' does not match '^[a-zA-Z0-9+/=]+$'",
    "GET /images/D/check 400: query: the parameter 'tag' is missing",
    "POST /oauth/token 200: response: : 'token' is a required property",
}
"""Where the real engine, or the client that was recorded, does not keep to the engine's own document."""


def general(violation: str) -> str:
    """Return a violation without its digests and numbers."""
    text = re.sub(r"sha256:[0-9a-f]{64}", "D", violation)
    text = re.sub(r"size: \d+", "size: N", re.sub(r"(?<=response: )\d+/", "N/", text))
    return re.sub(r"/\d+/", "/N/", text)


class Contract:
    """One version of the API."""

    def __init__(self, api: str) -> None:
        self.document = _load(_FILES[api])
        self._prefix = f"/{api}"
        self._validators: dict[int, Draft4Validator] = {}
        self._paths = [
            (
                re.compile(
                    re.sub(r"\\?\{[^}]+\\?\}", "[^/]+", re.escape(path).replace("\\{", "{").replace("\\}", "}"))
                ),
                path,
            )
            for path in self.document["paths"]
        ]

    def violations(self, method: str, url: str, request: Any, status: int, response: Any) -> list[str]:
        """Return what an exchange has that the document does not allow, empty when nothing."""
        parts = urlsplit(url)
        if not parts.path.startswith(self._prefix):
            return []
        path = parts.path.removeprefix(self._prefix) or "/"
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path}: the document has no such operation"]
        where = f"{method} {path} {status}"
        return [
            *(f"{where}: query: {each}" for each in self._query(operation, parts.query)),
            *(f"{where}: request: {each}" for each in self._errors(self._request(operation), request)),
            *(f"{where}: response: {each}" for each in self._errors(self._response(operation, status), response)),
        ]

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        exact = self.document["paths"].get(path)
        matching = (
            [exact]
            if exact
            else [self.document["paths"][template] for regex, template in self._paths if regex.fullmatch(path)]
        )
        found = next((item for item in matching if method.lower() in item), None)
        if found is None:
            return None
        shared = found.get("parameters", [])
        operation: dict[str, Any] = found[method.lower()]
        return {**operation, "parameters": [*shared, *operation.get("parameters", [])]}

    def _query(self, operation: dict[str, Any], query: str) -> Iterator[str]:
        parameters = {
            each["name"]: each for each in map(self._resolve, operation["parameters"]) if each["in"] == "query"
        }
        given = dict(parse_qsl(query, keep_blank_values=True))
        for name, value in given.items():
            if name not in parameters:
                yield f"there is no parameter {name!r}"
                continue
            schema = parameters[name].get("schema", parameters[name])
            if schema.get("type") == "boolean" and value.lower() not in ("true", "false"):
                yield f"{name}={value} is no boolean"
            if "enum" in schema and value not in schema["enum"]:
                yield f"{name}={value} is none of {schema['enum']}"
        for name, each in parameters.items():
            if each.get("required") and name not in given:
                yield f"the parameter {name!r} is missing"

    def _request(self, operation: dict[str, Any]) -> dict[str, Any] | None:
        if "requestBody" in operation:
            return self._content(self._resolve(operation["requestBody"]))
        bodies = [each for each in map(self._resolve, operation["parameters"]) if each["in"] == "body"]
        return bodies[0]["schema"] if bodies else None

    def _response(self, operation: dict[str, Any], status: int) -> dict[str, Any] | None:
        found = operation["responses"].get(str(status)) or operation["responses"].get("default")
        if found is None:
            return None
        response = self._resolve(found)
        schema = response.get("schema") if "schema" in response else self._content(response)
        return None if schema and schema.get("type") == "file" else schema

    def _content(self, about: dict[str, Any]) -> dict[str, Any] | None:
        content: dict[str, Any] = about.get("content", {})
        found = content.get("application/json") or content.get("*/*")
        return found.get("schema") if found else None

    def _resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            at: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                at = at[name]
            part = at
        return part

    def _validator(self, schema: dict[str, Any]) -> Draft4Validator:
        if id(schema) not in self._validators:
            self._validators[id(schema)] = Draft4Validator({**self.document, **schema})
        return self._validators[id(schema)]

    def _errors(self, schema: dict[str, Any] | None, value: Any) -> Iterator[str]:
        if schema is None or value is None:
            return
        for error in self._validator(schema).iter_errors(value):
            yield f"{'/'.join(map(str, error.path))}: {error.message[:200]}"


@cache
def _load(name: str) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (DOCUMENTS / name).read_text()
    document = _nullable(yaml.load(text, Loader=loader))  # noqa: S506 - a safe one
    return json.loads(json.dumps(document, default=str))  # type: ignore[no-any-return]


def _nullable(node: Any) -> Any:
    """Say in JSON Schema's words what may be null: `nullable` of OpenAPI 3.0, `x-nullable` of Swagger's users."""
    if isinstance(node, list):
        return [_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: _nullable(value) for name, value in node.items()}
    if (found.get("nullable") or found.get("x-nullable")) is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
    return found

"""``/docs``: the OpenAPI document as one page that loads nothing from elsewhere and runs no script."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2563eb; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; text-transform: capitalize; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; }
summary { padding: .45rem .7rem; cursor: pointer; display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
details[open] > summary { border-bottom: 1px solid var(--line); }
.method { font: 600 .8rem ui-monospace, monospace; width: 4.2rem; color: var(--accent); }
code, pre { font: .85rem/1.45 ui-monospace, monospace; } pre { background: var(--soft); padding: .7rem; overflow: auto; }
.scope { margin-left: auto; font-size: .8rem; opacity: .75; } .body { padding: .3rem .8rem .8rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; }
"""


def page(document: dict[str, Any]) -> bytes:
    """The page, whole."""
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    parts = [f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in sorted(groups.items())]
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])} "
        f'<a href="/openapi.json">openapi.json</a></p>{"".join(parts)}<h2>Schemas</h2>{schemas}</html>'
    ).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    scope = operation.get("x-scope")
    body = "".join((_parameters(operation["parameters"]), _request(operation), _responses(operation["responses"])))
    return (
        f'<details><summary><span class="method">{method.upper()}</span><code>{escape(path)}</code>'
        f'<span>{escape(operation["summary"])}</span><span class="scope">{escape(scope or "open")}</span></summary>'
        f'<div class="body">{body}</div></details>'
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td><code>{escape(each['name'])}</code><td>{each['in']}<td>{'required' if each['required'] else ''}"
        f"<td><code>{escape(_type(each['schema']))}</code>"
        for each in parameters
    ]
    return f"<p>Parameters</p><table>{''.join(rows)}</table>" if rows else ""


def _request(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    rows = [f"<p>Body <code>{escape(kind)}</code>: {_link(each['schema'])}</p>" for kind, each in content.items()]
    return "".join(rows)


def _responses(responses: dict[str, Any]) -> str:
    rows = []
    for status, response in responses.items():
        shapes = [_link(each["schema"]) for each in response.get("content", {}).values() if "schema" in each]
        rows.append(f"<tr><td>{status}<td>{escape(response['description'])}<td>{', '.join(shapes)}")
    return f"<p>Answers</p><table>{''.join(rows)}</table>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{escape(text)}</pre></details>'


def _link(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref", "").rpartition("/")[2]
    return f'<a href="#{escape(reference)}">{escape(reference)}</a>' if reference else escape(_type(schema))


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("type") or schema.get("$ref", "").rpartition("/")[2])

import type { ApiDocument, Operation, Schema } from './document.ts';
import { escapeHtml, prose } from './html.ts';
import { typeText } from './schema-text.ts';

/** Who a caller must be, by the names of the document's security schemes. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  apiKey: 'an API key in <code>X-API-Key</code>',
  bearer: '<code>Authorization: Bearer</code> with a key or a sign-in token',
  webhook: '<code>X-Webhook-Id</code> and <code>X-Webhook-Signature</code>',
  taskToken: 'the token of a task’s runner',
};

/** The reference as one page of HTML: nothing in it is loaded from anywhere, and nothing in it runs. */
export function referencePage(document: ApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const tags = [...new Set(operations.map(({ operation }) => tagOf(operation)))];
  const sections = tags.map((tag) => {
    const own = operations.filter(({ operation }) => tagOf(operation) === tag);
    return `<section><h2 id="${escapeHtml(tag)}">${escapeHtml(tag)}</h2>${own.map(operationHtml).join('')}</section>`;
  });
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const { title, version, description } = document.info;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} API</title><style>${STYLE}</style></head><body>
<nav><strong>${escapeHtml(title)}</strong>${[...tags, 'schemas'].map((tag) => `<a href="#${escapeHtml(tag)}">${escapeHtml(tag)}</a>`).join('')}<a href="/openapi.json">openapi.json</a></nav>
<main><h1>${escapeHtml(title)} API, version ${escapeHtml(version)}</h1><p>${prose(description ?? '')}</p>
<p>Success is <code>{"data": …}</code>, a list has <code>pagination</code> beside it, a failure is <code>{"error": {"code", "message", "request_id"}}</code>. Every answer has <code>X-Request-Id</code>.</p>
${sections.join('\n')}
<section><h2 id="schemas">schemas</h2>${schemas.map(schemaHtml).join('')}</section></main></body></html>
`;
}

const tagOf = ({ tags }: Operation): string => tags?.[0] ?? 'other';

function operationHtml({
  method,
  path,
  operation,
}: {
  method: string;
  path: string;
  operation: Operation;
}): string {
  const {
    operationId,
    summary = '',
    description,
    parameters = [],
    requestBody,
    responses,
    security,
  } = operation;
  const body = requestBody?.content['application/json']?.schema;
  const parts = [
    description === undefined ? '' : `<p>${prose(description)}</p>`,
    `<p>${security ? needs(security) : 'Needs no key.'}</p>`,
    parameters.length === 0
      ? ''
      : tableOf(
          ['parameter', 'in', 'value'],
          parameters.map(({ name, in: place, required, schema, description: text }) => [
            `<code>${escapeHtml(name)}</code>${required ? '' : ' <small>optional</small>'}`,
            escapeHtml(place),
            typeText(schema) + (text === undefined ? '' : `<br>${prose(text)}`),
          ]),
        ),
    body === undefined ? '' : `<p>Body: ${typeText(body)}</p>`,
    tableOf(
      ['status', 'meaning', 'answer'],
      Object.entries(responses).map(([status, { description: text, content = {} }]) => [
        escapeHtml(status),
        prose(text),
        Object.entries(content)
          .map(([type, { schema }]) => (type === 'application/json' ? typeText(schema) : escapeHtml(type)))
          .join(', '),
      ]),
    ),
  ];
  return `<details id="${escapeHtml(operationId)}"><summary><b class="${method}">${method}</b> <code>${escapeHtml(path)}</code> <span>${prose(summary)}</span></summary>${parts.join('')}</details>`;
}

function needs(security: Record<string, string[]>[]): string {
  const ways = security.flatMap(Object.keys).map((name) => CREDENTIALS[name] ?? escapeHtml(name));
  const scopes = [...new Set(security.flatMap(Object.values<string[]>).flat())];
  const scope =
    scopes.length === 0
      ? ''
      : `; scope ${scopes.map((name) => `<code>${escapeHtml(name)}</code>`).join(', ')}`;
  return `Needs ${ways.join(', or ')}${scope}.`;
}

function schemaHtml([name, schema]: [string, Schema]): string {
  const fields = Object.entries(schema.properties ?? {}).map(([field, value]) => [
    `<code>${escapeHtml(field)}</code>${schema.required?.includes(field) ? '' : ' <small>optional</small>'}`,
    typeText(value) + (value.description === undefined ? '' : `<br>${prose(value.description)}`),
  ]);
  const inner = fields.length === 0 ? `<p>${typeText(schema)}</p>` : tableOf(['field', 'value'], fields);
  return `<h3 id="schema-${escapeHtml(name)}">${escapeHtml(name)}</h3>${inner}`;
}

/** Cells are HTML. */
function tableOf(heads: string[], rows: string[][]): string {
  const row = (cells: string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
  return `<table>${row(heads, 'th')}${rows.map((cells) => row(cells, 'td')).join('')}</table>`;
}

const STYLE = `
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 15%,transparent);--soft:color-mix(in srgb,currentColor 6%,transparent)}
*{box-sizing:border-box}body{font:15px/1.55 system-ui,sans-serif;margin:0;display:flex}
nav{position:sticky;top:0;height:100vh;padding:1.5rem;min-width:11rem;border-right:1px solid var(--line);display:flex;flex-direction:column;gap:.4rem}
nav a{color:inherit;text-decoration:none}nav a:hover,main a:hover{text-decoration:underline}
main{padding:1.5rem 2rem;max-width:66rem;min-width:0;flex:1}h2{margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}h3{margin:1.5rem 0 .3rem}
details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0}summary{padding:.5rem .8rem;cursor:pointer}
details[open]>summary{border-bottom:1px solid var(--line)}details>:not(summary){margin:.7rem .8rem}
summary span{opacity:.7;margin-left:.5rem}summary b{display:inline-block;min-width:4.2rem;font-size:.8em}
.GET{color:#2f7d4f}.POST{color:#2563c9}.PUT{color:#b06a00}.DELETE{color:#c0392b}
code{font:.92em ui-monospace,monospace;background:var(--soft);padding:0 .25em;border-radius:3px;overflow-wrap:anywhere}
table{border-collapse:collapse;width:calc(100% - 1.6rem)}h3+table{width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}th{font-weight:600;opacity:.6}
td:first-child{white-space:nowrap}small{opacity:.65}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;flex-flow:row wrap;border:0}main{padding:1rem}td:first-child{white-space:normal}}
`;

import type { Schema } from './document.ts';
import { escapeHtml } from './html.ts';

const REF = '#/components/schemas/';

/** What a value may be, in a few words of HTML: a named schema is a link to it. */
export function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = escapeHtml(schema.$ref.replace(REF, ''));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum) return schema.enum.map(code).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(typeText))].join(' | ');
  if (schema.allOf) return schema.allOf.map(typeText).join(' and ');
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length === 0) return 'anything';
  return types.map((type) => plainType(type, schema)).join(' | ');
}

function plainType(type: string, schema: Schema): string {
  if (type === 'array')
    return `array of ${schema.items ? typeText(schema.items) : 'anything'}${sizes(schema)}`;
  if (type !== 'object') return `${escapeHtml(type)}${sizes(schema)}`;
  const { properties, additionalProperties } = schema;
  if (properties && Object.keys(properties).length > 0) {
    const fields = Object.entries(properties).map(
      ([name, value]) => `${escapeHtml(name)}: ${typeText(value)}`,
    );
    return `{ ${fields.join(', ')} }`;
  }
  return typeof additionalProperties === 'object' ? `object of ${typeText(additionalProperties)}` : 'object';
}

/** The limits that a schema sets. */
function sizes({
  minimum,
  maximum,
  minLength,
  maxLength,
  minItems,
  maxItems,
  pattern,
  default: value,
}: Schema): string {
  const limits = [
    range(minimum, maximum, ''),
    range(minLength, maxLength, ' characters'),
    range(minItems, maxItems, ' items'),
    pattern === undefined ? '' : `like ${code(pattern)}`,
    value === undefined ? '' : `default ${code(value)}`,
  ].filter(Boolean);
  return limits.length === 0 ? '' : ` <small>(${limits.join('; ')})</small>`;
}

/** Bounds that only say which numbers a computer can hold are left out. */
function range(low: number | undefined, high: number | undefined, unit: string): string {
  const from = low === undefined || low <= Number.MIN_SAFE_INTEGER ? undefined : low.toLocaleString('en');
  const to = high === undefined || high >= Number.MAX_SAFE_INTEGER ? undefined : high.toLocaleString('en');
  if (from === undefined && to === undefined) return '';
  if (to === undefined) return `from ${from}${unit}`;
  return from === undefined ? `at most ${to}${unit}` : `${from} to ${to}${unit}`;
}

const code = (value: unknown): string =>
  `<code>${escapeHtml(typeof value === 'string' ? value : JSON.stringify(value))}</code>`;

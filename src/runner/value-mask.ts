import { formsOf, SHORTEST_SECRET } from './redact.ts';

/** Hides known values, and nothing else: for text whose well-known formats are hidden already. */
export interface ValueMask {
  text(text: string): string;
  /** The same, where every text must keep its number of bytes: a log, which is put together by offsets. */
  sameLength(text: string): string;
}

const MASK = '[redacted]';

/**
 * `values` are hidden as they are, for a URL, for JSON, in base64 and in hexadecimal digits; of `name:password` the password alone
 * as well. So is the beginning of one that a text ends with, since previews are cut. Values under 8 characters are left.
 */
export function createValueMask(values: Iterable<string>): ValueMask {
  const hidden = [...new Set([...values].flatMap(partsOf))]
    .filter((value) => value.length >= SHORTEST_SECRET)
    .flatMap(formsOf);
  const forms = [...new Set(hidden)].sort((a, b) => b.length - a.length);
  const masked =
    (maskOf: (form: string) => string) =>
    (text: string): string => {
      let output = text;
      for (const form of forms) output = output.replaceAll(form, () => maskOf(form));
      const begun = beginningAtEnd(output, forms);
      return begun === '' ? output : output.slice(0, -begun.length) + maskOf(begun);
    };
  return {
    text: masked(() => MASK),
    sameLength: masked((form) => {
      const bytes = Buffer.byteLength(form);
      return MASK.padEnd(bytes, '*').slice(0, bytes);
    }),
  };
}

function partsOf(value: string): string[] {
  const trimmed = value.trim();
  const colon = trimmed.indexOf(':');
  const password = /^[^\s:]{1,100}:\S+$/.test(trimmed) ? trimmed.slice(colon + 1) : '';
  return [trimmed, password];
}

/** The longest beginning of a form, long enough to be told, that the text ends with. */
function beginningAtEnd(text: string, forms: readonly string[]): string {
  let start = text.length;
  for (const form of forms) {
    const head = form.slice(0, SHORTEST_SECRET);
    const from = Math.max(0, text.length - form.length + 1);
    for (let at = text.indexOf(head, from); at !== -1 && at < start; at = text.indexOf(head, at + 1))
      if (form.startsWith(text.slice(at))) start = at;
  }
  return text.slice(start);
}

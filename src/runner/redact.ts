/** Hides secrets in text that leaves the machine: logs, previews, error messages, commits' diffs. */

export interface Redactor {
  /** For a text that is whole. */
  text(text: string): string;
  /** What kind of secret a text holds; undefined when it holds none. */
  find(text: string): string | undefined;
  /** For a text that comes in pieces: holds back what could be the beginning of a secret. */
  stream(): RedactionStream;
}

export interface RedactionStream {
  push(piece: string): string;
  /** What was held back. */
  end(): string;
}

const MASK = '[redacted]';

/**
 * Formats by which well-known secrets are told; each starts with something that hardly stands for anything else. Whatever is
 * looked for after a part of any length has a limit: a text that is made for it must not keep the runner busy.
 */
const SECRET_FORMATS: readonly { name: string; pattern: RegExp }[] = [
  { name: 'AWS access key', pattern: /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/ },
  {
    name: 'AWS secret key',
    pattern:
      /\baws_?(?:secret_?)?(?:access_?)?(?:key|token)['"]?\s*[:=]\s*['"]?[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=])/i,
  },
  { name: 'GitHub token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b/ },
  { name: 'GitLab token', pattern: /\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_-]{20,}/ },
  { name: 'Slack token', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}/ },
  {
    name: 'Slack webhook',
    pattern: /\bhttps:\/\/hooks\.slack\.com\/(?:services|workflows)\/[A-Za-z0-9/_-]{20,}/,
  },
  { name: 'Anthropic key', pattern: /\bsk-ant-[A-Za-z0-9_-]{20,}/ },
  {
    name: 'OpenAI key',
    // Without a digit it's rather a class of a style sheet.
    pattern: /\bsk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{32,}|(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{32,})/,
  },
  { name: 'Hugging Face token', pattern: /\b(?:hf_|api_org_)[A-Za-z0-9]{34,}\b/ },
  { name: 'Google key', pattern: /\bAIza[A-Za-z0-9_-]{35}\b/ },
  { name: 'Google OAuth token', pattern: /\bya29\.[A-Za-z0-9_-]{20,}/ },
  { name: 'Google OAuth secret', pattern: /\bGOCSPX-[A-Za-z0-9_-]{28}/ },
  { name: 'Stripe key', pattern: /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9+/=]{32,}/ },
  { name: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/ },
  { name: 'PyPI token', pattern: /\bpypi-[A-Za-z0-9_-]{40,}/ },
  { name: 'SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/ },
  { name: 'bgagent key', pattern: /\bbgak_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}/ },
  {
    name: 'JSON web token',
    pattern: /\beyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,}/,
  },
  {
    name: 'authorization header',
    // A stand-in such as YOUR_TOKEN has no digit.
    pattern:
      /\bauthorization['"]?\s*[:=]\s*['"]?(?:basic\s+[A-Za-z0-9+/=]{8,}|(?:bearer|token)\s+(?=[A-Za-z+/_.=-]{0,200}\d)[A-Za-z0-9+/_.=-]{8,})/i,
  },
  {
    name: 'password in a URL',
    // Not for stand-ins: variables, `<password>`, `***`, and the words that examples are written with.
    pattern:
      /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@'"]{0,100}:(?![$<{[%*]|(?:your[_-]?)?(?:x+|pass|passwd|password|pwd|secret|token|changeme|example|user|root|guest|test|postgres)@)[^\s/@'"]{3,200}@(?=[^\s])/i,
  },
  {
    name: 'password in a connection string',
    pattern:
      /\b(?:server|data source|host)\s*=[^;\n]{1,200};[^\n]{0,300}?\b(?:password|pwd)\s*=\s*(?![$<{[%*])[^;\s'"]{3,200}/i,
  },
  { name: 'Azure key', pattern: /\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}/ },
  {
    name: 'private key',
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$(?![\s\S]))/,
  },
];

const ALL_FORMATS = new RegExp(
  SECRET_FORMATS.map(({ pattern: { source, flags } }) => `(?${flags}:${source})`).join('|'),
  'g',
);
const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;

/** Characters of an unfinished line that are held back, at least; no known format but a private key is longer. */
const HOLD_BACK = 1_024;
/** A line longer than this is cut: it is no line of text. */
const LONGEST_LINE = 16_384;
/** A value with fewer characters (the `test` of a server that takes any key) is no secret: to hide it would spoil ordinary text. */
export const SHORTEST_SECRET = 8;
const SHORTEST_ENCODED = 8;

/** `values` are hidden wherever they show up, also encoded for a URL, for JSON, in base64 and in hexadecimal digits. */
export function createRedactor(values: readonly string[]): Redactor {
  const secrets = [
    ...new Set(values.filter((value) => value.length >= SHORTEST_SECRET).flatMap((value) => formsOf(value))),
  ].sort((a, b) => b.length - a.length);
  const holdBack = Math.max(HOLD_BACK, ...secrets.map((secret) => secret.length));
  const text = (input: string): string => {
    let output = input;
    for (const secret of secrets) output = output.replaceAll(secret, MASK);
    return output.replace(ALL_FORMATS, MASK);
  };
  return {
    text,
    find: (input) =>
      secrets.some((secret) => input.includes(secret))
        ? 'a secret of the platform'
        : SECRET_FORMATS.find(({ pattern }) => pattern.test(input))?.name,
    stream: () =>
      createStream(
        text,
        holdBack,
        secrets.some((secret) => secret.includes('\n')),
      ),
  };
}

/** A value as it may show up. */
export function formsOf(value: string): string[] {
  const hex = Buffer.from(value).toString('hex');
  return [
    value,
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    ...[0, 1, 2].flatMap((offset) => base64At(value, offset)),
    ...(hex.length < SHORTEST_ENCODED ? [] : [hex]),
  ];
}

/** The base64 that a value has inside of something longer, after `offset` bytes; without what depends on its neighbours. */
function base64At(value: string, offset: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]);
  const whole = bytes.toString('base64').replace(/=+$/, '');
  const text = whole.slice(offset === 0 ? 0 : offset + 1, bytes.length % 3 === 0 ? undefined : -1);
  return text.length < SHORTEST_ENCODED ? [] : [text, text.replaceAll('+', '-').replaceAll('/', '_')];
}

function createStream(
  redact: (text: string) => string,
  holdBack: number,
  severalLines: boolean,
): RedactionStream {
  let held = '';
  let inKey = false;
  /** Gives out what is before `end` and keeps the rest. */
  const release = (end: number): string => {
    const whole = held.slice(0, end);
    held = held.slice(end);
    return redact(whole);
  };
  const afterKey = (): void => {
    const end = KEY_END.exec(held);
    // The end mark itself may be cut in two.
    if (!end) held = held.slice(-64);
    else {
      held = held.slice(end.index + end[0].length);
      inKey = false;
    }
  };
  return {
    push(piece) {
      held += piece;
      let out = '';
      for (;;) {
        if (inKey) {
          afterKey();
          if (inKey) return out;
        }
        const begin = KEY_BEGIN.exec(held);
        if (!begin) break;
        out += release(begin.index) + MASK;
        held = held.slice(begin[0].length);
        inKey = true;
      }
      const lineEnd = severalLines ? -1 : held.lastIndexOf('\n') + 1;
      if (lineEnd > 0) out += release(lineEnd);
      if (held.length > LONGEST_LINE + holdBack) out += release(cutBefore(held, held.length - holdBack));
      return out;
    },
    end() {
      const out = inKey ? '' : redact(held);
      held = '';
      return out;
    },
  };
}

/** A place to cut at or before `at` where no word is cut in two; `at` itself when there is none near. */
function cutBefore(text: string, at: number): number {
  for (let index = at; index > at - HOLD_BACK && index > 0; index -= 1)
    if (/\s/.test(text[index - 1] ?? '')) return index;
  return at;
}

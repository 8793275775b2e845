/** Hides secrets in text that leaves the machine: logs, previews, error messages, commits' diffs. */

export interface Redactor {
  /** For a text that is whole. */
  text(text: string): string;
  /** For a text that comes in pieces: holds back what could be the beginning of a secret. */
  stream(): RedactionStream;
}

export interface RedactionStream {
  push(piece: string): string;
  /** What was held back. */
  end(): string;
}

const MASK = '[redacted]';

/** Formats by which well-known secrets are told; each starts with something that hardly stands for anything else. */
export const SECRET_FORMATS: readonly { name: string; pattern: RegExp }[] = [
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
  { name: 'OpenAI key', pattern: /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}/ },
  { name: 'Google key', pattern: /\bAIza[A-Za-z0-9_-]{35}\b/ },
  { name: 'Google OAuth token', pattern: /\bya29\.[A-Za-z0-9_-]{20,}/ },
  { name: 'Stripe key', pattern: /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/ },
  { name: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/ },
  { name: 'PyPI token', pattern: /\bpypi-[A-Za-z0-9_-]{40,}/ },
  { name: 'SendGrid key', pattern: /\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}/ },
  { name: 'bgagent key', pattern: /\bbgak_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}/ },
  { name: 'JSON web token', pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/ },
  {
    name: 'authorization header',
    pattern: /\bauthorization['"]?\s*[:=]\s*['"]?(?:basic|bearer|token)\s+[A-Za-z0-9+/_.=-]{8,}/i,
  },
  {
    name: 'password in a URL',
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@'"]{1,100}:[^\s/@'"]{3,200}@(?=[^\s])/i,
  },
  {
    name: 'private key',
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$(?![\s\S]))/,
  },
];

const ALL_FORMATS = new RegExp(SECRET_FORMATS.map(({ pattern }) => `(?:${pattern.source})`).join('|'), 'gi');
const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;

/** Characters of an unfinished line that are held back, at least; no known format but a private key is longer. */
const HOLD_BACK = 1_024;
/** A line longer than this is cut: it is no line of text. */
const LONGEST_LINE = 16_384;
/** Shorter values would hide half of the text. */
const SHORTEST_VALUE = 4;

/** `values` are hidden wherever they show up, also in base64. */
export function createRedactor(values: readonly string[]): Redactor {
  const secrets = values
    .filter((value) => value.length >= SHORTEST_VALUE)
    .flatMap((value) => [
      value,
      Buffer.from(value).toString('base64').replace(/=+$/, ''),
      encodeURIComponent(value),
    ])
    .sort((a, b) => b.length - a.length);
  const holdBack = Math.max(HOLD_BACK, ...secrets.map((secret) => secret.length));
  const text = (input: string): string => {
    let output = input;
    for (const secret of secrets) output = output.replaceAll(secret, MASK);
    return output.replace(ALL_FORMATS, MASK);
  };
  return {
    text,
    stream: () =>
      createStream(
        text,
        holdBack,
        secrets.some((secret) => secret.includes('\n')),
      ),
  };
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

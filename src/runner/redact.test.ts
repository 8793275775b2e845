import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from './redact.ts';

/** Made up at run time, so that nobody's scanner takes this file for a leak. */
const some = (characters: string, length: number): string => characters.repeat(length).slice(0, length);
const KEYS: [string, string][] = [
  ['AWS access key', `AKIA${some('Q7', 16)}`],
  ['AWS secret key', `aws_secret_access_key = ${some('aB3/', 40)}`],
  ['GitHub token', `ghp_${some('a1B2', 36)}`],
  ['fine-grained GitHub token', `github_pat_${some('a1B2', 40)}`],
  ['GitLab token', `glpat-${some('a1B2', 20)}`],
  ['Slack token', `xoxb-${some('12', 12)}-${some('ab', 12)}`],
  [
    'Slack webhook',
    `https://hooks.slack.com/services/${some('T0A1', 9)}/${some('B0A1', 9)}/${some('a1', 24)}`,
  ],
  ['Anthropic key', `sk-ant-api03-${some('a1-B', 40)}`],
  ['OpenAI key', `sk-proj-${some('a1B2', 48)}`],
  ['Google key', `AIza${some('a1B2', 35)}`],
  ['Stripe key', `sk_live_${some('a1B2', 24)}`],
  ['npm token', `npm_${some('a1B2', 36)}`],
  ['JSON web token', `eyJ${some('a1', 20)}.eyJ${some('b2', 20)}.${some('c3', 20)}`],
  ['authorization header', `Authorization: Bearer ${some('a1B2', 30)}`],
  ['short-lived AWS access key', `ASIA${some('Q7', 16)}`],
  ['GitHub app token', `ghs_${some('a1B2', 36)}`],
  ['GitHub user token', `ghu_${some('a1B2', 36)}`],
  ['OpenAI key of the old kind', `sk-${some('a1B2', 48)}`],
  ['Slack app token', `xapp-1-${some('A1', 11)}-${some('12', 13)}`],
  ['Google OAuth token', `ya29.${some('a1-B', 40)}`],
  ['Google OAuth secret', `GOCSPX-${some('a1-B', 28)}`],
  ['restricted Stripe key', `rk_live_${some('a1B2', 24)}`],
  ['Stripe webhook secret', `whsec_${some('a1B2', 32)}`],
  ['PyPI token', `pypi-${some('AgEIcHlw', 60)}`],
  ['Hugging Face token', `hf_${some('aBcD', 34)}`],
  ['SendGrid key', `SG.${some('a1', 22)}.${some('b2', 43)}`],
  ['bgagent key', `bgak_${some('01AB', 26)}_${some('a1-B', 32)}`],
  ['Azure connection string', `AccountName=octo;AccountKey=${some('aB3/', 86)}==`],
  ['connection string of a database', 'Server=db.example.com;Database=hello;User Id=octo;Password=hunter22'],
  ['password without a user in a URL', 'redis://:hunter22@cache.example.com:6379'],
  ['password in a connection string', 'postgres://octo:hunter22@db.example.com:5432/hello'],
  ['password in a git URL', 'https://octo:hunter22@example.com/octo/hello'],
];
const PRIVATE_KEY = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  ...Array.from({ length: 20 }, (_, n) => some(`line${n}`, 64)),
  '-----END OPENSSH PRIVATE KEY-----',
].join('\n');

const inPieces = (text: string, values: readonly string[], cuts: readonly number[]): string => {
  const stream = createRedactor(values).stream();
  const ends = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  let out = '';
  for (const end of [...ends, text.length]) {
    out += stream.push(text.slice(from, end));
    from = end;
  }
  return out + stream.end();
};

describe('redaction', () => {
  it.each(KEYS)('hides a %s', (_, secret) => {
    const text = createRedactor([]).text(`before ${secret} after`);
    expect(text).toMatch(/^before .*\[redacted\].* after$/);
    // Of a URL with a password only the password is secret.
    expect(text).not.toContain(secret.includes('hunter22') ? 'hunter22' : secret.slice(-12));
  });

  it('hides a private key whole, and one that is cut off', () => {
    const redactor = createRedactor([]);
    expect(redactor.text(`a\n${PRIVATE_KEY}\nb`)).toBe('a\n[redacted]\nb');
    expect(redactor.text(`a\n${PRIVATE_KEY.slice(0, 200)}`)).toBe('a\n[redacted]');
  });

  it('hides given values, and their base64 and URL forms', () => {
    const { text } = createRedactor(['s3cret/value+1']);
    expect(text(`s3cret/value+1 ${btoa('s3cret/value+1')} s3cret%2Fvalue%2B1`)).not.toMatch(
      /s3cret|czNjcmV0/,
    );
  });

  it('leaves ordinary text alone', () => {
    const text =
      'See https://example.com/a:b and https://octo@example.com, sk-short, a token: none, user:pass, eyJ. 123 ABC\n';
    expect(createRedactor(['abc']).text(text)).toBe(text);
  });

  it('takes the key of a server that takes any for no secret', () => {
    const redactor = createRedactor(['test', 'x', 'dummy']);
    expect(redactor.text('npm test && tar -x dummy.tar')).toBe('npm test && tar -x dummy.tar');
    expect(redactor.find('a test, next to x')).toBeUndefined();
  });

  it.each([
    'AKIA1234 and AKIAQ7Q7Q7Q7Q7Q7Q7Q7Q7, which is longer than a key',
    'akiaq7q7q7q7q7q7q7q7, small letters',
    'aws_region = eu-central-1, aws_secret_access_key = $AWS_SECRET_ACCESS_KEY',
    'ghp_short, ghp_ and github_pat_ as prefixes',
    'glpat-short',
    'sk-ant-short',
    '.sk-circle-fade-dot-animation-container-element { }',
    'a task-00000000-0000-0000-0000-000000000000-is-no-key',
    'hf_hub_download(repo_id, filename_of_what_is_downloaded)',
    'npm_config_registry and npm_lifecycle_event',
    'pypi-publish',
    'sk_live_ is how they begin, pk_live_a1B2a1B2a1B2a1B2a1B2 is public',
    'whsec_...',
    'eyJhbGciOiJIUzI1NiJ9 is only a head',
    'Authorization: Bearer <token>, Authorization: Bearer $TOKEN, authorization: Bearer YOUR_ACCESS_TOKEN',
    `curl -H "Authorization: Bearer \${TOKEN}"`,
    `postgres://user:\${PASSWORD}@db.example.com, postgres://postgres:postgres@localhost:5432`,
    'https://user:password@example.com, https://user:<password>@example.com, https://octo:***@example.com',
    'Server=localhost;Database=hello;Integrated Security=true',
    'Server=localhost;Password=<password>',
    '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----',
    '-----BEGIN CERTIFICATE-----',
    'bgak_short',
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  ])('leaves what only looks like a secret: %s', (text) => {
    expect(createRedactor([]).text(text)).toBe(text);
    expect(createRedactor([]).find(text)).toBeUndefined();
  });

  it('hides given values inside of longer base64, JSON and hexadecimal digits', () => {
    const value = 'p4ss"word/of\nsome+one?';
    const { text, find } = createRedactor([value]);
    for (const around of ['', 'a', 'ab', 'abc', 'user:']) {
      const encoded = [
        btoa(around + value + around),
        Buffer.from(around + value + around).toString('base64url'),
        Buffer.from(around + value).toString('hex'),
        JSON.stringify({ [around]: value }),
      ];
      for (const form of encoded) {
        expect(text(`x ${form} y`)).toContain('[redacted]');
        expect(find(form)).toBe('a secret of the platform');
      }
    }
  });

  it.each([
    ['-eyJaaaaaaaaaa', 2_000_000],
    ['sk-', 2_000_000],
    ['server=a;', 2_000_000],
    ['https://a:', 2_000_000],
    ['-----BEGIN PRIVATE KEY-----', 2_000_000],
    ['authorization:bearer ', 2_000_000],
  ])('is not kept busy by %s over and over', (piece, length) => {
    // Would take minutes if its time grew with the square of the length.
    createRedactor([]).find(some(piece, length));
  });

  it('hides secrets that come in pieces, however they are cut, and keeps the rest', () => {
    const secret = `ghp_${some('a1B2', 36)}`;
    const text = `first line\nuse ${secret} and hunter22\n${PRIVATE_KEY}\nlast line without an end`;
    const expected = 'first line\nuse [redacted] and [redacted]\n[redacted]\nlast line without an end';
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        expect(inPieces(text, ['hunter22'], cuts)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('hides a value of several lines', () => {
    expect(inPieces('x line\ntwo y\nz', ['line\ntwo'], [4, 7, 9])).toBe('x [redacted] y\nz');
  });

  it('gives out a line as soon as it is whole', () => {
    const stream = createRedactor([]).stream();
    expect(stream.push('a line\nand half of')).toBe('a line\n');
  });

  it('does not hold back an endless line', () => {
    const stream = createRedactor([]).stream();
    let out = 0;
    for (let n = 0; n < 100; n += 1) out += stream.push('x'.repeat(1_000)).length;
    expect(out).toBeGreaterThan(50_000);
  });
});

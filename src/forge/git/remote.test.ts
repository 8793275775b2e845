import { describe, expect, it } from 'vitest';
import { parseRemote } from './remote.ts';

describe('a reference to a repository', () => {
  it.each([
    ['/srv/git/hello.git', 'local', 'file', '/srv/git/hello.git'],
    ['/srv//git/./hello/', 'local', 'file', '/srv/git/hello'],
    ['/srv/git/größe', 'local', 'file', '/srv/git/größe'],
    ['file:///srv/git/hello%20world', 'local', 'file', '/srv/git/hello world'],
    ['https://example.com/octo/hello.git', 'url', 'https', 'https://example.com/octo/hello.git'],
    ['HTTPS://Example.COM:443/octo/Hello/', 'url', 'https', 'https://example.com/octo/Hello'],
    ['http://127.0.0.1:8080/hello.git', 'url', 'http', 'http://127.0.0.1:8080/hello.git'],
    ['ssh://git@example.com:2222/octo/hello', 'url', 'ssh', 'ssh://git@example.com:2222/octo/hello'],
    ['git@example.com:octo/hello.git', 'url', 'ssh', 'git@example.com:octo/hello.git'],
    ['example.com:octo/hello', 'url', 'ssh', 'example.com:octo/hello'],
    ['octo/hello', 'named', null, 'octo/hello'],
    ['octo/hello.git', 'named', null, 'octo/hello'],
    ['octo-org/he.l-lo_1', 'named', null, 'octo-org/he.l-lo_1'],
  ])('%s is %s', (reference, kind, transport, repo) => {
    expect(parseRemote(reference)).toEqual({ kind, transport, repo });
  });

  it('has one canonical spelling, which means itself', () => {
    for (const reference of [
      '/srv//git/hello/',
      'https://EXAMPLE.com/octo/hello/',
      'git@EXAMPLE.com:octo/hello',
    ]) {
      const { repo } = parseRemote(reference);
      expect(parseRemote(repo).repo).toBe(repo);
    }
  });

  it.each([
    ['an option', '--upload-pack=touch /tmp/x'],
    ['an option as scp-like path', 'example.com:-oProxyCommand=x'],
    ['an option as host', '-oProxyCommand=x:y'],
    ['an option as host of a URL', 'ssh://-oProxyCommand=x/y'],
    ['an option as user', 'ssh://-x@example.com/y'],
    ['a remote helper', 'ext::sh -c "touch /tmp/x"'],
    ['another remote helper', 'fd::17/foo'],
    ['a helper in front of a URL', 'https::https://example.com/x'],
    ['git://', 'git://example.com/octo/hello'],
    ['ftp://', 'ftp://example.com/octo/hello'],
    ['an unknown transport', 'javascript://example.com/%0aalert(1)'],
    ['a line break', 'octo/hello\n--upload-pack=x'],
    ['an encoded line break', 'https://example.com/octo%0ahello'],
    ['a NUL', '/srv/git/hello\0'],
    ['a bidirectional mark', '/srv/git/\u202egit.olleh'],
    ['a zero-width character', 'octo/hel\u200blo'],
    ['a Cyrillic letter in the owner', 'осto/hello'],
    ['a Cyrillic letter in the host', 'https://exаmple.com/octo/hello'],
    ['a full-width slash', 'octo／hello'],
    ['a parent folder', '/srv/git/../../etc'],
    ['a parent folder in a URL', 'https://example.com/octo/../other/hello'],
    ['an encoded parent folder', 'https://example.com/octo/%2e%2e/hello'],
    ['a parent folder in a file URL', 'file:///srv/%2e%2e/etc'],
    ['a file URL with a host', 'file://example.com/srv/git'],
    ['a password', 'https://octo:hunter2@example.com/octo/hello'],
    ['a token as user name', 'https://ghp_x@example.com/octo/hello'],
    ['a password for ssh', 'ssh://git:hunter2@example.com/octo/hello'],
    ['a password without a scheme', 'octo:hunter2@example.com:hello'],
    ['a file URL without its slashes', 'file:/srv/git/hello'],
    ['a URL with one slash', 'https:/example.com/octo/hello'],
    ['a script', 'javascript:alert(1)'],
    ['a query', 'https://example.com/octo/hello?x=1'],
    ['a fragment', 'https://example.com/octo/hello#x'],
    ['a backslash', 'octo\\hello'],
    ['a path of Windows', 'C:\\repos\\hello'],
    ['a relative path', './hello'],
    ['a path in the home folder', '~/hello'],
    ['too many parts', 'octo/hello/world'],
    ['no slash', 'hello'],
    ['dots as name', 'octo/..'],
    ['nothing but an ending as name', 'octo/.git'],
    ['dots and an ending as name', 'octo/...git'],
    ['two endings', 'octo/hello.git.git'],
    ['nothing', ''],
    ['a semicolon', 'octo/hello;id'],
    ['spaces around', ' octo/hello'],
    ['no host', 'https:///octo/hello'],
    ['no path', 'https://example.com/'],
    ['too much', `octo/${'x'.repeat(2_000)}`],
  ])('is refused, naming the field, when it is or has %s', (_, reference) => {
    expect(() => parseRemote(reference)).toThrow(
      expect.objectContaining({ code: 'VALIDATION_ERROR', field: 'repo' }),
    );
  });

  it('does not repeat a password that it refuses', () => {
    expect(() => parseRemote('https://octo:hunter2@example.com/octo/hello')).toThrow(/holds credentials/);
    expect(() => parseRemote('https://octo:hunter2@example.com/octo/hello')).not.toThrow(/hunter2/);
  });
});
